"""The file of sources: its fields, and the line number of each fault."""

from pathlib import Path

import pytest

from contracts.errors import InvalidRequest, SourceRefused
from services.gateway.app import create_app
from services.gateway.reloading import FileRefused
from services.gateway.settings import GatewaySettings
from services.gateway.sources.addresses import find_address
from services.gateway.sources.configuration import parse_sources
from services.gateway.toml_tables import LineRefused

HTTPS = '[sources.web]\nkind = "https"\nallow = ["https://img.example.com/photos/*"]\n'
S3 = '[sources.s]\nkind = "s3"\nbucket = "photos"\n'


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[sources.web]\n", "line 1: [sources.web] kind: should be one of 'https', 'folder', 's3'"),
        ('[sources.web]\nkind = "ftp"\n', "line 2: [sources.web] kind: should be one of"),
        ('[sources.web]\nkind = "https"\n', "line 1: [sources.web] allow: is required"),
        (HTTPS.replace("sources.web", "sources.https"), "line 1: 'https' is no name of a source"),
        (HTTPS.replace("sources.web", "sources.Web"), "line 1: 'Web' is no name of a source"),
        (HTTPS.replace("https://", ""), "line 3: [sources.web] allow.0: write a pattern as"),
        (HTTPS + "timout = 3\n", "line 4: [sources.web] 'timout' is not a field (did you mean"),
        (HTTPS + "connections = 0\n", "line 4: [sources.web] connections: should be 1 or more"),
        (HTTPS + 'projects = ["A b"]\n', "line 4: [sources.web] projects.0"),
        (HTTPS + 'authorization_env = "NOT_SET_HERE"\n', "line 4: [sources.web] authorization_env"),
        (
            HTTPS.replace("img.", "*.") + "allow_private = true\n",
            "line 1: [sources.web] allow_private needs patterns whose hosts have no *",
        ),
        ('[sources.f]\nkind = "folder"\nroot = "/nowhere"\n', "line 3: [sources.f] root: is not a"),
        (S3 + 'access_key_env = "PATH"\n', "line 1: [sources.s] access_key_env and secret_key_env"),
        (S3 + 'endpoint = "http://me:word@host"\n', "line 4: [sources.s] endpoint"),
    ],
)
def test_a_mistake_is_named_with_its_line(text: str, reason: str) -> None:
    with pytest.raises(LineRefused) as refused:
        parse_sources(text)
    assert str(refused.value).startswith(reason)


@pytest.fixture
def sources(tmp_path: Path) -> str:
    folder = f'[sources.site]\nkind = "folder"\nroot = "{tmp_path}"\n'
    other = folder.replace("site", "other") + 'projects = ["shop"]\n'
    return HTTPS + folder + other + folder.replace("site", "all") + 'projects = ["*"]\n'


def test_an_address_has_one_way_of_writing(sources: str) -> None:
    known = parse_sources(sources)
    for text, address in {
        "https://IMG.example.com:443/photos/a.jpg#x": (
            "web",
            "https://img.example.com/photos/a.jpg",
        ),
        "site:kitchen.jpg": ("site", "kitchen.jpg"),
        "site:rooms/Küche 1.jpg": ("site", "rooms/Küche 1.jpg"),
        "all:a": ("all", "a"),
    }.items():
        found = find_address(text, known, "default")
        assert (found.source, found.place) == address
    assert find_address("other:a", known, "shop").key != find_address("all:a", known, "shop").key


def test_a_source_that_moves_is_another_one(sources: str, tmp_path: Path) -> None:
    moved = sources.replace(f'"{tmp_path}"', f'"{tmp_path.parent}"')
    before, after = (
        find_address("site:a.jpg", parse_sources(text), "default") for text in (sources, moved)
    )
    assert before.key != after.key


def test_a_preset_may_name_the_only_sources_that_are_there(sources: str) -> None:
    known = parse_sources(sources)
    assert find_address("site:a", known, "default", ("site",)).source == "site"
    for text in ("all:a", "https://img.example.com/photos/a.jpg"):
        with pytest.raises(SourceRefused):
            find_address(text, known, "default", ("site",))


@pytest.mark.parametrize(
    "text",
    ["https://img.example.com/private/a.jpg", "https://other.example/", "nowhere:a", "other:a"],
)
def test_nothing_is_allowed_that_is_not_listed(sources: str, text: str) -> None:
    with pytest.raises(SourceRefused):
        find_address(text, parse_sources(sources), "default")


@pytest.mark.parametrize(
    "path",
    [
        *("", "/", "/a", "a/", "a//b", ".", "..", "../a", "a/../b", "./a", ".hidden", "a/.git/b"),
        *("a\\b", "a\0b", "a\nb", "a" * 256, "a/" * 1100 + "a"),
    ],
)
def test_a_path_has_plain_names_alone(sources: str, path: str) -> None:
    with pytest.raises(InvalidRequest):
        find_address(f"site:{path}", parse_sources(sources), "default")


@pytest.mark.parametrize("text", ["", "kitchen.jpg", "web:a.jpg", ":a", "data:image/png;base64,AA"])
def test_another_name_is_refused(sources: str, text: str) -> None:
    with pytest.raises((InvalidRequest, SourceRefused)):
        find_address(text, parse_sources(sources), "default")


def test_a_mistake_ends_the_start_of_a_gateway(tmp_path: Path) -> None:
    file = tmp_path / "sources.toml"
    file.write_text(HTTPS + "timout = 3\n")
    with pytest.raises(FileRefused, match=r"DARKROOM_SOURCES: .*sources\.toml: line 4: \[sources"):
        create_app(GatewaySettings(sources=file))
