"""The documents' figures come from `bench/results`, which name the commit that was measured."""

import re
from collections.abc import Iterator

import pytest

from docs.generate.benchmarks import attacks, exact
from docs.generate.benchmarks import pages as benchmarks
from docs.generate.benchmarks.results import Results, results

NAMES = ("rpc", "jobs", "imaging", "srcset", "gateway", "storage", "chaos", "attacks", "exact")


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    """Forget results that a test has changed."""
    yield
    results.cache_clear()


@pytest.mark.parametrize("name", NAMES)
def test_results_name_a_commit_without_further_changes(name: str) -> None:
    assert re.fullmatch("[0-9a-f]{7,40}", results(name).commit)


@pytest.mark.parametrize("name", NAMES)
def test_a_page_names_the_commit_of_its_figures(name: str) -> None:
    pages = {**benchmarks.pages(), **attacks.pages(), **exact.pages()}

    assert f"`{results(name).commit}`" in pages["benchmarks/index.md"]
    assert sum(f"bench/results/{name}.json" in page for page in pages.values()) == 1


def test_a_new_result_changes_every_sentence_that_has_it() -> None:
    resize = results("imaging")
    theirs = resize.one(contender="ipx", case="resize")["rate"]
    resize.one(contender="darkroom GET", case="resize")["rate"] = 7 * theirs

    assert "resizes 7.0 times as many photographs" in benchmarks.speed()
    assert "multiple of ipx's: resize 7.00" in benchmarks.pages()["benchmarks/renders.md"]


def test_a_missing_figure_is_an_error_with_its_name() -> None:
    found = Results("rpc", {"cells": [{"contender": "darkroom", "callers": 1}]})

    with pytest.raises(LookupError, match=r"rpc\.json has 0 rows of .*'callers': 2"):
        found.one(contender="darkroom", callers=2)
