"""Rules of style that no linter checks: lengths, and the first words of docstrings and comments."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FOLDERS = ("bench", "contracts", "darkroom", "devserver", "docs", "services", "tests")

LONGEST_FILE = 300  # lines
LONGEST_DECISION = 60
MOST_MODULES = 18  # of a folder

# "Whether the worker is ready" leaves the reader to guess what is done; "Return whether" says it.
RIDDLES = {"How", "What", "Whatever", "When", "Where", "Whether", "Which", "Who", "Whose", "Why"}

# "What is made of it" makes a reader wait for the subject, and "The results" names it.
RIDDLE_IN_COMMENT = re.compile(r"^\s*# (?:How|What|Whatever|Whether|Which|Who|Whose|Why)\b", re.M)


def modules(folder: str) -> list[Path]:
    return [path for path in (ROOT / folder).rglob("*.py") if "node_modules" not in path.parts]


def docstrings(path: Path) -> Iterator[str]:
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, kinds) and (text := ast.get_docstring(node)):
            yield text


def lines_of(path: Path) -> int:
    return len(path.read_text().splitlines())


@pytest.mark.parametrize("folder", FOLDERS)
def test_no_module_is_too_long(folder: str) -> None:
    found = modules(folder)
    assert found
    assert [path for path in found if lines_of(path) > LONGEST_FILE] == []


def test_no_decision_is_too_long() -> None:
    found = list((ROOT / "docs/decisions").glob("0*.md"))
    assert found
    assert [path.name for path in found if lines_of(path) > LONGEST_DECISION] == []


@pytest.mark.parametrize("folder", FOLDERS)
def test_no_folder_has_too_many_modules(folder: str) -> None:
    parents = [path.parent for path in modules(folder) if path.name != "__init__.py"]
    assert [one for one in set(parents) if parents.count(one) > MOST_MODULES] == []


@pytest.mark.parametrize("folder", FOLDERS)
def test_docstrings_say_what_is_done(folder: str) -> None:
    begun = [(path, text.split()[0]) for path in modules(folder) for text in docstrings(path)]
    assert begun
    assert [path for path, word in begun if word in RIDDLES] == []


@pytest.mark.parametrize("folder", FOLDERS)
def test_comments_name_their_subject(folder: str) -> None:
    found = modules(folder)
    assert found
    assert [path for path in found if RIDDLE_IN_COMMENT.search(path.read_text())] == []
