"""What an imaging process is told from outside."""

import os
import pickle
from functools import cache
from pathlib import Path

from pydantic import Field, PositiveFloat, PositiveInt

from services.runtime.settings import RuntimeSettings


class ImagingSettings(RuntimeSettings):
    """Settings of the imaging service."""

    slots: PositiveInt = Field(default_factory=lambda: os.cpu_count() or 1)  # pool processes
    render_timeout: PositiveFloat = 60.0  # seconds a variant of a job may take
    job_attempts: PositiveInt = 3  # times a variant is tried until it is given up
    retry_base: PositiveFloat = 1.0  # seconds; the first retry comes after less than this
    retry_cap: PositiveFloat = 60.0  # seconds; no retry comes later than this
    process_memory: PositiveInt = 4096  # MiB of address space a pool process may have
    fonts: Path | None = None  # a directory; a text may name the fonts in it
    max_megapixels: PositiveInt = 100  # a frame
    max_buffered_megapixels: PositiveInt = 50  # a WebP, an AVIF or a HEIF; a JPEG XL half of it
    max_blank_megapixels: PositiveInt = 24  # what has less than a byte for 250 pixels
    max_total_megapixels: PositiveInt = 200  # all frames
    max_frames: PositiveInt = 500

    def __reduce__(self) -> tuple[object, ...]:
        """Pickled once, and made of that once in a process, as they go along with each render."""
        return _settings, (_pickled(self),)


@cache
def _pickled(settings: ImagingSettings) -> bytes:
    return pickle.dumps((settings.__class__, settings.__getstate__()))


@cache
def _settings(pickled: bytes) -> ImagingSettings:
    kind, state = pickle.loads(pickled)
    settings: ImagingSettings = kind.__new__(kind)
    settings.__setstate__(state)
    return settings
