"""Limits on the size of sources and results, checked before a pixel is decoded or made."""

import math
from dataclasses import dataclass

from contracts.errors import ImageTooBig
from contracts.fields import MAX_SIDE
from contracts.formats import Format

# An image with more pixels for each byte of its file is nearly blank. Measured: a white page has
# 350 as a PNG and 20,000 as a WebP; a photograph at the lowest quality has 100, and so has a page
# of text scanned in colour.
_MAX_PIXELS_A_BYTE = 250


@dataclass(frozen=True)
class Limits:
    """The largest source that is accepted and the largest result that is made.

    Each check raises ImageTooBig.
    """

    source_side: int = 65_535
    frame_pixels: int = 100_000_000
    buffered_pixels: int = 50_000_000  # for WebP, AVIF and HEIF; a JPEG XL may have half of that
    blank_pixels: int = 24_000_000  # of a nearly blank image, whose file is tiny
    frames: int = 500
    total_pixels: int = 200_000_000  # of all frames, or of a source and its watermarks
    result_side: int = MAX_SIDE
    result_pixels: int = 100_000_000
    result_bytes: int = 64 << 20  # of the file
    seconds: float = math.inf  # that a pipeline may be estimated to take

    def check_source(self, width: int, height: int, frames: int) -> None:
        """Check the size and number of frames that a source's header claims. Raises ImageTooBig."""
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

    def check_total(self, pixels: int) -> None:
        """Check the pixels of a source and of all images laid over it, before they are decoded."""
        if pixels > self.total_pixels:
            raise ImageTooBig(
                f"The image and the watermarks have {pixels:,} pixels together; "
                f"{self.total_pixels:,} are accepted in all."
            )

    def check_file(self, format: Format, mode: str, pixels: int, stored: int) -> None:
        """Check a source that may cost far more to decode than to send.

        `mode` is Pillow's mode of the image, `pixels` the number of pixels of one frame, and
        `stored` the length of the file in bytes.
        """
        if copies := format.spec.decoder_copies:
            # A copy takes 7 bytes a pixel or more; a WebP takes 15. A JPEG XL of 22 million pixels
            # takes 1 s.
            most = self.buffered_pixels // copies
            if pixels > most:
                raise ImageTooBig(
                    f"The image has {pixels:,} pixels; {most:,} of a {format} are accepted."
                )
        elif mode in ("1", "L"):
            # Documents: a blank page of one channel costs no more than any other page.
            return
        if pixels > self.blank_pixels and pixels > stored * _MAX_PIXELS_A_BYTE:
            raise ImageTooBig(
                f"The image has {pixels:,} pixels in {stored:,} bytes; with more than "
                f"{_MAX_PIXELS_A_BYTE} pixels a byte, {self.blank_pixels:,} are accepted."
            )

    def check_samples(self, samples: int, stored: int) -> None:
        """Check the samples of a TIFF that are decoded with more than 8 bits each.

        `stored` is the length of the file in bytes. Raises ImageTooBig.
        """
        nearly_blank = samples > stored * _MAX_PIXELS_A_BYTE
        most = self.blank_pixels if nearly_blank else self.frame_pixels
        if samples > most:
            raise ImageTooBig(
                f"The TIFF has {samples:,} samples of more than 8 bits, or in an unusual order, in "
                f"{stored:,} bytes; {most:,} are accepted."
            )

    def check_result(self, width: int, height: int) -> None:
        """Check the size of a result, before it is made."""
        if max(width, height) > self.result_side or width * height > self.result_pixels:
            raise ImageTooBig(
                f"The result would be {width} x {height}; at most {self.result_side:,} pixels "
                f"a side and {self.result_pixels:,} in all are made."
            )


DEFAULT_LIMITS = Limits()
