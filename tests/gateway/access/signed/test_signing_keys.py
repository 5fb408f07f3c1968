"""The file of signing keys: its fields, and the messages about its faults."""

import pytest

from services.gateway.access.signing_keys import KeyState, parse_signing_keys
from services.gateway.toml_tables import LineRefused

SECRET = "0badc0de" * 8


def test_each_table_is_a_key() -> None:
    keys = parse_signing_keys(
        f"""
        [keys.web-1]
        secret = "{SECRET}"

        [keys."shop.2026"]
        project = "shop"
        secret = "{SECRET.upper()}"
        state = "verify-only"
        """
    )

    assert [(key.kid, key.project, key.state) for key in keys.values()] == [
        ("web-1", "default", KeyState.ACTIVE),
        ("shop.2026", "shop", KeyState.VERIFY_ONLY),
    ]
    assert {key.secret for key in keys.values()} == {bytes.fromhex(SECRET)}
    assert SECRET not in repr(keys)
    assert str(bytes.fromhex(SECRET)) not in repr(keys)


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        (f'[keys.web-1]\nstate = "active"\nsecret = "{SECRET[:62]}"', 3, "hexadecimal digits"),
        (f'[keys.web-1]\nsecret = "{SECRET}"\nstate = "paused"', 3, "'revoked'"),
        (f'[keys.web-1]\nsecret = "{SECRET}"\nproject = "My Shop"', 3, "project"),
        (f'[keys.web-1]\nsecret = "{SECRET}"\nsecrets = "{SECRET}"', 3, "did you mean 'secret'"),
        ('\n[keys.web-1]\nstate = "active"', 2, "secret: is required"),
        (f'[keys."web 1"]\nsecret = "{SECRET}"', 1, "no name of a key"),
        (f'[key.web-1]\nsecret = "{SECRET}"', 1, "[keys.NAME]"),
        (f'[keys.web-1]\nsecret = "{SECRET}', 2, ""),
    ],
)
def test_a_fault_has_its_line_and_no_secret(text: str, line: int, reason: str) -> None:
    with pytest.raises(LineRefused) as refused:
        parse_signing_keys(text)

    said = str(refused.value)
    assert said.startswith(f"line {line}: ")
    assert reason in said
    assert SECRET[:16] not in said
