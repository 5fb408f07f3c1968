"""Settings of the imaging service, from environment variables."""

import os
from pathlib import Path
from typing import Annotated

from pydantic import Field

from services.runtime.settings import Attempts, Bytes, RuntimeSettings, Seconds, count_of

Megapixels = Annotated[int, count_of("megapixels")]


def number_of_processors() -> int:
    """Return the number of processors that the system reports, or 1 if it reports none."""
    return os.cpu_count() or 1


class ImagingSettings(RuntimeSettings):
    """Settings of an imaging process. `DARKROOM_SLOTS=4` sets `slots`, and so on."""

    slots: Annotated[int, count_of("processes")] = Field(
        default_factory=number_of_processors,
        description="Pool processes: renders that a service does at once.",
    )
    render_timeout: Seconds = Field(
        default=60.0,
        description="Time limit of one render or inspection. The pool process is killed after it.",
    )
    heavy_seconds: Seconds = Field(
        default=5.0,
        description="Estimated time of a render above which it is heavy. Heavy renders leave one"
        " slot of each worker to short ones; a worker with one slot does them when no short one"
        " waits.",
    )
    heavy_waiting: Annotated[int, count_of("renders")] = Field(
        default=8,
        description="Heavy renders of waiting clients that may wait for a slot of a worker. Further"
        " ones are refused.",
    )
    job_attempts: Attempts = Field(
        default=3, description="Attempts at a variant of a job before it fails."
    )
    retry_base: Seconds = Field(
        default=1.0,
        description="Maximum delay of the first retry. The maximum doubles with each retry.",
    )
    retry_cap: Seconds = Field(default=60.0, description="Maximum delay of every retry.")
    process_memory: Annotated[int, count_of("MiB")] = Field(
        default=4096, description="Maximum address space of a pool process."
    )
    process_max_resident: Annotated[int, count_of("MiB")] = Field(
        default=1024,
        description="Memory that a pool process may hold between two renders. A process that holds"
        " more is replaced.",
    )
    process_max_calls: Annotated[int, count_of("calls")] = Field(
        default=50_000,
        description="Calls after which a pool process is replaced. A call is a render, an"
        " inspection, up to four short renders for clients, or up to eight of jobs.",
    )
    fonts: Path | None = Field(
        default=None,
        description="Folder of the fonts that a `text` operation may name, with its subfolders."
        " A font's name is its file's name without the suffix.",
    )
    max_megapixels: Megapixels = Field(default=100, description="Maximum size of one frame.")
    max_buffered_megapixels: Megapixels = Field(
        default=50,
        description="Maximum size of a frame in WebP, AVIF or HEIF, whose decoders keep copies. A"
        " JPEG XL may have half as many.",
    )
    max_blank_megapixels: Megapixels = Field(
        default=24,
        description="Maximum size of a nearly blank image: one with less than a byte for 250"
        " pixels. Documents in black and white or gray may be larger.",
    )
    max_total_megapixels: Megapixels = Field(
        default=200,
        description="Maximum size of all frames of an image together, and of an image and its"
        " watermarks together.",
    )
    max_result: Bytes = Field(
        default=64 * 1024 * 1024, description="Maximum size of the file that a render makes."
    )
    max_frames: Annotated[int, count_of("frames")] = Field(
        default=500, description="Maximum number of frames of an image."
    )
