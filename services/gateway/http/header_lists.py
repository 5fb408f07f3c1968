"""Header fields that are lists, cut into their elements (RFC 9110, section 5.6.1)."""

from collections.abc import Iterator, Sequence

_READ = 4096
"""Characters of a header that are read; no list that means something here is longer."""


def elements(lines: Sequence[str]) -> Iterator[str]:
    """The elements of a list, in order, in one pass; what is quoted stays together.

    Several lines are one list. A quote that nobody closes ends with the element it is in.
    """
    text = ",".join(lines)[:_READ]
    start = at = 0
    # Beyond the last quote there is none to close one.
    last = text.rfind('"')
    while at < len(text):
        if text[at] == '"' and at < last and (closed := _closed(text, at)):
            at = closed
        elif text[at] == ",":
            yield text[start:at]
            start = at = at + 1
        else:
            at += 1
    yield text[start:]


def _closed(text: str, at: int) -> int:
    """Where the text goes on after the quoted string that begins at `at`; 0 if it has no end."""
    end = at + 1
    while end < len(text):
        if text[end] == "\\":
            end += 2
        elif text[end] == '"':
            return end + 1
        else:
            end += 1
    return 0
