"""The undamaged files: every format that is read, in its variants."""

from PIL import Image
from PIL.ExifTags import Base
from PIL.PngImagePlugin import PngInfo

from services.imaging.engine.formats.avif import loops as avif_loops
from tests.imaging.coloured import (
    DISPLAY_P3,
    chrm,
    cicp,
    clli,
    gama,
    png_with,
    with_code_points,
    with_profile_code_points,
)
from tests.imaging.pictures import SRGB, encoded, exif_of, scenery


def corpus() -> dict[str, bytes]:
    """Return the undamaged files by name."""
    picture = scenery(48, 36)
    alpha = picture.copy()
    alpha.putalpha(Image.linear_gradient("L").resize(picture.size))
    table = picture.quantize(16)
    deep = Image.radial_gradient("L").resize(picture.size).convert("I").convert("I;16")
    others = [picture.rotate(angle) for angle in (90, 180)]
    transparent = [alpha, alpha.rotate(180), alpha.rotate(90)]
    moving = {"save_all": True, "append_images": others, "duration": [40, 80, 120], "loop": 2}
    notes = {"exif": exif_of(6).tobytes(), "icc_profile": SRGB}
    # More than the segments of a JPEG hold.
    long = exif_of(6)
    long[Base.Copyright], long[Base.ImageDescription] = "c" * 40_000, "d" * 70_000
    packet = PngInfo()
    packet.add_itxt("XML:com.adobe.xmp", "<a>" + "x" * 70_000 + "</a>")
    files = {
        "jpeg": encoded(picture, "JPEG"),
        "jpeg progressive": encoded(picture, "JPEG", progressive=True, quality=95),
        "jpeg gray": encoded(picture.convert("L"), "JPEG"),
        "jpeg cmyk": encoded(picture.convert("CMYK"), "JPEG"),
        "jpeg notes": encoded(picture, "JPEG", **notes, xmp=b"<x:xmpmeta/>", comment=b"words"),
        "mpo": encoded(picture, "MPO", save_all=True, append_images=others),
        "png": encoded(picture, "PNG", **notes),
        "png long notes": encoded(picture, "PNG", exif=long, pnginfo=packet),
        "webp long notes": encoded(picture, "WEBP", exif=long, xmp=b"x" * 70_000),
        "png palette": encoded(table, "PNG", transparency=3),
        "png one bit": encoded(picture.convert("1"), "PNG"),
        "png gray and alpha": encoded(alpha.convert("LA"), "PNG"),
        "png 16 bits": encoded(deep, "PNG"),
        "png code points": png_with(picture, cicp(9, 16), clli(600), gama(1), chrm(*DISPLAY_P3)),
        "png gamma": png_with(picture, gama(1), chrm(*DISPLAY_P3)),
        "png profile with code points": encoded(
            picture, "PNG", icc_profile=with_profile_code_points(SRGB, 9, 18)
        ),
        "png moving": encoded(picture, "PNG", **moving),
        "png moving alpha": encoded(
            transparent[0], "PNG", save_all=True, append_images=transparent[1:], disposal=1, blend=1
        ),
        "webp": encoded(picture, "WEBP", quality=70, **notes),
        "webp alpha": encoded(alpha, "WEBP", quality=70),
        "webp lossless": encoded(alpha, "WEBP", lossless=True),
        "webp moving": encoded(picture, "WEBP", **moving),
        "avif": encoded(picture, "AVIF", speed=10, **notes),
        "avif code points": with_code_points(encoded(picture, "AVIF", speed=10), 9, 16),
        "avif alpha": encoded(alpha, "AVIF", speed=10),
        # Without the time of encoding, so that a case has the same bytes each time.
        "avif moving": avif_loops.finished(encoded(picture, "AVIF", speed=10, **moving), plays=2),
        "gif": encoded(table, "GIF", transparency=2),
        "gif moving": encoded(picture, "GIF", disposal=2, **moving),
        "gif moving alpha": encoded(alpha, "GIF", save_all=True, append_images=transparent[1:]),
        "tiff": encoded(picture, "TIFF", **notes),
        "tiff palette": encoded(table, "TIFF"),
        "tiff 16 bits": encoded(deep, "TIFF"),
        "tiff cmyk": encoded(picture.convert("CMYK"), "TIFF"),
        "tiff float": encoded(picture.convert("F"), "TIFF"),
        # Copies: an image saved as a JPEG keeps its encoder's settings, which TIFF would use.
        "tiff pages": encoded(
            picture.copy(), "TIFF", save_all=True, append_images=[one.copy() for one in others]
        ),
        "tiff group4": encoded(picture.convert("1"), "TIFF", compression="group4"),
    }
    for compression in ("lzw", "adobe_deflate", "jpeg"):
        files[f"tiff {compression}"] = encoded(picture, "TIFF", compression=f"tiff_{compression}")
    for compression in ("packbits", "lzma", "zstd"):
        files[f"tiff {compression}"] = encoded(picture, "TIFF", compression=compression)
    for name, format in (("heif", "HEIF"), ("jxl", "JXL")):
        if format in Image.SAVE:
            files[name] = encoded(picture, format, **notes)
            files[f"{name} alpha"] = encoded(alpha, format)
    return files
