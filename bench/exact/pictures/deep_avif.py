"""AVIF in 8, 10 and 12 bits, encoded by sharp: Pillow writes 8 bits alone."""

import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from bench.exact.needs import SHARP
from bench.exact.pictures.scene import SIZE, Picture, scene


def stills() -> Iterator[Picture]:
    """Yield the files. Raises subprocess.CalledProcessError."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "rgb").write_bytes(scene().tobytes())
        script = str(SHARP.script("avif.mjs"))
        subprocess.run(["node", script, folder, *map(str, SIZE)], check=True)
        for path in sorted(Path(folder).glob("avif *")):
            yield path.name, path.read_bytes()
