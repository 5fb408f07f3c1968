"""The time for which caches may keep a render of a source's original."""

import math
import re
import time
from email.utils import parsedate_to_datetime

import pytest

from contracts.imaging import RENDER_VERSION
from services.gateway.http.freshness import freshness_of_original
from services.gateway.settings import GatewaySettings

SETTINGS = GatewaySettings(max_age=3600, stale_while_revalidate=100, stale_if_error=1000)


def told(
    *, left: float, life: float = math.inf, stale: float = 0, version: str | None = None
) -> str:
    return fields_of(left=left, life=life, stale=stale, version=version)["Cache-Control"]


def fields_of(
    *, left: float, life: float, stale: float = 0, version: str | None = None
) -> dict[str, str]:
    return freshness_of_original(
        SETTINGS,
        life,
        left=left,
        stale_while_revalidate=stale,
        stale_if_error=stale,
        version=version,
    )


@pytest.mark.parametrize("version", [None, str(RENDER_VERSION), "0"])
def test_never_for_longer_than_the_original_is_fresh(version: str | None) -> None:
    for left in (-5.0, 0.0, 0.9, 30.0, 86_400.0):
        control = told(left=left, version=version)
        (seconds,) = re.findall(r"max-age=(\d+)", control)
        assert int(seconds) <= max(0.0, min(left, 3600))
        assert "immutable" not in control


def test_extensions_are_those_of_the_source_up_to_the_settings() -> None:
    assert told(left=30) == "public, max-age=30"
    assert told(left=30, stale=50) == (
        "public, max-age=30, stale-while-revalidate=50, stale-if-error=50"
    )
    assert told(left=30, stale=500) == (
        "public, max-age=30, stale-while-revalidate=100, stale-if-error=500"
    )
    assert told(left=30, life=40, stale=500) == (
        "public, max-age=30, stale-while-revalidate=10, stale-if-error=10"
    )
    assert told(left=-20, stale=50) == (
        "public, max-age=0, stale-while-revalidate=30, stale-if-error=30"
    )
    assert told(left=30, version="0") == "public, max-age=30"


def test_the_end_is_a_fixed_moment_for_an_image_without_an_end() -> None:
    """Else an answer from memory would begin anew with each look at its image."""
    for left in (0.0, 30.0):
        before = int(time.time())
        fields = fields_of(left=left, life=math.inf)
        after = int(time.time())
        moment = int(fields["X-Accel-Expires"].removeprefix("@"))
        assert before <= moment - int(left) <= after + 1
        assert parsedate_to_datetime(fields["Expires"]).timestamp() == moment
        assert list(fields)[-1] == "X-Accel-Expires"
