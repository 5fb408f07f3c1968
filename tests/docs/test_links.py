"""Links, images, paths and make targets that the documents name exist.

Sphinx checks the links between the guide's sources. This checks those of the root's documents, and
every address in the built pages, where links in HTML are, too.
"""

import re
from collections.abc import Iterator
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from unittest.mock import Mock
from urllib.parse import unquote, urljoin, urlsplit

from markdown_it import MarkdownIt
from markdown_it.token import Token
from mdit_py_plugins.anchors import anchors_plugin
from starlette.routing import BaseRoute, Match, Route

from services.gateway.http_application import create_http
from services.runtime.introspection.asyncapi_page import documentation_routes
from services.runtime.introspection.health import health_routes, metrics_route
from tests.docs.documents import GUIDE, files, guide, root_documents
from tests.processes import ROOT

HOSTS = {
    "127.0.0.1",
    "faststream.ag2.ai",
    "github.com",
    "keepachangelog.com",
    "semver.org",
    "www.rfc-editor.org",
    "www.standardwebhooks.com",
}
"""The hosts that a link may lead to. Nothing is fetched, so each one has to be worth trust."""

_parser = MarkdownIt("commonmark").enable("table").use(anchors_plugin, max_level=6)


class _Targets(HTMLParser):
    """Collects the targets of links and images in HTML, and the ids that links may lead to."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.ids: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if value and name in ("href", "src", "srcset"):
                self.links.append(value.split()[0])
            if value and name in ("id", "name"):
                self.ids.add(value)


def tokens(path: Path) -> Iterator[Token]:
    """Yield the tokens of a document, those within lines too."""
    for token in _parser.parse(path.read_text("utf-8")):
        yield token
        yield from token.children or ()


def html(path: Path) -> _Targets:
    targets = _Targets()
    for token in tokens(path):
        if token.type in ("html_block", "html_inline"):
            targets.feed(token.content)
    return targets


def links(path: Path) -> list[str]:
    """Return the targets of all links and images, in Markdown and in HTML."""
    found = [token.attrGet("href") or token.attrGet("src") for token in tokens(path)]
    return [str(target) for target in found if target] + html(path).links


@cache
def anchors(path: Path) -> set[str]:
    """Return the anchors of a document as a code forge makes them from its headings."""
    headings = {str(token.attrGet("id")) for token in tokens(path) if token.type == "heading_open"}
    return headings | html(path).ids


def words(path: Path) -> Iterator[str]:
    """Yield the words of a document's inline code."""
    for token in tokens(path):
        if token.type == "code_inline":
            yield from token.content.split()


def exists(path: Path) -> bool:
    """Return whether a path is a file of the repository, or a folder with such files."""
    name = str(path.relative_to(ROOT))
    return name in files() or any(file.startswith(f"{name}/") for file in files())


def targets_in(page: Path) -> list[str]:
    """Return the targets of links, scripts and images in a page of HTML."""
    targets = _Targets()
    targets.feed(page.read_text("utf-8"))
    return targets.links


@cache
def routes() -> tuple[BaseRoute, ...]:
    """Return the gateway's routes, those for health, metrics and messages among them."""
    other = (
        *health_routes(Mock(), Mock()),
        metrics_route(Mock(), Mock(), Mock(), Mock()),
        *documentation_routes(),
    )
    return (
        *create_http(Mock()).routes,
        *(Route(path, Mock(), methods=["GET"]) for path, _ in other),
    )


def is_served(path: str, built: Path) -> bool:
    """Return whether the gateway serves a path: a file of the built guide, or a route."""
    if path.startswith("/guide/"):
        file = built / path.removeprefix("/guide/")
        return (file / "index.html" if path.endswith("/") else file).is_file()
    scope = {"type": "http", "method": "GET", "path": path, "headers": []}
    return any(route.matches(scope)[0] is Match.FULL for route in routes())


def current() -> list[Path]:
    """Return all documents but the changelog, which names what was there once."""
    return [page for page in (*root_documents(), *guide()) if page.name != "CHANGELOG.md"]


@cache
def made(page: Path) -> set[str]:
    """Return the files of the repository that a page's blocks write or add by a diff."""
    return set(re.findall(r"(?:writes:|\+\+\+ b/) ?(\S+)", page.read_text("utf-8")))


def test_a_relative_link_leads_to_a_file_and_to_a_heading_in_it() -> None:
    dead = []
    for page in root_documents():
        for link in links(page):
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
            if not (target.is_relative_to(ROOT) and exists(target)):
                dead.append(f"{page.name}: no file {link}")
            elif parts.fragment and parts.fragment not in anchors(target):
                dead.append(f"{page.name}: no heading {link}")
    assert not dead, "\n".join(dead)


def test_a_link_leads_to_a_known_host() -> None:
    unknown = [
        f"{page.relative_to(ROOT)}: {link}"
        for page in (*root_documents(), *guide())
        for link in links(page)
        if (host := urlsplit(link).hostname) and host not in HOSTS
    ]
    assert not unknown, "\n".join(unknown)


def test_a_path_in_inline_code_exists() -> None:
    """Globs and placeholders (`errors/<code>.md`) name no path; a reader may make a file, too."""
    folders = "|".join({re.escape(name.partition("/")[0]) for name in files() if "/" in name})
    path = re.compile(rf"(?P<path>(?:{folders})/[\w./-]*)(?:[:#].*)?[,;]?")
    missing = [
        f"{page.relative_to(ROOT)}: {word}"
        for page in current()
        for word in words(page)
        if (match := path.fullmatch(word))
        and not exists(ROOT / match["path"].rstrip("/."))
        and match["path"] not in made(page)
    ]
    assert not missing, "\n".join(missing)


def test_a_make_target_exists() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    call = re.compile(r"(?:^|\s)make((?: [a-z-]+)+)$", re.MULTILINE)
    missing = [
        f"{page.relative_to(ROOT)}: make {name}"
        for page in current()
        for token in tokens(page)
        if token.type in ("code_inline", "fence")
        for names in call.findall(token.content)
        for name in names.split()
        if name not in targets
    ]
    assert not missing, "\n".join(missing)


def test_an_address_in_a_built_page_leads_to_a_page_or_to_a_route() -> None:
    """Needs `make docs`."""
    built = ROOT / GUIDE
    pages = sorted(built.rglob("*.html"))
    assert len(pages) > 80, "run make docs"
    dead = []
    for page in pages:
        here = f"/guide/{page.relative_to(built).parent}/".replace("/./", "/")
        for link in targets_in(page):
            parts = urlsplit(urljoin(here, link))
            if parts.hostname not in (None, "127.0.0.1") or parts.scheme in ("data", "mailto"):
                continue
            if not is_served(unquote(parts.path), built):
                dead.append(f"{here}: {link}")
    assert not dead, "\n".join(dead)


def test_every_reference_of_a_page_is_resolved() -> None:
    unresolved = [
        f"{page.relative_to(ROOT)}: {reference}"
        for page in current()
        for token in tokens(page)
        if token.type == "text"
        for reference in re.findall(r"\[[^][]+\]\[[^][]*\]", token.content)
    ]
    assert not unresolved, "\n".join(unresolved)
