"""Parse a document's code blocks, and the comments above them that say how a test runs them."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from markdown_it import MarkdownIt
from markdown_it.token import Token

Marker = Literal["refused", "keeps running", "answer except", "writes", "part of", "not run"]

MARKERS: Mapping[Marker, tuple[re.Pattern[str], str]] = {
    "refused": (re.compile(r"[45]\d\d"), "an HTTP status from 400 to 599"),
    "keeps running": (re.compile(r"https?://\S+"), "the address that answers once it runs"),
    "writes": (re.compile(r"\S+"), "the path of the file"),
    "answer except": (re.compile(r"\w+"), "the member that differs in each answer"),
    "part of": (re.compile(r"\S+"), "the path of the file that a reader edits"),
    "not run": (re.compile(r"\S.{9,}", re.DOTALL), "the reason"),
}
"""The form of each marker's value, and its meaning. A marker: `<!-- refused: 422 -->`."""

RUN = ("sh", "python")
"""The languages whose blocks are run."""

MISNAMED = {name: "sh" for name in ("bash", "shell", "zsh")} | {
    name: "python" for name in ("py", "python3")
}
"""Other names of these languages: a block under such a name would not be run."""

_COMMENT = re.compile(r"<!--\s*(?P<text>.*?)\s*-->\s*", re.DOTALL)
_COMMAND = re.compile(r"(?:\.venv/bin/\S+|curl|darkroom|docker|make|nginx|python3?) ")
_GENERATED_PART = re.compile(r"/?[\w-]+")  # begins or ends a part that `make generate` writes

_parser = MarkdownIt("commonmark")


@dataclass(frozen=True)
class Block:
    """A block that is run or written to a file, or whose marker says why it is neither."""

    line: int  # of its first line in the page, from 1
    language: str
    text: str
    marker: Marker | None = None
    value: str = ""  # of the marker


@dataclass
class Page:
    """A document: its blocks from top to bottom, and the faults of its markup."""

    name: str
    blocks: list[Block] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


def read_page(path: Path, root: Path) -> Page:
    """Parse a file; its path from `root` becomes the page's name."""
    return parse(str(path.relative_to(root)), path.read_text("utf-8"))


def parse(name: str, markdown: str) -> Page:
    """Return the blocks that are run or have a marker, and all faults of the markup."""
    page = Page(name)
    for comment, fence, line in _pairs(markdown):
        _add(page, comment, fence, line)
    return page


def _pairs(markdown: str, offset: int = 0) -> Iterator[tuple[str | None, Token | None, int]]:
    """Yield each code block with the comment directly above it, and each other comment.

    The number is the line of the block's text, or of the comment if there is no block.
    """
    above: tuple[str, int] | None = None
    for token in _parser.parse(markdown):
        if token.type in ("fence", "code_block"):
            assert token.map is not None
            line = offset + token.map[0] + (2 if token.type == "fence" else 1)
            if token.info.startswith("{") and not token.info.startswith(("{code", "{source")):
                yield from _pairs(token.content, line - 1)  # a note, with blocks in it
            else:
                yield (above[0] if above else None), token, line
                above = None
        if above:
            yield above[0], None, above[1]
        above = None
        if token.type == "html_block" and (match := _COMMENT.fullmatch(token.content)):
            assert token.map is not None
            above = match["text"], offset + token.map[0] + 1
    if above:
        yield above[0], None, above[1]


def _add(page: Page, comment: str | None, fence: Token | None, line: int) -> None:
    """Add a block to the page, or a fault."""

    def fault(text: str) -> None:
        page.faults.append(f"{page.name}:{line}: {text}")

    name, colon, value = (comment or "").partition(":")
    value = value.strip()
    marker = next((known for known in MARKERS if known == name.strip()), None)
    if fence is None:
        if marker:
            fault(f"{marker!r} stands above no block")
        return
    language = fence.info.split()[0] if fence.info.strip() else ""
    if not language or language.startswith("{"):
        fault("a block needs three backticks and the name of its language")
    elif language in MISNAMED:
        fault(f"the language is named {MISNAMED[language]!r} here, not {language!r}")
    elif language == "text" and _COMMAND.match(fence.content):
        fault("a block of text begins with a command: name its language 'sh'")
    elif comment and not marker and (colon or not _GENERATED_PART.fullmatch(comment)):
        fault(f"unknown marker {comment!r}: known are {', '.join(MARKERS)}")
    elif marker and not MARKERS[marker][0].fullmatch(value):
        fault(f"after {marker!r}: a colon and {MARKERS[marker][1]}")
    elif marker in ("refused", "keeps running") and language != "sh":
        fault(f"{marker!r} is for blocks of sh")
    elif marker == "answer except" and language != "json":
        fault(f"{marker!r} is for blocks of json")
    elif marker == "not run" and language not in RUN:
        fault(f"no block of {language} is run: the marker says nothing")
    elif marker or language in RUN:
        page.blocks.append(Block(line, language, fence.content, marker, value))
