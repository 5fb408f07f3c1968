"""Reference of the formats: tables from `contracts/formats.py`, and how a result gets one."""

from collections.abc import Iterable

from contracts.fields import MAX_SIDE
from contracts.formats import AUTO_FORMATS, Format, format_as_it_came
from docs.generate.markdown import table

_FIELDS = ("quality", "lossless", "progressive", "chroma", "palette")

# Soft hyphens: the longest words would make the table wider than a phone.
_HELD = ("ani\N{SOFT HYPHEN}mation", "trans\N{SOFT HYPHEN}parency", "profile", "EXIF, XMP")

_NAMED = " and ".join(f"`{format}`" for format in AUTO_FORMATS if format.spec.needs_accept)
_EXTRAS = ",".join(sorted([*(format for format in Format if format.spec.package), "simd"]))

_BEGIN = f"""# Formats

Darkroom reads and writes {len(Format)} formats. It recognises a file's format by its bytes,
whatever the file's name."""

_READ = """\
- Files in other formats are refused. If Darkroom knows the format, such as BMP, SVG or PDF, the
  error is [`unsupported_format`](../errors/unsupported_format.md), else
  [`image_unreadable`](../errors/image_unreadable.md).
- Of a JPEG or HEIF with several images, Darkroom reads the first one."""

_KEPT = """## The format of a result

The field `format` of the [output](outputs.md) names the format of the result. If `format` is left
out, the source decides:"""

_AUTO = f"""### The format `auto`

With `auto`, the result is the smallest one among the formats that the request's `Accept` prefers:

```sh
curl -sSo /tmp/house.jpg http://127.0.0.1:8000/guide/house.jpg
curl -sSo /tmp/house.auto -w '%{{content_type}}\\n' -H 'Accept: image/avif,image/webp' \\
  --data-binary @/tmp/house.jpg \\
  'http://127.0.0.1:8000/v1/render?op=resize:width=720&format=auto'
```

| `Accept` | Darkroom tries |
| --- | --- |
| names {_NAMED} | these formats, and others with the same weight |
| has `image/*` or `*/*` | `jpeg`, or `png` for few colours or transparency |
| is missing, or names other types | nothing: the image decides for a JPEG, PNG or GIF |

- `Accept` has to name {_NAMED}: many clients send `*/*` and cannot show these formats.
- If `Accept` has weights (`q=`), Darkroom tries the formats with the highest weight.
- The response has `Vary: Accept`, so that caches keep the results apart.
- In a job, [`among`](outputs.md#among) lists the formats to try. The same section says which
  formats are tried for animations, and when Darkroom compares no sizes."""

_LOST = """Without transparency, transparent pixels become white. Without animation, the first
frame of an animation becomes the result."""

_PACKAGES = f"""## Extras

Some formats need a Python package that is an extra of Darkroom. `make run` installs all extras. To
install Darkroom with them yourself, run this command in a checkout:

```console
$ .venv/bin/pip install '.[{_EXTRAS}]'
```

A worker without an extra hands requests for its format on to a running worker that has the extra
([how](../decisions/0024-a-failure-names-its-cause.md)). If there is none, a source in this format
fails with [`unsupported_format`](../errors/unsupported_format.md), and a result in this format with
[`invalid_operation`](../errors/invalid_operation.md).

The extra `simd` adds no format, but a faster resampler
([why](../decisions/0015-a-simd-resampler.md)). Its package has no wheels for Linux on ARM. Install
the same extras for all workers: with and without `simd`, the bytes of a result differ."""

_BITS = """## Eight bits a channel

Results have eight bits a channel. Darkroom reduces sources with more:

| source | reduction |
| --- | --- |
| gray of 12 or 16 bits, colours of 16 bits in separate planes | rounded to eight bits |
| other colours of 16 bits, transparent gray of 16 bits in a PNG | eight bits are cut off |
| integers of 32 bits | white is 65,535; if a sample is brighter, the largest number of the type |
| signed integers | white is the largest number of the type |
| floating-point numbers | white is 1.0; if a sample is above 16, 255; if above 255, 65,535 |

All colours of a picture share one white. Numbers below zero are black. Floating-point colours have
the curve of their ICC profile; without a profile they are sRGB, as all other samples
([why](../decisions/0034-deep-tiff.md)).

A TIFF of another kind is refused with [`unsupported_format`](../errors/unsupported_format.md), and
`detail` names the kind: CIELab of 16 bits, CMYK with transparency, colours of fewer than 8 bits,
deep colours whose differences are stored (predictor 2 of 32 bits, predictor 3 of 64 bits), raw data
of cameras, a compression such as WebP, JPEG 2000 or LERC, or BigTIFF in big-endian byte order."""

