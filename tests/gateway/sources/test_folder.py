"""A folder as a source: plain files below its root, and nothing else."""

import os
import socket
from pathlib import Path

import pytest

from contracts.errors import ImageTooBig, ImageUnreadable, NotFound
from services.gateway.sources.originals import Originals
from tests.gateway.sources.conftest import MakeOriginals
from tests.gateway.sources.web import OTHER_PNG, PNG


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    (folder / "rooms").mkdir(parents=True)
    (folder / "rooms" / "kitchen.png").write_bytes(PNG)
    (tmp_path / "secret.png").write_bytes(PNG)
    return folder


@pytest.fixture
def site(root: Path, gateways: MakeOriginals) -> Originals:
    return gateways(f'[sources.site]\nkind = "folder"\nroot = "{root}"\nfresh = 0\n')


async def status_of(site: Originals, path: str) -> str:
    return (await site.acquire(f"site:{path}", "default")).status


async def test_a_file_is_sent_once_and_again_when_it_has_changed(
    site: Originals, root: Path
) -> None:
    first = await site.acquire("site:rooms/kitchen.png", "default")
    again = await site.acquire("site:rooms/kitchen.png", "default")
    (root / "rooms" / "kitchen.png").write_bytes(OTHER_PNG)
    changed = await site.acquire("site:rooms/kitchen.png", "default")

    assert first.status == "darkroom-source; fwd=uri-miss; fwd-status=200; stored"
    assert again.status == "darkroom-source; fwd=stale; fwd-status=304"
    assert changed.status == "darkroom-source; fwd=stale; fwd-status=200; stored"
    assert first.original.image == again.original.image != changed.original.image


async def test_a_link_counts_while_it_stays_below_the_root(site: Originals, root: Path) -> None:
    (root / "hall.png").symlink_to("rooms/kitchen.png")
    (root / "all").symlink_to(root / "rooms")
    (root / "out.png").symlink_to("../secret.png")
    (root / "outside").symlink_to("..")

    assert "fwd-status=200" in await status_of(site, "hall.png")
    assert "fwd-status=200" in await status_of(site, "all/kitchen.png")
    for path in ("out.png", "outside/secret.png", "outside/photos/../secret.png"):
        with pytest.raises(Exception, match=r"no image at this path|A path has names"):
            await status_of(site, path)


async def test_what_is_no_plain_file_is_not_there(site: Originals, root: Path) -> None:
    os.mkfifo(root / "pipe.png")
    (root / ".hidden").mkdir()
    (root / ".hidden" / "a.png").write_bytes(PNG)
    (root / "shown").symlink_to(".hidden")
    (root / "zero.png").symlink_to("/dev/zero")
    listening = socket.socket(socket.AF_UNIX)
    here = os.getcwd()
    os.chdir(root)  # the path of a socket is short
    try:
        listening.bind("socket.png")
    finally:
        os.chdir(here)
    paths = ["pipe.png", "rooms", "shown/a.png", "zero.png", "socket.png", "rooms/kitchen.png/a"]
    for path in [*paths, "nothing.png"]:
        with pytest.raises(NotFound, match="no image at this path"):
            await status_of(site, path)
    listening.close()


async def test_the_bytes_decide_whether_it_is_an_image(site: Originals, root: Path) -> None:
    (root / "page.png").write_bytes(b"<!doctype html>" * 20)
    (root / "short.png").write_bytes(b"GI")
    (root / "empty.png").write_bytes(b"")
    (root / "large.png").write_bytes(PNG + bytes(1_000_000))
    for path in ("page.png", "short.png", "empty.png"):
        with pytest.raises(ImageUnreadable):
            await status_of(site, path)
    with pytest.raises(ImageTooBig, match="1,000,000 bytes"):
        await status_of(site, "large.png")
