"""Chromium's ImageDecoder as the judge of animations: their frames, durations and loop counts."""

import base64
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from PIL import Image

from bench.exact.chromium import chromium_page
from bench.exact.decoding.pixels import Tolerance, premultiplied
from bench.exact.judges import Case, Judge
from bench.exact.needs import CHROMIUM
from bench.exact.pictures.animations import animations
from bench.exact.pictures.scene import Picture
from contracts.errors import ServiceError
from contracts.formats import Format, format_of_bytes
from services.imaging.engine.decoding import decode
from services.imaging.engine.decoding.source import open_source
from services.imaging.engine.safety.limits import DEFAULT_LIMITS

_QUICK = 9
_TOLERANCES = {Format.AVIF: Tolerance(most=4, mean=0.5)}
_COMPOSED = Tolerance(most=2, mean=0.5)  # each frame is rounded, and drawn over rounded ones

_DECODE = """async ([data, type]) => {
  const decoder = new ImageDecoder({
    data: Uint8Array.fromBase64(data), type, premultiplyAlpha: "none", preferAnimation: true,
  });
  const frames = [];
  try {
    await decoder.tracks.ready;
    await decoder.completed;
    const track = decoder.tracks.selectedTrack;
    for (let frameIndex = 0; frameIndex === 0 || frameIndex < track.frameCount; frameIndex++) {
      const { image } = await decoder.decode({ frameIndex });
      const pixels = new Uint8Array(image.allocationSize({ format: "RGBA" }));
      await image.copyTo(pixels, { format: "RGBA" });
      const { width, height } = image.visibleRect;
      frames.push([width, height, image.duration ?? 0, pixels.toBase64()]);
      image.close();
    }
    return { frames, repeats: track.repetitionCount === Infinity ? -1 : track.repetitionCount };
  } catch (error) {
    return { error: error.message };
  } finally {
    decoder.close();
  }
}"""


@dataclass(frozen=True)
class Shown:
    """An animation as a decoder shows it."""

    frames: list[tuple[Image.Image, float]]  # in RGBA, with milliseconds
    plays: int  # 0 is for ever


Seen = Shown | str
"""An animation that a decoder shows, or the reason why it shows none."""


def seen_by_chromium(pictures: Iterable[Picture]) -> Iterator[Seen]:
    """Yield how Chromium shows each file."""
    with chromium_page() as page:
        for _, data in pictures:
            format = format_of_bytes(data)
            assert format
            answer = page.evaluate(
                _DECODE, [base64.b64encode(data).decode(), format.spec.media_type]
            )
            yield answer["error"] if "error" in answer else _shown(answer)


def seen_by_darkroom(data: bytes) -> Seen:
    """Return how Darkroom decodes a file."""
    try:
        source = open_source(data, DEFAULT_LIMITS)
        frames = [decode.decode_frame(source, number) for number in range(source.frames)]
    except ServiceError as exc:
        return exc.detail
    return Shown([(one.image.convert("RGBA"), one.duration) for one in frames], source.plays)


def _shown(answer: Mapping[str, Any]) -> Shown:
    frames = [
        (Image.frombytes("RGBA", (width, height), base64.b64decode(pixels)), microseconds / 1000)
        for width, height, microseconds, pixels in answer["frames"]
    ]
    return Shown(frames, answer["repeats"] + 1)


def _difference(ours: Seen, theirs: Seen, tolerance: Tolerance) -> str | None:
    match ours, theirs:
        case str(), Shown():
            return f"refused: {ours}"
        case Shown(), str():
            return f"read, and refused by the judge: {theirs[:100]}"
        case Shown(), Shown():
            return _difference_of_frames(ours, theirs, tolerance)
    return None  # both refuse it


def _difference_of_frames(ours: Shown, theirs: Shown, tolerance: Tolerance) -> str | None:
    if len(ours.frames) != len(theirs.frames):
        return f"{len(ours.frames)} frames, and not {len(theirs.frames)}"
    is_animated = len(ours.frames) > 1
    if is_animated and ours.plays != theirs.plays:
        return f"played {ours.plays} times, and not {theirs.plays} (0: for ever)"
    for number, (one, other) in enumerate(zip(ours.frames, theirs.frames, strict=True), start=1):
        if is_animated and abs(one[1] - other[1]) > 1:
            return f"frame {number} lasts {one[1]} ms, and not {other[1]}"
        # Chromium blends premultiplied colours.
        pair = premultiplied(one[0]), premultiplied(other[0])
        if difference := tolerance.difference(*pair):
            return f"frame {number}: {difference}"
    return None


def _cases(*, quick: bool = False) -> Iterator[Case]:
    pictures = list(animations())[:: _QUICK if quick else 1]
    for (name, data), theirs in zip(pictures, seen_by_chromium(pictures), strict=True):
        format = format_of_bytes(data)
        tolerance = _TOLERANCES.get(format, _COMPOSED) if format else _COMPOSED
        ours = seen_by_darkroom(data)
        yield Case(name, _difference(ours, theirs, tolerance), refused=isinstance(ours, str))


JUDGES = (
    Judge(
        "Chromium animations",
        "the frames, durations and loop counts of animations, by Chromium's ImageDecoder",
        run=_cases,
        quick=lambda: _cases(quick=True),
        needs=(CHROMIUM,),
    ),
)
