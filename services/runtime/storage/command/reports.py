"""Results of commands as tables and lines for people, and as JSON."""

from collections.abc import Iterator, Mapping

from rich.box import SIMPLE_HEAD
from rich.table import Table

from services.runtime.storage.administration.sweeper import Findings, Names
from services.runtime.storage.records import Place
from services.runtime.storage.usage import Count


def counts_table(counts: Mapping[tuple[str, Place], Count]) -> Table:
    """Return a table with a row for each place of each project."""
    table = Table(box=SIMPLE_HEAD)
    for name in ("Project", "Place", "Objects", "Bytes"):
        table.add_column(name, justify="right" if name in ("Objects", "Bytes") else "left")
    for (project, place), count in sorted(counts.items()):
        table.add_row(project, place, f"{count.objects:,}", f"{count.bytes:,}")
    return table


def finding_lines(findings: Findings, *, dry_run: bool) -> Iterator[str]:
    """Yield a line for each kind of finding, and the first names of what is lost."""
    deleted = "to delete" if dry_run else "deleted"
    yield f"Bytes without a record, {deleted}: {findings.orphans:,} ({findings.orphan_bytes:,} B)"
    yield f"Unfinished files, {deleted}: {findings.unfinished:,}"
    yield from _named("Records without bytes", findings.lost)
    yield from _named("Kept images without a record", findings.unrecorded)
    if findings.unrecorded.number:
        yield "`darkroom-store rebuild` brings kept images back."


def _named(text: str, names: Names) -> Iterator[str]:
    yield f"{text}: {names.number:,}"
    for name in names.first:
        yield f"  {name}"
    if names.number > len(names.first):
        yield "  ... (--json names all)"


def as_json(findings: Findings) -> dict[str, object]:
    """Return findings for JSON."""
    return {
        "places": [
            {"project": project, "place": place, "objects": count.objects, "bytes": count.bytes}
            for (project, place), count in sorted(findings.counts.items())
        ],
        "orphans": findings.orphans,
        "orphan_bytes": findings.orphan_bytes,
        "unfinished": findings.unfinished,
        "lost": findings.lost.first,
        "unrecorded": findings.unrecorded.first,
    }
