"""Breakers of sources: failures that close a whole server, and failures of one URL alone."""

import socket
from itertools import count
from types import SimpleNamespace

import pytest

from contracts.errors import SourceUnavailable
from services.gateway.sources import breaker
from services.gateway.sources.breaker import Breakers, LeftAlone
from services.gateway.sources.kinds.origin import Unreachable
from tests.gateway.sources.conftest import MakeOriginals
from tests.gateway.sources.web import PNG, Web, answer


def source(*hosts: str, pause: float = 60) -> str:
    allow = [f"{host}/*" for host in hosts]
    private = "true" if not any("*" in host for host in hosts) else "false"
    return (
        f'[sources.web]\nkind = "https"\nallow = {allow}\nallow_private = {private}\n'
        f"failures = 2\npause = {pause}\n"
    )


@pytest.fixture
def dead() -> str:
    """The address of a port at which nobody answers."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}"


async def test_a_server_that_keeps_failing_is_left_alone(
    gateways: MakeOriginals, web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 100.0
    monkeypatch.setattr(breaker, "time", SimpleNamespace(monotonic=lambda: now))
    originals = gateways(source(web.url, pause=0.3))
    number = count()

    async def get() -> str:
        """Ask for another original each time: failures are remembered."""
        path = f"/{next(number)}"
        web.answers.setdefault(path, answer(500))
        return (await originals.acquire(web.url + path, "default")).status

    for _ in range(2):
        with pytest.raises(SourceUnavailable, match="status 500"):
            await get()
    said = f"The source 'web' at {web.url} has failed 2 times in a row"
    with pytest.raises(SourceUnavailable, match=said) as failed:
        await get()
    assert (len(web.asked), failed.value.retry_after) == (2, 1)

    now += 0.3
    with pytest.raises(SourceUnavailable, match="status 500"):
        await get()
    web.answers |= {f"/{at}": answer(200, PNG) for at in range(4, 9)}
    for _ in range(3):
        assert "fwd-status=200" in await get(), "one error of a trial closes nothing"


async def test_one_path_counts_once_whatever_its_query_is(
    gateways: MakeOriginals, web: Web
) -> None:
    web.answers |= {f"/500?{at}": answer(500) for at in range(5)} | {"/a.png": answer(200, PNG)}
    originals = gateways(source(web.url))
    for at in range(5):
        with pytest.raises(SourceUnavailable, match="status 500"):
            await originals.acquire(f"{web.url}/500?{at}", "default")
    assert "fwd-status=200" in (await originals.acquire(f"{web.url}/a.png", "default")).status


async def test_a_server_that_answers_anything_well_is_not_down(
    gateways: MakeOriginals, web: Web
) -> None:
    web.answers |= {f"/{at}": answer(500) for at in range(5)}
    originals = gateways(source(web.url))
    for at in range(5):
        with pytest.raises(SourceUnavailable, match="status 500"):
            await originals.acquire(f"{web.url}/{at}", "default")
        web.answers[f"/good{at}"] = answer(200, PNG)
        await originals.acquire(f"{web.url}/good{at}", "default")


async def test_a_server_that_is_gone_closes_no_other_one(
    gateways: MakeOriginals, web: Web, dead: str
) -> None:
    web.answers["/a.png"] = answer(200, PNG)
    originals = gateways(source(web.url, dead))
    for at in range(2):
        with pytest.raises(SourceUnavailable, match=r"be reached \(ConnectError\)"):
            await originals.acquire(f"{dead}/a?{at}", "default")
    with pytest.raises(LeftAlone):
        await originals.acquire(f"{dead}/b", "default")
    assert "fwd-status=200" in (await originals.acquire(f"{web.url}/a.png", "default")).status


async def test_a_server_is_not_to_blame_for_the_one_that_it_leads_to(
    gateways: MakeOriginals, web: Web, dead: str
) -> None:
    originals = gateways(source(web.url, dead))
    web.answers |= {f"/{at}": answer(302, location=f"{dead}/{at}") for at in range(5)}
    for at in range(5):
        with pytest.raises(SourceUnavailable, match=r"be reached \(ConnectError\)"):
            await originals.acquire(f"{web.url}/{at}", "default")


async def test_a_name_without_an_address_says_nothing_of_a_source_of_many_hosts(
    gateways: MakeOriginals,
) -> None:
    originals = gateways(source("http://*.invalid"))
    for at in range(4):
        with pytest.raises(SourceUnavailable, match="The host of the URL has no address"):
            await originals.acquire(f"http://nope.invalid/{at}", "default")


def test_a_trial_without_a_connection_leaves_the_server_alone_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told: list[bool] = []
    now = 100.0
    monkeypatch.setattr(breaker, "time", SimpleNamespace(monotonic=lambda: now))
    breakers = Breakers("web", failures=2, pause=30, on_change=told.append)

    def fail(error: type[SourceUnavailable]) -> None:
        with pytest.raises(error), breakers.watch("http://a/1"):
            raise Unreachable("Nobody answers.")

    fail(Unreachable)
    fail(Unreachable)
    fail(LeftAlone)
    now += 31
    fail(Unreachable)
    fail(LeftAlone)
    with breakers.watch("http://a:81/1"):
        pass
    assert told == [False, True]


def test_so_many_servers_are_known_and_no_more() -> None:
    told: list[bool] = []
    breakers = Breakers("web", failures=1, pause=60, on_change=told.append)
    with pytest.raises(Unreachable), breakers.watch("http://first/"):
        raise Unreachable("Nobody answers.")
    for at in range(300):
        with breakers.watch(f"http://host{at}/"):
            pass
    assert len(breakers) == 256
    assert (told[:2], told[-1]) == ([False, True], False)
