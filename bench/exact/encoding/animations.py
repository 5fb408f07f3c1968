"""Animations that Darkroom writes: how many frames, how long each is shown, how often all are."""

from collections.abc import Iterator
from dataclasses import dataclass

from contracts.formats import Format
from contracts.operations.notation import parse_pipeline
from services.imaging.engine import pipeline
from tests.imaging.animations import DURATIONS, animation, moving_square


@dataclass(frozen=True)
class Film:
    """An animation: milliseconds of each frame, and the number of plays (0 for ever)."""

    name: str
    data: bytes
    durations: tuple[float, ...]
    plays: int


def films(*formats: Format) -> Iterator[Film]:
    """Yield an animation in each format, opaque and not, for each number of plays."""
    for format in formats:
        for mode in ("RGB", "RGBA"):
            for plays in (0, 1, 2, 5):
                source = animation("WEBP", moving_square(mode=mode), loop=plays, lossless=True)
                data = pipeline.run(source, parse_pipeline([], format=format)).data
                name = f"{format} of {mode} frames, {plays or 'endless'} plays"
                yield Film(name, data, tuple(map(float, DURATIONS)), plays)


def described(due: Film, found: Film, frames: int) -> str | None:
    """Describe how an animation differs from the one that is due; None if it doesn't."""
    if frames != len(due.durations):
        return f"{frames} frames, and not {len(due.durations)}"
    if found.durations != due.durations:
        return f"durations of {found.durations}, and not {due.durations}"
    if found.plays != due.plays:
        return f"played {found.plays} times, and not {due.plays}"
    return None
