"""The commands of README, CONTRIBUTING and guide do what the text around them says."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.docs.documents import copy_checkout, guide, restore_checkout, root_documents
from tests.docs.running.commands import Block, Page, read_page
from tests.docs.running.session import (
    OUTPUT_LINES,
    PAGE_SECONDS,
    STOP_SECONDS,
    CommandFailed,
    Session,
)
from tests.processes import ROOT, Service

pytestmark = [pytest.mark.commands, pytest.mark.services]

PAGES = [read_page(path, ROOT) for path in (*root_documents(), *guide())]
TO_RUN = [page for page in PAGES if page.blocks or page.faults]
NOT_RUN = [(page, block) for page in PAGES for block in page.blocks if block.marker == "not run"]

FEW = 18
"""Number of blocks that may be left out. Do not raise it lightly: their faults stay unnoticed."""


@pytest.fixture(scope="session")
def up_to_date() -> None:
    """Require that `make run` neither installs packages nor builds the guide."""
    question = subprocess.run(["make", "--question", "docs"], cwd=ROOT, capture_output=True)
    assert question.returncode == 0, "Packages or guide are older than their sources: run make docs"
    assert Path(sys.prefix).samefile(ROOT / ".venv"), "The tests run in another environment."


@pytest.fixture(scope="session")
def untouched() -> Iterator[Path]:
    """A copy of the checkout, whose files each page gets by links."""
    with TemporaryDirectory(prefix="darkroom-docs-") as name:
        copy_checkout(Path(name, "checkout"))
        yield Path(name, "checkout")


@pytest.fixture
def folder(untouched: Path) -> Iterator[Path]:
    """A folder with a checkout for one page, removed at once.

    Links take a sixth of the CPU of another copy. What the page writes to is restored afterwards.
    """
    with TemporaryDirectory(prefix="darkroom-docs-") as name:
        copy = Path(name, "checkout")
        shutil.copytree(untouched, copy, symlinks=True, copy_function=os.link)
        yield Path(name)
    restore_checkout(untouched)


def starts_darkroom(page: Page) -> bool:
    """Return whether a block of the page is a `make run` on the documented port."""
    return any(
        block.marker == "keeps running" and re.search(r":8000\b", block.value)
        for block in page.blocks
    )


def grouped() -> Iterator[object]:
    """Yield the pages to run; those that share services run in two test processes of `make check`.

    Each process starts services of its own for them, which takes as long as ten pages.
    """
    groups = cycle(("shared-1", "shared-2"))
    for page in TO_RUN:
        marks = [] if starts_darkroom(page) else [pytest.mark.xdist_group(next(groups))]
        yield pytest.param(page, marks=marks, id=page.name)


@pytest.mark.timeout(5 * PAGE_SECONDS + STOP_SECONDS + 60)
@pytest.mark.usefixtures("up_to_date")
@pytest.mark.parametrize("page", list(grouped()))
def test_the_commands_of_a_page_do_as_it_says(
    page: Page, folder: Path, request: pytest.FixtureRequest
) -> None:
    ports: dict[int, int] = {}
    services: dict[str, tuple[Service, int]] = {}
    if not starts_darkroom(page):
        for documented, name in ((8000, "gateway"), (8001, "imaging")):
            service: Service = request.getfixturevalue(name)
            services[name] = service, len(service.output())
            ports[documented] = int(service.url.rpartition(":")[2])
    failure = None
    with Session(page, folder, folder / "checkout", ports) as session:
        try:
            session.run()
        except CommandFailed as exc:
            failure = str(exc)
    if failure:  # outside of `except`: pytest would report the exception as well
        logs = [
            f"--- log of the {name} service, which the page shares:\n{_end(service, start)}"
            for name, (service, start) in services.items()
        ]
        pytest.fail("\n\n".join([failure, *logs]), pytrace=False)


def _end(service: Service, start: int) -> str:
    """Return the last lines that a service has printed after its first `start` characters."""
    return "\n".join(service.output()[start:].splitlines()[-OUTPUT_LINES:])


@pytest.mark.parametrize(
    ("page", "block"), NOT_RUN, ids=[f"{page.name}:{block.line}" for page, block in NOT_RUN]
)
def test_a_block_is_not_run(page: Page, block: Block) -> None:
    pytest.skip(f"{page.name}:{block.line}: {block.value}")


def test_few_blocks_are_not_run() -> None:
    assert len(NOT_RUN) <= FEW
