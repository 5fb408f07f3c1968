"""Searches for a quality find the best one in a bounded number of encodes."""

from typing import Any

import pytest
from PIL import Image

from contracts.errors import InvalidOperation
from contracts.formats import Format
from contracts.operations.pipeline import Pipeline
from contracts.outputs import Output
from services.imaging.engine import pipeline
from services.imaging.engine.decoding import decode
from services.imaging.engine.encoding import quality_search
from services.imaging.engine.encoding import result as result_module
from services.imaging.engine.encoding.encode import Encoding, encode
from services.imaging.engine.encoding.ssim import luma_of, similarity
from tests.imaging.pictures import decoded, encoded, scenery

PHOTO = scenery(600, 400)
LOSSY = [Format.JPEG, Format.WEBP, Format.AVIF]
TARGET = 0.96  # the similarity of a photograph as a JPEG of quality 75 to 80


class Counted:
    """An encoder that records the qualities it is asked for."""

    def __init__(self, format: Format = Format.JPEG, image: Image.Image = PHOTO) -> None:
        self.format = format
        self.image = image
        self.qualities: list[int] = []

    def __call__(self, quality: int) -> bytes:
        self.qualities.append(quality)
        return encode(self.image, Encoding(self.format), quality)


@pytest.mark.parametrize("format", LOSSY)
@pytest.mark.parametrize("part", [0.9, 0.5, 0.3])
def test_a_result_fits_max_bytes_and_nearly_uses_them_up(format: Format, part: float) -> None:
    counted = Counted(format)
    most = int(len(encode(PHOTO, Encoding(format), 90)) * part)
    data = quality_search.encode_within(counted, most, 90)

    assert most * 0.75 < len(data) <= most
    assert len(counted.qualities) <= 8
    assert data == encode(PHOTO, Encoding(format), max(
        quality for quality in counted.qualities
        if len(encode(PHOTO, Encoding(format), quality)) <= most
    ))  # fmt: skip


def test_a_result_that_fits_is_encoded_once() -> None:
    counted = Counted()
    quality_search.encode_within(counted, 10_000_000, 100)

    assert counted.qualities == [100]


def test_max_bytes_that_quality_1_exceeds_are_refused() -> None:
    counted = Counted()
    with pytest.raises(InvalidOperation, match=r"max_bytes: the result has .* at the lowest"):
        quality_search.encode_within(counted, 100, 100)

    assert counted.qualities[-1] == 1
    assert len(counted.qualities) <= 8


@pytest.mark.parametrize(
    "output", [Output(format=Format.PNG), Output(format=Format.WEBP, lossless=True)]
)
def test_a_lossless_result_above_max_bytes_is_refused(output: Output) -> None:
    source = encoded(PHOTO, "PNG")

    with pytest.raises(InvalidOperation, match=r"max_bytes: .* without loss"):
        pipeline.run(source, Pipeline(output=output.model_copy(update={"max_bytes": 1000})))


def test_a_search_decodes_once(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = {"decode": 0, "encode": 0}
    for module, name in ((decode, "decode"), (result_module, "encode")):
        plain = getattr(module, name)

        def counted(*args: Any, plain: Any = plain, name: str = name) -> object:
            calls[name] += 1
            return plain(*args)

        monkeypatch.setattr(module, name, counted)
    output = Output(format=Format.JPEG, max_bytes=9_000)
    picture = pipeline.run(encoded(PHOTO, "PNG"), Pipeline(output=output))

    assert len(picture.data) <= 9_000
    assert calls["decode"] == 1
    assert 1 < calls["encode"] <= 8


@pytest.mark.parametrize("format", LOSSY)
def test_automatic_quality_is_the_lowest_with_the_target_similarity(format: Format) -> None:
    # Small, so that a loss of quality shows.
    image = PHOTO.reduce(4)
    counted = Counted(format, image)
    found = quality_search.lowest_good_quality(image, counted)
    calls = len(counted.qualities)

    def similarity_at(quality: int) -> float:
        return similarity(luma_of(image), luma_of(decoded(counted(quality))))

    assert calls <= 5
    assert 40 < found < 95
    assert similarity_at(found) >= TARGET > similarity_at(found - 3)


def test_max_bytes_lower_the_automatic_quality() -> None:
    output = Output(format=Format.WEBP, quality="auto", max_bytes=6_000)

    assert len(pipeline.run(encoded(PHOTO, "PNG"), Pipeline(output=output)).data) <= 6_000


def test_similarity_is_1_for_equal_images_and_falls_with_detail_lost() -> None:
    same = similarity(luma_of(PHOTO), luma_of(PHOTO))
    blurred = similarity(luma_of(PHOTO), luma_of(PHOTO.reduce(4).resize(PHOTO.size)))
    other = similarity(luma_of(PHOTO), luma_of(PHOTO.transpose(Image.Transpose.ROTATE_180)))

    assert same == pytest.approx(1)
    assert same > blurred > other


def test_similarity_ignores_the_colour_of_transparent_pixels() -> None:
    one, other = (Image.new("RGBA", (40, 40), (shade, shade, shade, 0)) for shade in (0, 200))

    assert similarity(luma_of(one), luma_of(other)) == pytest.approx(1)


@pytest.mark.parametrize("size", [(1, 1), (3, 500), (8, 8), (2500, 40)])
def test_similarity_is_defined_for_any_size(size: tuple[int, int]) -> None:
    image = Image.new("RGB", size, "red")

    assert similarity(luma_of(image), luma_of(image)) == pytest.approx(1)
