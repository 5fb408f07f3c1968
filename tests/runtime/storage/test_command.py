"""The command `darkroom-store` does its work on a real store, says so, and keeps secrets."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from services.runtime.redis import keys
from services.runtime.redis.client import RedisClient
from services.runtime.storage.blobs import Storage
from services.runtime.storage.images import Images
from services.runtime.storage.kept import KeptImages
from services.runtime.storage.records import Place, path_of
from services.runtime.storage.spool import Spool
from tests.processes import ROOT, free_port
from tests.runtime.storage.conftest import MakeStorage, empty


def command(
    *arguments: str, store: Path | None, redis_url: str, env: Mapping[str, str] = {}
) -> subprocess.CompletedProcess[str]:
    named = {"DARKROOM_STORE": f"file://{store}"} if store else {}
    return subprocess.run(
        [sys.executable, "-m", "services.runtime.storage.command", *arguments],
        env={**os.environ, "REDIS_URL": redis_url, **named, **env},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


async def keep(storage: Storage, data: bytes) -> str:
    images = Images(storage)
    stored = await images.keep(await Spool.of(data, storage.scratch), ttl=100, kept=True)
    await KeptImages(storage.redis, images).settle(stored, ttl=None)
    return stored.blob.key


async def test_check_names_what_is_lost_and_rebuild_brings_it_back(
    storage: Storage, redis: RedisClient, redis_url: str, tmp_path: Path
) -> None:
    store = tmp_path / "store"
    key, other = await keep(storage, b"x" * 1000), await keep(storage, b"y")
    checked = command("check", store=store, redis_url=redis_url)
    assert checked.returncode == 0, checked.stderr
    assert "1,001" in checked.stdout

    await empty(redis)
    checked = command("check", "--json", store=store, redis_url=redis_url)
    assert checked.returncode == 1
    found = json.loads(checked.stdout)
    assert set(found["unrecorded"]) == {key, other}
    assert found["places"] == [{"project": "default", "place": "kept", "objects": 2, "bytes": 1001}]

    rebuilt = command("rebuild", store=store, redis_url=redis_url)
    assert (rebuilt.returncode, rebuilt.stderr) == (0, "")
    assert "brought back: 2" in rebuilt.stdout
    assert await Images(storage).find(key) is not None

    assert storage.store is not None
    await storage.store.put(path_of(Place.KEPT, other), b"z")
    checked = command("check", "--digests", store=store, redis_url=redis_url)
    assert checked.returncode == 1
    assert other in checked.stdout
    assert key not in checked.stdout


async def test_move_and_copy(
    make: MakeStorage, redis: RedisClient, redis_url: str, tmp_path: Path
) -> None:
    old = make(store="redis:")
    key = await keep(old, b"x")
    store, other = tmp_path / "store", tmp_path / "other"
    moved = command("move", store=store, redis_url=redis_url)
    assert (moved.returncode, moved.stdout) == (
        0,
        "Images moved: 1. Images that stay in Redis: 0.\n",
    )
    copied = command("copy", f"file://{store}", f"file://{other}", store=None, redis_url=redis_url)
    assert copied.returncode == 0, copied.stderr
    assert "Objects that differ still: 0. Switch now." in copied.stdout
    assert (other / path_of(Place.KEPT, key)).read_bytes() == b"x"


async def test_the_store_of_another_redis_is_left_alone(
    storage: Storage, redis: RedisClient, redis_url: str, tmp_path: Path
) -> None:
    await keep(storage, b"x")
    await redis.execute("SET", keys.STORE, "another")
    for name in ("check", "sweep"):
        refused = command(name, store=tmp_path / "store", redis_url=redis_url)
        assert refused.returncode == 2, refused.stdout
        assert "is not the one that the other services use" in refused.stderr


def test_a_sweep_with_a_short_grace_is_refused_unless_forced(
    redis_url: str, tmp_path: Path
) -> None:
    refused = command("sweep", "--grace", "10", store=tmp_path, redis_url=redis_url)
    assert refused.returncode == 2
    assert "--force" in refused.stderr
    swept = command("sweep", "--grace", "10", "--force", store=tmp_path, redis_url=redis_url)
    assert swept.returncode == 0, swept.stderr


@pytest.mark.parametrize(
    ("env", "code", "said"),
    [
        ({"DARKROOM_STORE": "ftp://user:hunter2@host"}, 2, "STORE"),
        ({"DARKROOM_STORE": "redis:"}, 2, "DARKROOM_STORE names no store"),
        ({}, 3, "does not answer"),
    ],
    ids=["wrong setting", "no store", "no redis"],
)
def test_a_failure_is_a_sentence_and_a_code_without_secrets(
    env: Mapping[str, str], code: int, said: str, tmp_path: Path
) -> None:
    url = f"redis://:hunter2@127.0.0.1:{free_port()}"
    failed = command("check", store=tmp_path, redis_url=url, env=env)
    assert failed.returncode == code, failed.stderr
    assert said in failed.stderr
    assert "hunter2" not in failed.stdout + failed.stderr
    assert "Traceback" not in failed.stderr


def test_a_wrong_argument_is_named_without_its_password(redis_url: str, tmp_path: Path) -> None:
    wrong = "s3://user:hunter2@bucket/prefix"
    failed = command("copy", f"file://{tmp_path}", wrong, store=None, redis_url=redis_url)
    assert failed.returncode == 2
    assert failed.stderr.startswith("TO: ")
    assert "hunter2" not in failed.stdout + failed.stderr
