"""Keys by the library and by the command, and the key that they send with every request."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from contracts.access.keys import KeyScope
from darkroom.client import Client
from darkroom.command.cli import app
from darkroom.errors import GatewayError
from tests.gateway.access.gateways import ADMIN_KEY, gateway
from tests.gateway.webhooks.signing import SECRET
from tests.processes import valkey


@pytest.fixture(scope="module")
def url(idle_redis: str) -> Iterator[str]:
    with gateway(idle_redis, webhook_secret=SECRET) as found:
        yield found


def run(url: str, *arguments: str, key: str | None = ADMIN_KEY, code: int = 0) -> Result:
    """Run `darkroom ARGUMENTS`; fail unless its exit code is `code`."""
    env = {"DARKROOM_GATEWAY": url, "DARKROOM_KEY": key, "COLUMNS": "200"}
    result = CliRunner().invoke(app, arguments, env=env)
    assert result.exit_code == code, result.output
    return result


def test_a_key_is_made_used_rotated_and_revoked(url: str) -> None:
    made = run(url, "keys", "create", "website", "--scope", "read-jobs", "--project", "website")
    key = made.stdout.strip()
    assert key.startswith("dk_")
    key_id = key.split("_")[1]
    run(url, "jobs", key=key)
    assert "`render`" in run(url, "images", key=key, code=1).stderr

    rotated = run(url, "keys", "rotate", key_id, "--grace", "60").stdout.strip()
    assert rotated.startswith(f"dk_{key_id}_")
    for text in (key, rotated):
        run(url, "jobs", key=text)

    run(url, "keys", "revoke", key_id)
    assert "DARKROOM_KEY" in run(url, "jobs", key=rotated, code=1).stderr
    listed = run(url, "keys", "list").stdout
    assert "website" in listed
    assert "revoked" in listed
    assert rotated.removeprefix(f"dk_{key_id}_") not in listed


def test_exported_keys_count_at_another_gateway_and_revoked_ones_do_not(
    url: str, tmp_path: Path
) -> None:
    keys = [run(url, "keys", "create", "a", "--scope", "read-jobs").stdout.strip() for _ in "ab"]
    run(url, "keys", "revoke", keys[1].split("_")[1])
    exported = run(url, "keys", "export").stdout
    assert not any(key.split("_", 2)[2] in exported for key in keys)
    (tmp_path / "keys.json").write_text(exported)

    with valkey() as server, gateway(str(server.connection_url)) as other:
        run(other, "keys", "import", str(tmp_path / "keys.json"))
        run(other, "jobs", key=keys[0])
        run(other, "jobs", key=keys[1], code=1)
        imported = json.loads(run(other, "keys", "export").stdout)
        assert imported == json.loads(exported)


def test_a_key_gets_limits(url: str) -> None:
    limits = {"rate_calls": 2.5, "rate_megapixels": 50.0, "daily_megapixels": 900}
    options = [f"--{name.replace('_', '-')}={limit}" for name, limit in limits.items()]
    made = run(url, "keys", "create", "a", "--scope", "read-jobs", *options, "--json").stdout
    assert json.loads(made)["limits"] == limits


def test_an_import_goes_on_after_a_key_that_is_refused(url: str, tmp_path: Path) -> None:
    keys = [run(url, "keys", "create", "a", "--scope", "read-jobs").stdout.strip() for _ in "ab"]
    ids = [key.split("_")[1] for key in keys]
    exported = json.loads(run(url, "keys", "export").stdout)
    first, second = sorted((one for one in exported if one["id"] in ids), key=lambda one: one["id"])
    changed = [{**first, "scopes": ["render"]}, {**second, "name": "renamed"}]
    (tmp_path / "keys.json").write_text(json.dumps(changed))
    printed = run(url, "keys", "import", str(tmp_path / "keys.json"), code=1).stderr
    assert f"{first['id']}: " in printed
    assert "imported: 1." in printed
    assert "renamed" in run(url, "keys", "list").stdout


def test_mistakes_are_refused_before_a_request() -> None:
    nowhere = "http://127.0.0.1:1"
    run(nowhere, "keys", "create", "a", "--scope", "everything", code=2)
    run(nowhere, "keys", "create", "a", "--scope", "render", "--project", "A B", code=2)
    run(nowhere, "keys", "import", __file__, code=2)
    refused = run(nowhere, "keys", "create", "a", "--scope", "jobs", "--rate-calls", "0", code=2)
    assert "--rate-calls" in refused.stderr


async def test_the_library_takes_a_key_or_reads_the_variable(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DARKROOM_KEY", raising=False)
    async with Client(url, key=ADMIN_KEY) as client:
        made = await client.keys.make("library", [KeyScope.ADMIN], project="library", ttl=60)
    monkeypatch.setenv("DARKROOM_KEY", made.key)
    async with Client(url) as client:
        assert [key.id for key in await client.keys.list()] == [made.id]
        with pytest.raises(GatewayError) as refused:
            await client.keys.make("other", [KeyScope.RENDER], project="website")
        assert (refused.value.status, refused.value.code) == (403, "forbidden")


def test_the_secret_of_webhooks_is_printed_for_a_project(url: str) -> None:
    made = run(url, "keys", "create", "website", "--scope", "admin", "--project", "website")
    own = run(url, "keys", "webhook-secret", key=made.stdout.strip()).stdout
    named = run(url, "keys", "webhook-secret", "--project", "website").stdout

    assert own == named
    assert own.startswith("whsec_")
    assert run(url, "keys", "webhook-secret").stdout == f"{SECRET}\n" != own
