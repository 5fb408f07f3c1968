"""Animations to test with: a square that moves to the right, in each animated format."""

from collections.abc import Sequence

from PIL import Image

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
