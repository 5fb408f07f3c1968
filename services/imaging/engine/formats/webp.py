"""Open a WebP, and free its decoder once the pixels of a still are decoded.

Seen in Pillow 13.0: it decodes stills by libwebp's decoder of animations, which has two canvases of
4 bytes a pixel, and keeps it as long as the image. Beside the pixels and a copy of them, a still of
24 megapixels took 366 MiB. This module can go once Pillow frees the decoder of a still.
"""

import io
from typing import Self

from PIL.WebPImagePlugin import WebPImageFile


class WebP(WebPImageFile):
    """A WebP. A still is decoded once: its decoder ends with the first load."""

    @classmethod
    def of(cls, data: bytes) -> Self:
        """Open a file. Raises what Pillow raises."""
        return cls(io.BytesIO(data))

    def _get_next(self) -> tuple[bytes, int, int]:
        frame = super()._get_next()
        if not self.is_animated:
            # Before `load` allocates the image.
            del self._decoder
        return frame
