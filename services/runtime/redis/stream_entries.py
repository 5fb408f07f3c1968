"""Entries of streams: read them from a reply, and acknowledge them."""

from collections.abc import Iterator, Mapping
from typing import Any

from services.runtime.redis.endpoint import Command
from services.runtime.redis.scripts import load_script

Fields = dict[bytes, bytes]

ACKNOWLEDGE = load_script(__package__, "acknowledge")
"""KEYS: a stream. ARGV: the group, the consumer that was given the entries, up to 1,000 entries."""


def removal(stream: str, group: str, entry: str) -> tuple[Command, Command]:
    """Return the commands that acknowledge and delete an entry, whichever member has it."""
    return ("XACK", stream, group, entry), ("XDEL", stream, entry)


def entries_from(reply: list[list[Any]] | None) -> Iterator[tuple[bytes, Fields]]:
    """Yield each entry's id and fields, in order, from a reply of XRANGE, XREVRANGE or XCLAIM.

    An entry that was deleted while pending is left out; None is a reply without entries.
    """
    for entry, fields in reply or ():
        # A deleted entry that is still pending has no fields.
        if fields is not None:
            yield entry, dict(zip(fields[::2], fields[1::2], strict=True))


def entries_read(reply: Mapping[bytes, list[list[Any]]] | None) -> Iterator[tuple[bytes, Fields]]:
    """Read the reply of XREAD or XREADGROUP, which is None when nothing came in time."""
    for entries in (reply or {}).values():
        yield from entries_from(entries)