_COLOURS = """## Colours

The colours of a result are sRGB, unless the output has [`icc=keep`](outputs.md#icc). A file may
describe its colours in several ways. Darkroom takes the first one in this list that is not broken:

| source | description |
| --- | --- |
| PNG | the chunks `cICP`, `iCCP`, `sRGB`, then `gAMA` with or without `cHRM` |
| AVIF, HEIF | an ICC profile, then code points (`nclx`) |
| other formats | an ICC profile |

- Without a description, samples are sRGB. So are those of an image whose profile is broken or is
  for another kind of image. CMYK without a profile is converted by a simple formula.
- Code points are those of ITU-T H.273. An ICC profile with known code points has the colours of
  these.
- The curve of BT.709 counts as that of sRGB, since encoders write it for pictures in sRGB. In a PNG
  it is that of displays, gamma 2.4 (Rec. ITU-R BT.1886). Browsers do the same.
- A `gAMA` without `cHRM` that is within 5 % of 1/2.2 means sRGB.
- Colours outside of sRGB become the nearest value of each channel.
- Ignored are the field `ColorSpace` of EXIF, and the fields `WhitePoint`,
  `PrimaryChromaticities` and `TransferFunction` of TIFF.

Pictures with a high dynamic range (PQ and HLG, Rec. ITU-R BT.2100) are mapped to sRGB. So are
those whose ICC profile has the code points of PQ or HLG. The mapping is the reference white tone
mapping operator of SMPTE ST 2094-50, which Chromium uses:

- White is 203 cd/m² (Report ITU-R BT.2408). The peak is the brightest pixel that the file names
  (`cLLI`, `clli`), or else the peak of its mastering display (`mDCV`, `mdcv`), or else 1,000 cd/m².
- The peak becomes the white of sRGB. With a peak of 1,000 cd/m² or more, white gets half of that
  light. A curve joins both.
- The largest of red, green and blue decides how much a pixel is dimmed, so hues stay.
- HLG is first shown as on a display of 1,000 cd/m².
- Gain maps are ignored: the picture in standard range is used.

With `icc=keep`, a source that has code points or `gAMA` gets an ICC profile made from them, and its
samples do not change. Pictures with a high dynamic range become sRGB all the same."""


def pages() -> dict[str, str]:
    """Return the page of formats."""
    parts = [
        _BEGIN,
        table(["format", "media type", "suffixes"], map(_file, Format)),
        _READ,
        _KEPT,
        table(["source", "result"], ((f"`{format}`", _left_out(format)) for format in Format)),
        _AUTO,
        "## Features",
        table(["format", *_HELD], map(_held, Format)),
        *_largest_sides(),
        _LOST,
        "These fields of an output are for some formats only:",
        table(["format", "fields"], ((f"`{format}`", _fields(format)) for format in Format)),
        _PACKAGES,
        _BITS,
        _COLOURS,
    ]
    return {"reference/formats.md": "\n\n".join(parts)}


def _file(format: Format) -> tuple[str, ...]:
    spec = format.spec
    needs = f"<br>needs the extra [`{format}`](#extras)" if spec.package else ""
    suffixes = ", ".join(f"`{suffix}`" for suffix in spec.suffixes)
    return f"`{format}`", f"`{spec.media_type}`{needs}", suffixes


def _left_out(format: Format) -> str:
    opaque, other = (format_as_it_came(format, transparent=t) for t in (False, True))
    still = f"`{opaque}`"
    if other is not opaque:
        still += f"; `{other}` if it is transparent or has to be `lossless`"
    if format.spec.animated and opaque is not format:
        return f"{still}; an animation: `{format}`"
    return still


def _held(format: Format) -> tuple[str, ...]:
    spec = format.spec
    held = (spec.animated, spec.alpha, spec.icc, spec.metadata)
    return f"`{format}`", *("yes" if one else "no" for one in held)


def _largest_sides() -> Iterable[str]:
    """Yield a sentence for each format with a lower limit of its own."""
    for format in Format:
        side = format.spec.max_side
        if side and side < MAX_SIDE:
            yield f"A {format.spec.title} has at most {side:,} pixels on each side."


def _fields(format: Format) -> str:
    having = [field for field in _FIELDS if getattr(format.spec, field)]
    return ", ".join(f"[`{field}`](outputs.md#{field})" for field in having)
