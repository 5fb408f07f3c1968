"""`darkroom sign`: a URL with its signature, and never the secret."""

from pathlib import Path
from urllib.parse import urlsplit

import pytest
from typer.testing import CliRunner

from contracts.access.signing import is_signed, read
from darkroom.command.cli import app
from darkroom.command.signing import SECRET

URL = "https://images.example.com/v1/images/ab/render?op=resize:width=720&op=grayscale"
TEXT = "0badc0de" * 8


def run(*arguments: str, code: int = 0) -> str:
    """Run `darkroom sign`, and return all that it prints."""
    result = CliRunner().invoke(app, ["sign", *arguments])
    assert result.exit_code == code, result.output
    return result.output


def test_a_url_is_signed_with_the_secret_of_a_file(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text(f"{TEXT}\n")

    printed = run(URL, "--kid", "web-1", "--secret-file", str(file), "--expires", "3600")

    parts = urlsplit(printed.strip())
    signable = read(parts.path.encode(), parts.query.encode())
    assert is_signed(signable, bytes.fromhex(TEXT))
    assert signable.query == "op=resize%3Awidth%3D720&op=grayscale"
    assert signable.exp is not None
    assert signable.exp % 3600 == 0


def test_a_url_is_signed_with_the_secret_of_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(SECRET, TEXT)

    printed = run("/v1/images/ab/render?preset=card&w=640", "--kid", "web-1", "--free", "w")

    parts = urlsplit(printed.strip())
    assert is_signed(read(parts.path.encode(), parts.query.encode()), bytes.fromhex(TEXT))
    assert "w=640" in parts.query


@pytest.mark.parametrize("text", ["", TEXT[:-1], "x" * 64])
def test_a_missing_or_malformed_secret_is_a_mistake_of_usage(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(SECRET, text)

    printed = run(URL, "--kid", "web-1", code=2)

    assert "hexadecimal" in printed or SECRET in printed
    assert not text or text[:16] not in printed
