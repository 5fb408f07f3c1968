"""AVIF files whose frames are larger than their boxes say are refused before they are decoded."""

import io
from dataclasses import replace

import pytest
from PIL import Image

from contracts.errors import ImageTooBig, ImageUnreadable
from services.imaging.engine.decoding import decode
from services.imaging.engine.decoding.source import open_source
from services.imaging.engine.formats.avif.frames import check_frames
from services.imaging.engine.safety.limits import DEFAULT_LIMITS
from tests.imaging import forged
from tests.imaging.forged_avif import (
    Item,
    animation,
    avif,
    beside_tracks,
    blank,
    claiming,
    coded,
    grid,
    payload_of,
    sequence_header_of,
)
from tests.imaging.pictures import encoded, quadrants

SMALL, LARGE = (64, 64), (1500, 1200)
TILES = b"dimg", 1, (2, 3)
ALPHA_OF_FIRST = b"auxl", 2, (1,)

HONEST = {
    "a still": blank(*LARGE),
    "odd sides": blank(33, 1),
    "gray": blank(*SMALL, "L"),
    "alpha": encoded(quadrants(50, 40, "RGBA").rotate(45), "AVIF"),
    "an animation": animation(60, 40),
    "two extents": avif(coded(*SMALL)),
    "an alpha item": avif(coded(*SMALL), coded(*SMALL, alpha=True), references=(ALPHA_OF_FIRST,)),
    "a grid": avif(grid(2, 1, (1000, 600)), coded(512, 600), coded(512, 600), references=(TILES,)),
    "a grid of tiles higher than the image": avif(
        grid(2, 1, (1000, 300)), coded(512, 512), coded(512, 512), references=(TILES,)
    ),
    "an item larger than the image that is not shown": avif(coded(*SMALL), coded(*LARGE)),
}

WITH_LARGE_HEADER_LATER = Item(
    payload_of(blank(*SMALL)) + sequence_header_of(blank(*LARGE)), SMALL, config=coded(8, 8).config
)
# All tiles have the same configuration.
LARGE_TILE = replace(coded(600, 600, SMALL), config=coded(*SMALL).config)

LYING = {
    "a still": claiming(blank(*LARGE), *SMALL),
    "a still that is only wider": claiming(blank(65, 64), *SMALL),
    "alpha and colour": claiming(encoded(quadrants(*LARGE, "RGBA"), "AVIF"), *SMALL),
    "an animation": claiming(animation(600, 400), *SMALL),
    "alpha that claims less": avif(
        coded(*SMALL), coded(*LARGE, SMALL, alpha=True), references=(ALPHA_OF_FIRST,)
    ),
    "alpha that is larger than the image": avif(
        coded(*SMALL), coded(*LARGE, alpha=True), references=(ALPHA_OF_FIRST,)
    ),
    "a tile that claims less": avif(
        grid(2, 1, (128, 64)), coded(*SMALL), LARGE_TILE, references=(TILES,)
    ),
    "a tile that is much larger than the image": avif(
        grid(1, 1, SMALL), coded(*LARGE), references=((b"dimg", 1, (2,)),)
    ),
    "a grid that claims less": avif(
        grid(2, 1, (1000, 600), SMALL), coded(512, 600), coded(512, 600), references=(TILES,)
    ),
    "an image beside a track": beside_tracks(avif(coded(*LARGE, SMALL))),
    "a second sequence header": avif(WITH_LARGE_HEADER_LATER),
}


@pytest.mark.parametrize("name", HONEST)
def test_an_honest_avif_is_decoded(name: str) -> None:
    source = open_source(HONEST[name], DEFAULT_LIMITS)

    assert decode.decode_frame(source, 0).image.size == source.size


@pytest.mark.parametrize("name", LYING)
def test_an_avif_with_a_frame_larger_than_it_claims_is_refused(name: str) -> None:
    # libavif takes the file: without the check, it would decode the large frame.
    assert Image.open(io.BytesIO(LYING[name]), formats=["AVIF"]).size <= (128, 64)

    with pytest.raises(ImageUnreadable, match="The AVIF claims to be"):
        open_source(LYING[name], DEFAULT_LIMITS)


@pytest.mark.parametrize("brand", [b"avif", b"avis", b"mif1"])
def test_an_avif_in_which_no_frame_is_found_is_refused(brand: bytes) -> None:
    with pytest.raises(ImageUnreadable, match="boxes of the AVIF"):
        check_frames(forged.box(b"ftyp", brand, bytes(4)), SMALL)


def test_an_avif_of_too_many_units_is_refused() -> None:
    delimiters = Item(b"\x12\0" * 50_000, SMALL, config=coded(8, 8).config)

    with pytest.raises(ImageTooBig, match="units of AV1"):
        open_source(avif(delimiters), DEFAULT_LIMITS)


MANY = {
    "boxes": forged.with_boxes(forged.small("AVIF"), forged.box(b"free") * 20_000),
    "references": avif(
        *[coded(*SMALL)] * 2, references=tuple((b"cdsc", 1, (2,) * 2_000) for _ in range(6))
    ),
    "tracks": beside_tracks(avif(coded(*SMALL)), 11),
}


@pytest.mark.parametrize("kind", MANY)
def test_an_avif_of_too_many_parts_is_refused(kind: str) -> None:
    with pytest.raises(ImageTooBig, match="The AVIF has"):
        open_source(MANY[kind], DEFAULT_LIMITS)


@pytest.mark.parametrize("kind", [b"iinf", b"iloc", b"ipma", b"pitm"])
def test_damaged_boxes_give_a_named_error_or_an_image(kind: bytes) -> None:
    file = avif(coded(*SMALL))
    at = file.index(kind) + len(kind)
    for offset in range(24):
        for value in (0, 1, 2, 0x7F, 0xFF):
            damaged = bytearray(file)
            damaged[at + offset] = value
            try:
                assert open_source(bytes(damaged), DEFAULT_LIMITS).size == SMALL
            except (ImageUnreadable, ImageTooBig):
                continue
