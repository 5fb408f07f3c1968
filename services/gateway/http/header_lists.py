"""Split header fields that are comma-separated lists (RFC 9110, section 5.6.1)."""

from collections.abc import Iterator, Sequence

_MAX_LENGTH = 4096
"""Characters of a header that are read; every list that means something here is shorter."""


def split_list(lines: Sequence[str]) -> Iterator[str]:
    """Yield the elements of a list in order; a comma inside a quoted string splits nothing.

    Several header lines form one list. A quote without an end belongs to its element alone. Takes
    linear time.
    """
    text = ",".join(lines)[:_MAX_LENGTH]
    start = at = 0
    # A quote at or after the last one has no closing quote: no need to search for it.
    last = text.rfind('"')
    while at < len(text):
        if text[at] == '"' and at < last and (closed := _end_of_quoted(text, at)):
            at = closed
        elif text[at] == ",":
            yield text[start:at]
            start = at = at + 1
        else:
            at += 1
    yield text[start:]


def _end_of_quoted(text: str, at: int) -> int:
    """Return the index after the quoted string that begins at `at`; 0 if it has no end."""
    end = at + 1
    while end < len(text):
        if text[end] == "\\":
            end += 2
        elif text[end] == '"':
            return end + 1
        else:
            end += 1
    return 0
