"""Fixture of the tests that hold with FastStream's stages and without them."""

import pytest

from tests.runtime import echo


@pytest.fixture(params=["directly", "through-middlewares"])
def both_ways(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run the test twice: past FastStream's stages, and through them and another's middleware."""
    if request.param == "through-middlewares":
        monkeypatch.setattr(echo, "MIDDLEWARES", [echo.PassThrough])
