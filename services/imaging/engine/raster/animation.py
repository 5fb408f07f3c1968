"""An animation on its way to an encoder: its frames are drawn one at a time, when asked for."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Self

from PIL import Image


@dataclass(frozen=True)
class Frame:
    """One image of an animation."""

    image: Image.Image
    duration: int  # milliseconds
    profile: bytes = b""  # what its numbers mean, unless that is sRGB


class Animation(Image.Image):
    """What Pillow's encoders take for an animated image, with one frame of it in memory.

    Every frame has the size and the mode of the first.
    """

    is_animated = True

    def __init__(self, draw: Callable[[int], Frame], frames: int, plays: int) -> None:
        """`draw` gives a frame by its number, and raises what is wrong with it; `plays` is how
        often the animation is played, 0 for ever.
        """
        super().__init__()
        self.n_frames = frames
        self.plays = plays
        self.durations = [0] * frames
        """Milliseconds a frame; each is filled in when its frame is drawn."""
        self._draw = draw
        self._first = draw(0)
        self._at = 0
        self._show(self._first)

    @property
    def first_frame(self) -> Image.Image:
        """The frame that stands for all of them."""
        return self._first.image

    def map_frames(self, change: Callable[[Frame], Frame]) -> Self:
        """The film with every frame changed, as it is drawn."""

        def draw(number: int) -> Frame:
            return change(self._first if number == 0 else self._draw(number))

        return type(self)(draw, self.n_frames, self.plays)

    def cached(self) -> Self:
        """The film with every frame kept once it is drawn, for who needs them again and again."""
        return type(self)(cache(self._draw), self.n_frames, self.plays)

    def seek(self, frame: int) -> None:
        """Draw a frame, unless it is the one that is seen."""
        if not 0 <= frame < self.n_frames:
            raise EOFError
        if frame != self._at:
            self._at = frame
            self._show(self._first if frame == 0 else self._draw(frame))

    def tell(self) -> int:
        """The number of the frame that is seen."""
        return self._at

    def _show(self, frame: Frame) -> None:
        self.im = frame.image.im
        self._mode = frame.image.mode
        self._size = frame.image.size
        self.palette = frame.image.palette
        self.info = dict(frame.image.info)
        self.readonly = 0
        self.durations[self._at] = frame.duration
