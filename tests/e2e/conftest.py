"""A Valkey that a test may kill."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.processes import MortalValkey, mortal_valkey


@pytest.fixture
def mortal(tmp_path: Path) -> Iterator[MortalValkey]:
    """A Valkey of the test's own, which may be killed."""
    with mortal_valkey(tmp_path) as server:
        yield server
