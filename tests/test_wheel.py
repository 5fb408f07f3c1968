"""The wheel has everything that an installation needs: both services, the page, the guide."""

import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

from contracts.version import VERSION

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.slow
def test_the_wheel_carries_the_services_the_page_and_the_guide(tmp_path: Path) -> None:
    assert (ROOT / "services/gateway/guide/index.html").exists(), "run make docs"
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*build, "--wheel-dir", tmp_path, ROOT], check=True, timeout=50)

    (wheel,) = tmp_path.iterdir()
    assert wheel.name == f"darkroom-{VERSION}-py3-none-any.whl"
    with ZipFile(wheel) as archive:
        names = set(archive.namelist())
    assert {
        "services/gateway/main.py",
        "services/gateway/web/index.html",
        "services/gateway/guide/index.html",
        "services/gateway/guide/searchindex.js",
        "services/gateway/guide/errors/index.html",
        "services/imaging/main.py",
        "services/runtime/jobs/store.lua",
        "contracts/imaging.py",
        "darkroom/command/cli.py",
        f"darkroom-{VERSION}.dist-info/licenses/LICENSE",
    } <= names
    assert not any(name.startswith(("tests/", "bench/", "docs/", "devserver/")) for name in names)
