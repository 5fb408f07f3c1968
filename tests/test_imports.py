"""Who may import whom: the rules of pyproject.toml hold, and they bite."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_everybody_imports_only_what_they_may() -> None:
    linted = lint(ROOT)
    assert linted.returncode == 0, linted.stdout


@pytest.mark.parametrize(
    ("module", "forbidden"),
    [
        ("contracts/jobs.py", "import structlog"),
        ("contracts/jobs.py", "from services.runtime import room"),
        ("services/runtime/room.py", "from starlette.types import Scope"),
        ("services/runtime/room.py", "from PIL import Image"),
        ("services/gateway/render.py", "from services.imaging import limits"),
        ("services/gateway/render.py", "from faststream import Context"),
        ("services/gateway/jobs.py", "from services.gateway.app import create_app"),
        ("services/imaging/handlers.py", "from PIL import Image"),
        ("services/imaging/pipeline.py", "import asyncio"),
        ("services/imaging/geometry.py", "from services.imaging import worker"),
        ("deploy/local.py", "from services.gateway import settings"),
        ("services/gateway/jobs.py", "import darkroom"),
        ("darkroom/__init__.py", "from services.runtime import jobs"),
        ("darkroom/__init__.py", "import redis"),
    ],
)
def test_a_forbidden_import_is_found(module: str, forbidden: str, tmp_path: Path) -> None:
    for package in ("contracts", "services", "darkroom", "deploy"):
        ignored = shutil.ignore_patterns("__pycache__", "web")
        shutil.copytree(ROOT / package, tmp_path / package, ignore=ignored)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    with (tmp_path / module).open("a") as text:
        text.write(f"{forbidden}\n")
    linted = lint(tmp_path)
    assert linted.returncode == 1, linted.stdout
    assert "BROKEN" in linted.stdout
