"""Animations to test with: a square that moves to the right, in each animated format."""

from collections.abc import Sequence

from PIL import Image

from services.imaging.engine.formats.gif.frames import table_bytes
from tests.imaging.pictures import encoded

ANIMATED_FORMATS = ("GIF", "PNG", "WEBP", "AVIF")
DURATIONS = [40, 200, 500, 80]  # milliseconds


def moving_square(width: int = 64, height: int = 48, mode: str = "RGB") -> list[Image.Image]:
    """One frame per duration, on a green background; transparent in RGBA."""
    frames = []
    for step in range(len(DURATIONS)):
        background = (0, 0, 0, 0) if mode == "RGBA" else (20, 90, 20)
        frame = Image.new(mode, (width, height), background)
        left = 4 + step * 12
        frame.paste((250, 40, 40, 255)[: len(mode)], (left, 8, left + 10, 18))
        frames.append(frame)
    return frames


def animation(format: str, frames: Sequence[Image.Image], **options: object) -> bytes:
    """Encode the frames for ever with DURATIONS; `options` are those of Pillow's save()."""
    fine = {"quality": 100} if format in ("WEBP", "AVIF") else {}
    first, *others = frames
    return encoded(
        first, format, save_all=True, append_images=others,
        **{"duration": DURATIONS, "loop": 0, **fine, **options},
    )  # fmt: skip


def without_frame(gif: bytes, number: int) -> bytes:
    """Return a GIF in which the frame of a number, from 0, has no pixel data."""
    at, seen = 13 + table_bytes(gif[10]), -1
    while True:
        is_frame = gif[at : at + 1] == b","
        blocks = at + 11 + table_bytes(gif[at + 9]) if is_frame else at + 2
        end = blocks
        while gif[end]:
            end += 1 + gif[end]
        seen += is_frame
        if is_frame and seen == number:
            return gif[:blocks] + gif[end:]
        at = end + 1
