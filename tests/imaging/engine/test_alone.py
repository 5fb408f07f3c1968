"""The engine works without the rest of the suite, and leaves Pillow as it is until it is used."""

import json
import subprocess
import sys
import textwrap
from pathlib import Path

ROOT = Path(__file__).parents[3]
ENGINE = ROOT / "services" / "imaging" / "engine"

# `sys.modules[name] = None` makes every import of that name fail.
RENDER_ALONE = """
import sys

BLOCKED = ("anyio", "asyncio", "faststream", "redis", "services.runtime", "structlog")
sys.modules |= dict.fromkeys(BLOCKED)

import io
from PIL import Image
from contracts.operations.looks import Grayscale
from contracts.operations.pipeline import Pipeline
from contracts.operations.shapes import Resize
from contracts.outputs import Format, Output
from services.imaging.engine import pipeline

gradients = [Image.radial_gradient("L"), Image.linear_gradient("L"), Image.linear_gradient("L")]
photograph = io.BytesIO()
Image.merge("RGB", gradients).resize((1200, 900)).save(photograph, "JPEG", quality=90)
picture = pipeline.run(
    photograph.getvalue(),
    Pipeline(operations=(Resize(width=300), Grayscale()), output=Output(format=Format.WEBP)),
)
result = Image.open(io.BytesIO(picture.data))
print(result.format, *result.size)
assert not any(sys.modules.get(name) for name in BLOCKED)
"""

IMPORT_EVERY_MODULE = """
import importlib, json, sys, warnings
from PIL import Image, ImageFile

Image.init()  # Pillow's own plugins, which any of its users may load

def state():
    tables = (Image.OPEN, Image.SAVE, Image.SAVE_ALL, Image.EXTENSION, Image.MIME, Image.DECODERS,
              Image.ENCODERS)
    return [
        [sorted(table.items()) if isinstance(table, dict) else table for table in tables],
        list(Image.ID), Image.Exif, Image.Exif.load, Image.MAX_IMAGE_PIXELS,
        Image.WARN_POSSIBLE_FORMATS,
        ImageFile.LOAD_TRUNCATED_IMAGES, ImageFile.MAXBLOCK, ImageFile.ERRORS.copy(),
        Image.core.get_blocks_max(), Image.core.get_block_size(), warnings.filters.copy(),
    ]

before = repr(state())
for name in json.loads(sys.argv[1]):
    importlib.import_module(name)
assert repr(state()) == before, "an import changed Pillow"
from services.imaging.engine.formats import pillow

pillow.configure()
configured = repr(state())
assert configured != before
pillow.configure()
assert repr(state()) == configured, "a second call changed Pillow"
print("unchanged")
"""

EXIF_FROM_BEFORE = """
import io
from PIL import Image

exif = Image.Exif()
exif[0x0112] = 6
from services.imaging.engine.formats import pillow

pillow.configure()
buffer = io.BytesIO()
Image.new("L", (8, 8)).save(buffer, "PNG", exif=exif)
print(Image.open(buffer).getexif()[0x0112])
"""


def run(program: str, *arguments: str) -> str:
    """Run a program in a new process, and return its output."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program), *arguments],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=50,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_the_engine_renders_without_broker_redis_event_loop_and_runtime() -> None:
    assert run(RENDER_ALONE) == "WEBP 300 225"


def test_importing_the_engine_changes_nothing_in_pillow() -> None:
    modules = [
        ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for path in sorted(ENGINE.rglob("*.py"))
        if path.name != "__init__.py"
    ]

    assert len(modules) > 30
    assert run(IMPORT_EVERY_MODULE, json.dumps(modules)) == "unchanged"


def test_exif_made_before_the_engine_is_used_can_still_be_saved() -> None:
    assert run(EXIF_FROM_BEFORE) == "6"
