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


@pytest.mark.slow
@pytest.mark.parametrize(
    ("module", "forbidden"),
    [
        ("contracts/jobs.py", "import structlog"),
        ("contracts/jobs.py", "from services.runtime import capacity"),
        ("services/runtime/capacity.py", "from starlette.types import Scope"),
        ("services/runtime/capacity.py", "from PIL import Image"),
        ("services/runtime/rpc/sender.py", "from services.runtime.jobs import store"),
        ("services/runtime/jobs/store.py", "from services.runtime.rpc import deadlines"),
        ("services/runtime/messaging/consumer.py", "from services.runtime.rpc import discarded"),
        ("services/runtime/redis/client.py", "from services.runtime.liveness import heartbeat"),
        ("services/runtime/rpc/broker.py", "from services.runtime.introspection import queues"),
        ("services/runtime/messaging/outbox.py", "import faststream.redis"),
        ("services/gateway/routes/render.py", "from services.imaging.engine.safety import limits"),
        ("services/gateway/routes/render.py", "from faststream import Context"),
        ("services/gateway/routes/jobs.py", "from services.gateway.app import create_app"),
        ("services/gateway/routes/jobs.py", "from services.gateway import main"),
        ("services/gateway/jobs/responses.py", "from services.gateway.routes import parameters"),
        ("services/gateway/dependencies.py", "from services.gateway.jobs import submission"),
        ("services/gateway/webhooks/sender.py", "from services.gateway import dependencies"),
        ("services/gateway/live/hub.py", "from services.gateway.webhooks import sender"),
        ("services/gateway/outbound/client.py", "from services.gateway.sources import upload"),
        ("services/gateway/http/responses.py", "from services.gateway.outbound import client"),
        ("services/gateway/http/responses.py", "from services.gateway.rpc import Reply"),
        ("services/gateway/rpc.py", "from services.gateway.http import problems"),
        ("services/gateway/middleware/head.py", "from services.gateway import rpc"),
        ("services/gateway/settings.py", "from services.gateway.middleware import head"),
        ("services/gateway/shutdown.py", "from services.gateway import settings"),
        ("services/gateway/access.py", "import logging"),
        ("services/imaging/handlers.py", "from PIL import Image"),
        ("services/imaging/engine/pipeline.py", "import asyncio"),
        ("services/imaging/engine/raster/geometry.py", "from services.imaging.pool import tasks"),
        ("devserver/local.py", "from services.gateway import settings"),
        ("services/gateway/routes/jobs.py", "import darkroom"),
        ("darkroom/__init__.py", "from services.runtime.jobs import store"),
        ("darkroom/__init__.py", "import redis"),
    ],
)
def test_a_forbidden_import_is_found(module: str, forbidden: str, tmp_path: Path) -> None:
    for package in ("contracts", "services", "darkroom", "devserver"):
        ignored = shutil.ignore_patterns("__pycache__", "web")
        shutil.copytree(ROOT / package, tmp_path / package, ignore=ignored)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    with (tmp_path / module).open("a") as text:
        text.write(f"{forbidden}\n")
    linted = lint(tmp_path)
    assert linted.returncode == 1, linted.stdout
    assert "BROKEN" in linted.stdout
