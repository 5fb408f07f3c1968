"""The README's table of formats, made from `contracts/formats.py`."""

from contracts.formats import AUTO_FORMATS, Format, format_as_it_came

_FIELDS = ("quality", "lossless", "progressive", "chroma", "palette")
_COLUMNS = (
    "`format`", "media type", "suffixes", "fields for it", "animation", "transparency",
    "colour profile", "EXIF, XMP", "left out, it becomes", "in `auto`", "needs",
)  # fmt: skip


def format_table() -> str:
    """Return the table in Markdown, with a row for each format."""
    lines = [f"| {' | '.join(_COLUMNS)} |", "|---" * len(_COLUMNS) + "|"]
    lines += [f"| {' | '.join(_row(format))} |" for format in Format]
    return "\n".join(lines)


def _row(format: Format) -> tuple[str, ...]:
    spec = format.spec
    return (
        f"`{format}`",
        f"`{spec.media_type}`",
        ", ".join(f"`{suffix}`" for suffix in spec.suffixes),
        ", ".join(f"`{field}`" for field in _FIELDS if getattr(spec, field)),
        _mark(spec.animated),
        _mark(spec.alpha),
        _mark(spec.icc),
        _mark(spec.metadata),
        _left_out(format),
        _auto(format),
        f"`{format}` extra" if spec.package else "",
    )


def _mark(holds: bool) -> str:
    return "yes" if holds else "no"


def _left_out(format: Format) -> str:
    opaque, transparent = (format_as_it_came(format, transparent=t) for t in (False, True))
    still = f"`{opaque}`" if opaque is transparent else f"`{opaque}`; transparent: `{transparent}`"
    if format.spec.animated and opaque is not format:
        return f"{still}; animation: `{format}`"
    return still


def _auto(format: Format) -> str:
    if format not in AUTO_FORMATS:
        return ""
    return "if `Accept` names it" if format.spec.needs_accept else "yes"
