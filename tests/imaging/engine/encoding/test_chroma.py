"""Chroma subsampling has the resolution asked for, in every format that has a choice."""

import pytest
from PIL import Image

from contracts.formats import Format
from contracts.operations.pipeline import Pipeline
from contracts.outputs import Chroma, Output
from services.imaging.engine import pipeline
from tests.imaging.pictures import decoded, encoded, pixel

RED, BLUE = (200, 40, 40), (40, 40, 200)


def stripes(*, across: bool) -> Image.Image:
    """Columns (across) or rows of one pixel, red and blue in turn."""
    pair = Image.new("RGB", (2, 1) if across else (1, 2), RED)
    pair.putpixel((1, 0) if across else (0, 1), BLUE)
    stripes = Image.new("RGB", (64, 64))
    for x in range(0, 64, pair.width):
        for y in range(0, 64, pair.height):
            stripes.paste(pair, (x, y))
    return stripes


def contrast(chroma: Chroma | None, format: Format, *, across: bool) -> int:
    """The difference of red in neighbouring stripes of a result; 160 in the source."""
    output = Output(format=format, chroma=chroma, quality=95)
    source = encoded(stripes(across=across), "PNG")
    result = decoded(pipeline.run(source, Pipeline(output=output)).data)
    one, other = pixel(result, 32, 32), pixel(result, *((33, 32) if across else (32, 33)))
    return one[0] - other[0]


@pytest.mark.parametrize("format", [Format.JPEG, Format.AVIF, Format.HEIF])
@pytest.mark.parametrize(
    ("chroma", "columns", "rows"),
    [
        (Chroma.FULL, True, True),
        (Chroma.HALF, False, True),
        (Chroma.QUARTER, False, False),
        (None, False, False),
    ],
)
def test_chroma_has_the_resolution_asked_for(
    format: Format, chroma: Chroma | None, *, columns: bool, rows: bool
) -> None:
    if format is Format.HEIF:
        pytest.importorskip("pillow_heif")

    for across, kept in ((True, columns), (False, rows)):
        found = contrast(chroma, format, across=across)
        assert found > 120 if kept else found < 60
