"""Settings of the imaging service, from environment variables."""

import os
import pickle
from functools import cache
from pathlib import Path

from pydantic import Field, PositiveFloat, PositiveInt

from services.runtime.settings import RuntimeSettings


class ImagingSettings(RuntimeSettings):
    """Settings of an imaging process. `DARKROOM_SLOTS=4` sets `slots`, and so on."""

    slots: PositiveInt = Field(default_factory=lambda: os.cpu_count() or 1)  # pool processes
    render_timeout: PositiveFloat = 60.0  # seconds; one render
    job_attempts: PositiveInt = 3  # times a variant is tried before it fails
    retry_base: PositiveFloat = 1.0  # seconds; the longest first delay, doubled with each retry
    retry_cap: PositiveFloat = 60.0  # seconds; the longest delay of any retry
    process_memory: PositiveInt = 4096  # MiB of address space of a pool process
    fonts: Path | None = None  # directory with the fonts that a text may name
    max_megapixels: PositiveInt = 100  # of one frame
    max_buffered_megapixels: PositiveInt = 50  # WebP, AVIF, HEIF; half as many for JPEG XL
    max_blank_megapixels: PositiveInt = 24  # images with less than one byte per 250 pixels
    max_total_megapixels: PositiveInt = 200  # of all frames together
    max_frames: PositiveInt = 500

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle once and unpickle once a process: each render has the settings as an argument."""
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
