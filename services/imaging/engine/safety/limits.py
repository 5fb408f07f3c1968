"""How much an image may hold: judged by its header, before a pixel is decoded or made."""

from dataclasses import dataclass

from contracts.errors import ImageTooBig
from contracts.fields import MAX_SIDE
from contracts.formats import Format

# Measured of white pages: 350 pixels a byte as a PNG, 20,000 as a WebP; a photograph has 100 at
# the lowest quality, a scanned page of text in colour as many.
_PIXELS_A_BYTE = 250


@dataclass(frozen=True)
class Limits:
    """What is accepted and what is made; past it, `ImageTooBig`."""

    source_side: int = 65_535
    frame_pixels: int = 100_000_000
    buffered_pixels: int = 50_000_000  # of a WebP, an AVIF or a HEIF; half of that of a JPEG XL
    blank_pixels: int = 24_000_000  # of what is next to nothing as a file
    frames: int = 500
    total_pixels: int = 200_000_000  # of all frames together
    result_side: int = MAX_SIDE
    result_pixels: int = 100_000_000

    def check_source(self, width: int, height: int, frames: int) -> None:
        """Refuse a source by what its header claims."""
        if max(width, height) > self.source_side:
            raise ImageTooBig(
                f"The image is {width} x {height}; {self.source_side:,} pixels a side are accepted."
            )
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

    def check_file(self, format: Format, mode: str, pixels: int, stored: int) -> None:
        """Refuse what takes far more to decode than to send.

        `pixels` are those of a frame in `mode`, `stored` the bytes of the file.
        """
        if copies := format.spec.decoder_copies:
            # 7 bytes a pixel and more; a WebP takes 15. A JPEG XL of 22 million pixels takes 1 s.
            most = self.buffered_pixels // copies
            if pixels > most:
                raise ImageTooBig(
                    f"The image has {pixels:,} pixels; {most:,} of a {format} are accepted."
                )
        elif mode in ("1", "L"):
            # Documents, whose empty pages cost no more than they seem to.
            return
        if pixels > self.blank_pixels and pixels > stored * _PIXELS_A_BYTE:
            raise ImageTooBig(
                f"The image has {pixels:,} pixels in {stored:,} bytes; of what has less than a "
                f"byte for {_PIXELS_A_BYTE} pixels, {self.blank_pixels:,} are accepted."
            )

    def check_result(self, width: int, height: int) -> None:
        """Refuse to make an image of this size."""
        if max(width, height) > self.result_side or width * height > self.result_pixels:
            raise ImageTooBig(
                f"The result would be {width} x {height}; at most {self.result_side:,} pixels "
                f"a side and {self.result_pixels:,} in all are made."
            )


DEFAULT_LIMITS = Limits()
