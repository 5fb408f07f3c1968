"""Open a TIFF: Pillow reads the usual kinds of samples, `samples.py` others."""

import io
import math
from typing import Any, Self

from PIL.TiffImagePlugin import TiffImageFile

from services.imaging.engine.formats.tiff import samples
from services.imaging.engine.formats.tiff.kinds import Kind, number

_WIDTH, _HEIGHT, _PROFILE = 256, 257, 34_675


class Tiff(TiffImageFile):
    """A TIFF as it is stored: `load` does not turn it, as Pillow 13.0 does.

    Opening and seeking raise UnsupportedFormat for a kind that is not read.
    """

    _kind: Kind | None = None  # of the samples that `samples.py` reads

    @classmethod
    def of(cls, data: bytes) -> Self:
        """Open a file. Raises UnsupportedFormat, and what Pillow raises."""
        return cls(io.BytesIO(data))

    @property
    def deep_samples(self) -> int:
        """The number of samples that take more memory, until they are scaled to 8 bits.

        All tiles are decoded whole. Raises ImageUnreadable.
        """
        if not self._kind:
            return 0
        return math.prod(samples.decoded_size(self.tag_v2, self.size)) * self._kind.used

    def _setup(self) -> None:
        kind = Kind.of(self.tag_v2)
        if kind.is_read_by_pillow:
            self._kind = None
            super()._setup()
            self._size = self._tile_size
            return
        self._kind = kind
        assert kind.modes is not None
        self._mode = kind.modes[0]
        self._size = self._tile_size = number(self.tag_v2, _WIDTH), number(self.tag_v2, _HEIGHT)
        self.tile, self.palette, self._im = [], None, None
        if _PROFILE in self.tag_v2:
            self.info["icc_profile"] = self.tag_v2[_PROFILE]

    def load(self) -> Any:
        """Decode the pixels."""
        if self._kind and self._im is None:
            assert isinstance(self._fp, io.BytesIO)
            self.im = samples.read(self._fp.getvalue(), self.tag_v2, self._kind).im
        return super().load()

    def load_end(self) -> None:
        """Do nothing: the engine turns images of every format."""
