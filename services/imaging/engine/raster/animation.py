"""The frames of an animation, produced one at a time: the form that encoders take."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Self

from PIL import Image


@dataclass(frozen=True)
class Frame:
    """One frame of an animation."""

    image: Image.Image
    duration: int  # milliseconds
    profile: bytes = b""  # ICC profile of the samples; empty for sRGB


class Animation(Image.Image):
    """An animated image for Pillow's encoders that holds the current frame and the first.

    Every frame has the size and the mode of the first.
    """

    is_animated = True

    def __init__(self, make_frame: Callable[[int], Frame], frames: int, plays: int) -> None:
        """`make_frame` returns the frame of a number from 0 to `frames` - 1, or raises.

        `plays` is how often a viewer plays the animation; 0 is for ever. The first frame is made
        at once.
        """
        super().__init__()
        self.n_frames = frames
        self.plays = plays
        self.durations = [0] * frames
        """Milliseconds per frame; each is 0 until its frame is made."""
        self._make_frame = make_frame
        self._first = make_frame(0)
        self._current = 0
        self._show(self._first)

    @property
    def first_frame(self) -> Image.Image:
        """The image of the first frame."""
        return self._first.image

    def map_frames(self, change: Callable[[Frame], Frame]) -> Self:
        """An animation that applies `change` to each frame as the frame is made."""

        def make_changed(number: int) -> Frame:
            return change(self._first if number == 0 else self._make_frame(number))

        return type(self)(make_changed, self.n_frames, self.plays)

    def cached(self) -> Self:
        """An animation that keeps every frame in memory, for encoders that read frames again."""
        return type(self)(cache(self._make_frame), self.n_frames, self.plays)

    def seek(self, frame: int) -> None:
        """Make this frame the current one. Raises EOFError past either end, as Pillow expects."""
        if not 0 <= frame < self.n_frames:
            raise EOFError
        if frame != self._current:
            self._current = frame
            self._show(self._first if frame == 0 else self._make_frame(frame))

    def tell(self) -> int:
        """The number of the current frame."""
        return self._current

    def _show(self, frame: Frame) -> None:
        self.im = frame.image.im
        self._mode = frame.image.mode
        self._size = frame.image.size
        self.palette = frame.image.palette
        self.info = dict(frame.image.info)
        self.readonly = 0
        self.durations[self._current] = frame.duration
