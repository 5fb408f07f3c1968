"""What an imaging process is told from outside."""

import os

from pydantic import Field, PositiveFloat, PositiveInt

from services.runtime.settings import RuntimeSettings


class ImagingSettings(RuntimeSettings):
    """Settings of the imaging service."""

    slots: PositiveInt = Field(default_factory=lambda: os.cpu_count() or 1)  # pool processes
    render_timeout: PositiveFloat = 60.0  # seconds a variant of a job may take
    job_attempts: PositiveInt = 3  # after so many workers died of it, a job is given up
    process_memory: PositiveInt = 4096  # MiB of address space a pool process may have
    max_megapixels: PositiveInt = 100  # a frame
    max_total_megapixels: PositiveInt = 200  # all frames
    max_frames: PositiveInt = 500
