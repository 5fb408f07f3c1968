"""Open a JPEG by segments that are known, and decode it in one piece.

Pillow 13.0 walks the segments in Python, and parses tables that only its encoder could use. In a
pool process that takes longer than its time in a loop suggests, as other code has its place in the
caches: decision 0063.
"""

import io
from typing import Any, Self

from PIL import Image, ImageFile
from PIL.JpegImagePlugin import MARKER, JpegImageFile

from services.imaging.engine.safety import jpeg_segments
from services.imaging.engine.safety.jpeg_segments import Segments

_SCAN = 0xFFDA


class Jpeg(JpegImageFile):
    """A JPEG. Of several pictures in one file, as some cameras write them, it is the first."""

    def __init__(self, segments: Segments) -> None:
        self.segments = segments
        super().__init__(io.BytesIO(segments.data))

    @classmethod
    def of(cls, data: bytes) -> Self:
        """Open a file. Raises ImageTooBig, UnsupportedFormat, and what Pillow raises."""
        return cls(jpeg_segments.read(data))

    def _open(self) -> None:
        segments = self.segments
        self.layers = self._exif_offset = 0
        self.layer, self.applist, self.icclist, self.app = [], [], [], {}
        assert self.fp is not None
        for marker, at in segments.descriptive:
            self.fp.seek(at)
            read = MARKER[marker][2]
            assert read is not None
            read(self, marker)
        if segments.end > len(segments.data):
            raise OSError("a segment is cut off")
        if segments.stop == _SCAN:
            # As Pillow: inverted inks, the convention of Adobe.
            samples = "CMYK;I" if self.mode == "CMYK" else self.mode
            self.tile = [ImageFile._Tile("jpeg", (0, 0, *self.size), 0, (samples, ""))]
        elif segments.stop:
            raise SyntaxError("the file has a marker that no JPEG has before its pixels")

    def load(self) -> Any:
        """Decode the pixels. Raises OSError.

        Pillow decodes pieces of 64 KB, and libjpeg the last bytes of each by a slower way.
        """
        if self._im is None:
            if not self.tile:
                raise OSError("the JPEG has no pixels")
            _, extents, _, arguments = self.tile.pop()
            self.load_prepare()
            decoder = Image._getdecoder(self.mode, "jpeg", arguments, self.decoderconfig)
            try:
                decoder.setimage(self.im, extents)
                consumed, error = decoder.decode(self.segments.data)
            finally:
                decoder.cleanup()
            if consumed >= 0 or error < 0:
                raise OSError("the pixels are damaged, or cut off")
            self.readonly = 0
        return Image.Image.load(self)
