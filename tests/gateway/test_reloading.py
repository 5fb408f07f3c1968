"""Configuration files: read at start, read again on SIGHUP, and never replaced by a bad one."""

import asyncio
import os
import signal
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from contracts.message import Message
from services.gateway.reloading import FileRefused, HangUp, ReloadedFile
from services.gateway.toml_tables import LineRefused, parse_table, parse_tables
from tests.processes import until


class _Dish(Message):
    price: int


def _parse(text: str) -> dict[str, _Dish]:
    tables = parse_tables(text, "dishes")
    return {
        name: parse_table(text, ("dishes", name), table, _Dish) for name, table in tables.items()
    }


def _file(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[dishes.soup]\nprice = 1\nprice = 2\n", "line 3: Cannot overwrite a value"),
        ("\n[dishes.soup]\nprice = 'x'\n", "line 3: [dishes.soup] price: should be a whole number"),
        ("[dishes.soup]\nprise = 3\nprice = 4\n", "line 2: [dishes.soup] 'prise' is not a field"),
        ("[dishes.soup]\n", "line 1: [dishes.soup] price: is required"),
        ("dishes.soup.price = []\n", "line 1: [dishes.soup] price: should be"),
        ('[dishes."two words"]\nprice = false\n[x]\n', "line 3: write [dishes.NAME], not 'x'"),
        ("[dishes]\nsoup = 3\n", "line 2: write [dishes.soup]"),
        ("dishes = 3\n", "line 1: write [dishes.NAME]"),
    ],
)
def test_an_error_names_the_line(text: str, reason: str) -> None:
    with pytest.raises(LineRefused) as refused:
        _parse(text)
    assert str(refused.value).startswith(reason)


@pytest.mark.parametrize("content", [b"\xff", b"#" * 1_048_577], ids=["not UTF-8", "too large"])
def test_a_file_that_cannot_be_used_ends_the_start(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "dishes.toml"
    with pytest.raises(FileRefused, match=r"DARKROOM_DISHES: .*dishes\.toml: No such file"):
        ReloadedFile("DARKROOM_DISHES", path, _parse)
    path.write_bytes(content)
    with pytest.raises(FileRefused, match=r"DARKROOM_DISHES: .*dishes\.toml: it "):
        ReloadedFile("DARKROOM_DISHES", path, _parse)


async def test_a_hang_up_reads_the_file_again(tmp_path: Path) -> None:
    path = _file(tmp_path / "dishes.toml", "[dishes.soup]\nprice = 3\n")
    file = ReloadedFile("DARKROOM_DISHES", path, _parse)
    changes: list[int] = []
    before = signal.getsignal(signal.SIGHUP)
    try:
        await HangUp([file], on_change=lambda: changes.append(1)).watch()
        _file(path, "[dishes.soup]\nprice = 4\n")
        os.kill(os.getpid(), signal.SIGHUP)
        await until(lambda: file.generation > 0, every=0.001)
        assert file.content == {"soup": _Dish(price=4)}
        assert changes == [1]
    finally:
        asyncio.get_running_loop().remove_signal_handler(signal.SIGHUP)
        signal.signal(signal.SIGHUP, before)


async def test_a_bad_file_changes_nothing(tmp_path: Path) -> None:
    path = _file(tmp_path / "dishes.toml", "[dishes.soup]\nprice = 3\n")
    file = ReloadedFile("DARKROOM_DISHES", path, _parse)
    _file(path, "[dishes.soup]\nprice = 4\n[dishes.fish]\nprice = 'secret-word'\n")
    changes: list[int] = []
    with capture_logs() as logged:
        HangUp([file], on_change=lambda: changes.append(1)).reload()
    assert (file.content, file.generation, changes) == ({"soup": _Dish(price=3)}, 0, [])
    (entry,) = logged
    assert "line 4: [dishes.fish] price: should be" in entry["reason"]
    assert "secret-word" not in str(entry)
