"""The settings of a pool process: limits and fonts, but no address, no password and no secret."""

from pathlib import Path
from typing import Self

from pydantic import BaseModel

from contracts.message import Message


class ChildSettings(Message):
    """The part of `ImagingSettings` that a pool process is told; the fields are described there."""

    fonts: Path | None
    process_memory: int
    max_megapixels: int
    max_buffered_megapixels: int
    max_blank_megapixels: int
    max_total_megapixels: int
    max_frames: int
    max_result: int

    @classmethod
    def of(cls, settings: BaseModel) -> Self:
        """Return this part of a service's settings."""
        return cls.model_validate(settings.model_dump(include=set(cls.model_fields)))
