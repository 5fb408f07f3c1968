"""How much an image may hold: judged by its header, before a pixel is decoded or made."""

from dataclasses import dataclass

from contracts.errors import ImageTooBig
from contracts.fields import MAX_SIDE


@dataclass(frozen=True)
class Limits:
    """What is accepted and what is made; past it, `ImageTooBig`."""

    frame_pixels: int = 100_000_000
    frames: int = 500
    total_pixels: int = 200_000_000  # of all frames together
    result_side: int = MAX_SIDE
    result_pixels: int = 100_000_000

    def check_source(self, width: int, height: int, frames: int) -> None:
        """Refuse a source by what its header claims."""
        if width * height > self.frame_pixels:
            raise ImageTooBig(
                f"The image is {width} x {height}; {self.frame_pixels:,} pixels are accepted."
            )
        if frames > self.frames:
            raise ImageTooBig(f"The image has more than {self.frames} frames.")
        if width * height * frames > self.total_pixels:
            raise ImageTooBig(
                f"The image is {frames} frames of {width} x {height}; "
                f"{self.total_pixels:,} pixels are accepted in all."
            )

    def check_result(self, width: int, height: int) -> None:
        """Refuse to make an image of this size."""
        if max(width, height) > self.result_side or width * height > self.result_pixels:
            raise ImageTooBig(
                f"The result would be {width} x {height}; at most {self.result_side:,} pixels "
                f"a side and {self.result_pixels:,} in all are made."
            )


DEFAULT_LIMITS = Limits()
