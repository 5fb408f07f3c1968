"""The import rules of pyproject.toml hold, and each of them detects a violation."""

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_no_module_breaks_a_rule() -> None:
    linted = lint(ROOT)
    assert linted.returncode == 0, linted.stdout


VIOLATIONS = {
    "Gateway, imaging, devserver and client never meet": [
        ("contracts/jobs.py", "from services.runtime import capacity"),
        ("services/gateway/routes/render.py", "from services.imaging.engine.safety import limits"),
        ("services/gateway/routes/jobs.py", "import darkroom"),
        ("devserver/local.py", "from services.gateway import settings"),
    ],
    "Inside the gateway": [
        ("services/gateway/app.py", "from services.gateway import main"),
        ("services/gateway/routes/jobs.py", "from services.gateway.app import create_app"),
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
        ("services/gateway/unlisted.py", "import logging"),
    ],
    "Inside imaging": [
        ("services/imaging/app.py", "from services.imaging import main"),
        ("services/imaging/handlers.py", "from services.imaging.app import create_app"),
        ("services/imaging/handlers.py", "from services.imaging.jobs import runner"),
        ("services/imaging/jobs/runner.py", "from services.imaging import handlers"),
        ("services/imaging/pool/executor.py", "from services.imaging.rendering import renders"),
        ("services/imaging/rendering/renders.py", "from services.imaging.jobs import capacity"),
        ("services/imaging/settings.py", "from services.imaging.engine.safety import limits"),
        ("services/imaging/engine/pipeline.py", "from services.imaging import settings"),
        ("services/imaging/unlisted.py", "import logging"),
    ],
    "Inside the engine": [
        (
            "services/imaging/engine/raster/alpha.py",
            "from services.imaging.engine.operations import looks",
        ),
        (
            "services/imaging/engine/safety/limits.py",
            "from services.imaging.engine.encoding import encode",
        ),
    ],
    "Inside the Redis package": [
        ("services/runtime/redis/keys.py", "from services.runtime.redis import client"),
    ],
    "Inside the stores of bytes": [
        (
            "services/runtime/storage/stores/disk.py",
            "from services.runtime.storage.stores import async_store",
        ),
        ("services/runtime/storage/stores/unlisted.py", "import logging"),
    ],
    "Headers of images are for": [("services/gateway/sources/uploads/form.py", "import imagesize")],
    "Buckets are for": [("services/runtime/storage/spool.py", "import obstore")],
    "No circles": [
        ("contracts/formats.py", "import contracts.imaging"),
        ("darkroom/errors.py", "import darkroom.client"),
    ],
    "Inside the runtime": [
        ("services/runtime/rpc/sender.py", "from services.runtime.jobs import store"),
        ("services/runtime/jobs/store.py", "from services.runtime.rpc import deadlines"),
        ("services/runtime/messaging/consumer.py", "from services.runtime.rpc import discarded"),
        ("services/runtime/redis/client.py", "from services.runtime.liveness import heartbeat"),
        ("services/runtime/rpc/broker.py", "from services.runtime.introspection import queues"),
    ],
    "Contracts import pydantic": [("contracts/jobs.py", "import structlog")],
    "The client imports": [
        ("darkroom/__init__.py", "from services.runtime.jobs import store"),
        ("darkroom/__init__.py", "import redis"),
    ],
    "HTTP is the gateway's": [
        ("services/runtime/capacity.py", "from starlette.types import Scope"),
    ],
    "Pixels are the engine's": [
        ("services/runtime/capacity.py", "from PIL import Image"),
        ("services/imaging/handlers.py", "from PIL import Image"),
    ],
    "The engine stands alone": [
        ("services/imaging/engine/pipeline.py", "import asyncio"),
        ("services/imaging/engine/raster/geometry.py", "from services.imaging import settings"),
    ],
    "A pool process has nothing": [
        ("services/imaging/pool/messages.py", "from services.imaging import settings"),
    ],
    "FastStream is for": [
        ("services/gateway/routes/render.py", "from faststream import Context"),
        ("services/runtime/messaging/outbox.py", "import faststream.redis"),
    ],
    "Redis is for": [("services/gateway/live/hub.py", "import redis")],
}
"""For the beginning of each rule's name: modules, and imports in them that break the rule."""


def names_of_rules() -> list[str]:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    return [contract["name"] for contract in settings["tool"]["importlinter"]["contracts"]]


def test_every_rule_has_a_violation_that_is_tried() -> None:
    for name in names_of_rules():
        assert any(name.startswith(beginning) for beginning in VIOLATIONS), name


@pytest.mark.slow
@pytest.mark.parametrize(
    ("rule", "module", "forbidden"),
    [(rule, *violation) for rule, tried in VIOLATIONS.items() for violation in tried],
)
def test_a_forbidden_import_breaks_its_rule(
    rule: str, module: str, forbidden: str, tmp_path: Path
) -> None:
    for package in ("contracts", "services", "darkroom", "devserver"):
        ignored = shutil.ignore_patterns("__pycache__", "web")
        shutil.copytree(ROOT / package, tmp_path / package, ignore=ignored)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    with (tmp_path / module).open("a") as text:
        text.write(f"{forbidden}\n")

    linted = lint(tmp_path)

    (name,) = [name for name in names_of_rules() if name.startswith(rule)]
    assert linted.returncode == 1, linted.stdout
    assert f"{name} BROKEN" in " ".join(linted.stdout.split())
