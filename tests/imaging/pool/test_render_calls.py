"""Calls to a pool process that render."""

import pytest

from contracts.imaging import Blob, Render
from services.imaging.pool.messages import Image, RenderCall

IMAGES = [Image(key=f"{number:064x}", size=64 << 10, digest="0" * 64) for number in range(5)]
LARGE = IMAGES[0].model_copy(update={"size": (256 << 10) + 1})


@pytest.mark.parametrize(
    ("images", "requests", "keep_source", "joins"),
    [
        (IMAGES[:1], 1, False, True),
        (IMAGES[:4], 1, False, True),
        (IMAGES, 1, False, False),
        ([LARGE], 1, False, False),
        (IMAGES[:1], 2, False, False),
        (IMAGES[:1], 1, True, False),
    ],
)
def test_one_render_of_few_small_images_may_be_joined(
    images: list[Image], requests: int, keep_source: bool, joins: bool
) -> None:
    source = Blob(key=IMAGES[0].key, media_type="image/png", bytes=1)
    call = RenderCall(
        requests=(Render(source=source),) * requests, images=tuple(images), keep_source=keep_source
    )
    assert call.may_join == joins
