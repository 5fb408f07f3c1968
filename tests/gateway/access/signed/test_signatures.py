"""Signed URLs: the caller of each one, and a query of which only the signed part counts."""

import time
from pathlib import Path
from typing import Any

import pytest

from contracts.access.keys import KeyScope
from contracts.errors import SignatureInvalid
from darkroom.signing import sign
from services.gateway.middleware.prefix import take_prefix
from tests.gateway.access.signed.sites import KEYS, PRESETS, RENDER, SECRET, Site, scope_of


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def signed(url: str, kid: str = "web-1", **options: Any) -> str:
    return sign(url, kid=kid, secret=SECRET, **options)


async def fault_of(site: Site, url: str, **scope: str) -> str:
    with pytest.raises(SignatureInvalid) as refused:
        site.signatures(scope_of(url, **scope))
    return refused.value.detail


async def test_a_request_without_a_signature_is_not_its_affair(site: Site) -> None:
    scope = scope_of(f"{RENDER}?op=text:text=mysig=1&label=sig")

    assert site.signatures(scope) is None
    assert scope["query_string"] == b"op=text:text=mysig=1&label=sig"


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_a_signature_makes_a_caller_of_its_keys_project(site: Site, method: str) -> None:
    url = signed(f"{RENDER}?op=sepia&op=grayscale&format=auto", "shop", expires=3600)
    scope = scope_of(url, method=method)

    caller = site.signatures(scope)

    assert caller is not None
    assert caller.project == "shop"
    assert caller.scopes == {KeyScope.RENDER, KeyScope.FETCH}
    assert caller.shared
    assert caller.key == ""
    assert caller.ends is not None
    assert time.time() + 3599 <= caller.ends <= time.time() + 7200
    assert scope["query_string"] == b"format=auto&op=sepia&op=grayscale"


async def test_a_url_without_an_expiry_has_no_end(site: Site) -> None:
    caller = site.signatures(scope_of(signed(f"{RENDER}?op=sepia")))

    assert caller is not None
    assert caller.ends is None


async def test_the_prefix_of_a_proxy_is_not_signed(site: Site) -> None:
    url = signed(f"/images{RENDER}?op=sepia", prefix="/images").removeprefix("/images")

    scope = scope_of(f"/images{url}")
    take_prefix(scope, "/images")

    assert site.signatures(scope) is not None
    assert site.signatures(scope_of(url)) is not None
    assert "signature" in await fault_of(site, f"/images{url}")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
async def test_only_reading_is_signed(site: Site, method: str) -> None:
    assert "GET and HEAD" in await fault_of(site, signed(f"{RENDER}?op=sepia"), method=method)


async def test_a_websocket_is_not_signed(site: Site) -> None:
    assert "GET and HEAD" in await fault_of(site, signed("/v1/live?op=sepia"), kind="websocket")


async def test_a_repeated_request_is_checked_for_its_end(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = signed(f"{RENDER}?op=sepia", expires=60, now=1_790_000_000)
    monkeypatch.setattr(time, "time", lambda: 1_790_000_001.0)
    assert site.signatures(scope_of(url)) is not None
    monkeypatch.setattr(time, "time", lambda: 1_790_000_120.0)

    assert "expired" in await fault_of(site, url)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (("op=sepia", "op=negate"), "not that of this path"),
        (("&kid=", "&op=negate&kid="), "not that of this path"),
        (("kid=web-1", "kid=old"), "not that of this path"),
        (("kid=web-1", "kid=web-9"), "No signing key"),
        (("kid=web-1", "kid=gone"), "No signing key"),
        (("ab", "cd"), "not that of this path"),
        (("/render", "/render%2f"), "letters, digits"),
        (("/render", "/%72ender"), "letters, digits"),
        (("/render", "/info/../render"), "letters, digits"),
    ],
)
async def test_a_changed_url_is_refused(site: Site, change: tuple[str, str], reason: str) -> None:
    url = signed(f"{RENDER}?op=sepia", expires=3600)

    assert reason in await fault_of(site, url.replace(*change))


async def test_a_key_to_verify_with_counts_and_a_revoked_one_does_not(site: Site) -> None:
    assert site.signatures(scope_of(signed(f"{RENDER}?op=sepia", "old"))) is not None
    assert "No signing key" in await fault_of(site, signed(f"{RENDER}?op=sepia", "gone"))


async def test_a_key_that_is_revoked_in_the_file_is_dead_after_the_next_reading(
    site: Site,
) -> None:
    url = signed(f"{RENDER}?op=sepia")
    assert site.signatures(scope_of(url)) is not None
    site.keys.write_text(KEYS.replace("[keys.web-1]", '[keys.web-1]\nstate = "revoked"'))
    site.key_file.reload()

    assert "No signing key" in await fault_of(site, url)


async def test_a_free_variable_may_change_and_nothing_else(site: Site) -> None:
    url = signed(f"{RENDER}?preset=card&w=640&h=240", free=["w"])

    scope = scope_of(url.replace("w=640", "w=320"))
    assert site.signatures(scope) is not None
    assert scope["query_string"] == b"h=240&preset=card&w=320"
    assert "not that of this path" in await fault_of(site, url.replace("h=240", "h=480"))
    assert "has to be there" in await fault_of(site, url.replace("&w=640", ""))
    assert "has to be there" in await fault_of(site, f"{url}&w=320")


@pytest.mark.parametrize(
    ("query", "free", "reason"),
    [
        ("preset=card&w=640&h=240&format=png", "format", "no variable"),
        ("preset=card&w=640&h=240&timeout=5", "timeout", "no variable"),
        ("preset=missing&w=640", "w", "not a preset"),
        ("preset=sale&w=320&label_text=new", "w", "not a preset"),
    ],
)
async def test_only_variables_of_a_preset_are_free(
    site: Site, query: str, free: str, reason: str
) -> None:
    assert reason in await fault_of(site, signed(f"{RENDER}?{query}", free=[free]))


async def test_a_variable_that_a_preset_has_lost_is_free_no_longer(site: Site) -> None:
    url = signed(f"{RENDER}?preset=card&w=640&h=240", free=["w"])
    assert site.signatures(scope_of(url)) is not None
    text = PRESETS.replace("width=$w,height=$h", "width=320,height=$h")
    site.presets.write_text(text.replace("vary.w = [320, 640]\n", ""))
    site.preset_file.reload()

    assert "no variable" in await fault_of(site, url)


async def test_without_a_file_no_signature_counts(site: Site) -> None:
    site.signatures._keys = None

    assert "No signing key" in await fault_of(site, signed(f"{RENDER}?op=sepia"))
