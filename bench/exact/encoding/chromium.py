"""Chromium as a reader of what Darkroom writes: stills, and animations by its ImageDecoder."""

import base64
import itertools
from collections.abc import Iterator

from bench.exact.chromium import chromium_page
from bench.exact.decoding.chromium import seen_by_chromium
from bench.exact.encoding.animations import Film, described, films
from bench.exact.encoding.renditions import cases, installed, renditions
from bench.exact.judges import Case, Judge
from bench.exact.needs import CHROMIUM
from contracts.formats import Format

_FORMATS = (Format.JPEG, Format.PNG, Format.WEBP, Format.AVIF, Format.GIF, Format.JXL)
_ANIMATED = (Format.GIF, Format.PNG, Format.WEBP, Format.AVIF)

# The count of an ImageDecoder is that of repetitions: a film without them is played once.
_DESCRIBE = """async ([data, type]) => {
  const decoder = new ImageDecoder({ data: Uint8Array.fromBase64(data), type });
  await decoder.tracks.ready;
  await decoder.completed;
  const track = decoder.tracks.selectedTrack;
  const durations = [];
  for (let frameIndex = 0; frameIndex < track.frameCount; frameIndex++) {
    const { image } = await decoder.decode({ frameIndex });
    durations.push(image.duration / 1000);
    image.close();
  }
  const repetitions = track.repetitionCount;
  return [durations, repetitions === Infinity ? 0 : repetitions + 1];
}"""


def _pixels() -> Iterator[Case]:
    written = list(renditions(*installed(*_FORMATS)))
    seen = seen_by_chromium([(one.name, one.data) for one in written])
    return cases(written, seen, by_alpha=True)


def _films() -> Iterator[Case]:
    with chromium_page() as page:
        for film in films(*_ANIMATED):
            media_type = next(
                format.spec.media_type for format in Format if format.spec.matches(film.data)
            )
            data = base64.b64encode(film.data).decode()
            durations, plays = page.evaluate(_DESCRIBE, [data, media_type])
            found = Film(film.name, film.data, tuple(map(float, durations)), plays)
            yield Case(film.name, described(film, found, len(durations)))


JUDGES = (
    Judge(
        "Chromium as reader",
        "results and their frames, read by Chromium",
        run=lambda: itertools.chain(_pixels(), _films()),
        needs=(CHROMIUM,),
    ),
)
