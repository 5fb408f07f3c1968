"""Equal renders at one gateway: one call to a worker, over a real Redis."""

import asyncio

import pytest

from contracts.errors import DeadlineExceeded, Gone, ImageUnreadable, Internal
from services.gateway import rpc
from services.runtime.rpc.attachments import ATTACHED
from tests.gateway.delivery.one_worker import RENDERED, Suite
from tests.processes import until


async def test_fifty_equal_requests_are_one_render_and_the_last_to_leave_cancels_it(
    suite: Suite,
) -> None:
    tasks = suite.asked(50)
    await until(lambda: bool(suite.worker.requests))
    suite.worker.end.set()
    replies = await asyncio.gather(*tasks)
    assert len(suite.worker.requests) == 1
    assert {reply.body for reply in replies} == {RENDERED}
    assert [reply.collapsed for reply in replies] == [False] + [True] * 49
    assert suite.collapsed == 49

    suite.worker.end.clear()
    first, second = suite.asked(2)
    await until(lambda: len(suite.worker.requests) == 2)
    first.cancel()
    await asyncio.wait([first, second], timeout=0.1)
    assert not suite.worker.cancelled
    second.cancel()
    await until(lambda: suite.worker.cancelled == 1)
    assert suite.gateway.inbox.outstanding == 0


async def test_a_request_with_a_short_timeout_leaves_the_others_waiting(suite: Suite) -> None:
    [patient] = suite.asked(1)
    await until(lambda: bool(suite.worker.requests))
    [hasty] = suite.asked(1, timeout=0.05)
    with pytest.raises(DeadlineExceeded):
        await hasty
    suite.worker.end.set()
    assert (await patient).body == RENDERED
    assert len(suite.worker.requests) == 1
    assert not suite.worker.cancelled


@pytest.mark.parametrize("error", [ImageUnreadable("torn"), Gone("deleted meanwhile")])
async def test_all_have_the_failure_of_their_render(suite: Suite, error: Exception) -> None:
    suite.worker.error = error
    tasks = suite.asked(3)
    await until(lambda: bool(suite.worker.requests))
    suite.worker.end.set()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [type(error)] * 3
    assert len(suite.worker.requests) == 1


async def test_a_request_for_a_render_of_its_own_has_one(suite: Suite) -> None:
    suite.worker.end.set()
    replies = await asyncio.gather(*suite.asked(1), *suite.asked(2, reuse=False))
    assert [request.reuse for request in suite.worker.requests].count(False) == 2
    assert len(suite.worker.requests) == 3
    assert not any(reply.collapsed for reply in replies)


@pytest.mark.parametrize(("attached", "taken"), [(b"xy", b"xy"), (b"x", b""), (b"xyz", b"")])
async def test_attached_bytes_count_if_they_are_as_many_as_the_record_says(
    suite: Suite, attached: bytes, taken: bytes
) -> None:
    suite.worker.end.set()
    suite.worker.attached, suite.worker.headers = attached, {ATTACHED: str(len(attached))}
    [reply] = await asyncio.gather(*suite.asked(1))
    assert (reply.body, reply.attached) == (RENDERED, taken)


async def test_a_reply_with_more_bytes_than_its_header_says_is_a_failure(suite: Suite) -> None:
    suite.worker.end.set()
    suite.worker.attached, suite.worker.headers = b"xyz", {ATTACHED: "1"}
    [failure] = await asyncio.gather(*suite.asked(1), return_exceptions=True)
    assert isinstance(failure, Internal)
    assert failure.worker == suite.serving.worker


async def test_a_gateway_with_many_calls_under_way_asks_for_no_bytes(
    suite: Suite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rpc, "_MAX_ATTACHED", 2)
    tasks = suite.asked(3, reuse=False)
    await until(lambda: len(suite.worker.requests) == 3)
    suite.worker.end.set()
    await asyncio.gather(*tasks)
    assert sorted(map(str, suite.worker.wanted)) == ["65536", "65536", "None"]


@pytest.mark.parametrize("headers", [{}, {"x-collapsed": "true"}])
async def test_the_worker_says_whether_a_request_waited_there(
    suite: Suite, headers: dict[str, str]
) -> None:
    suite.worker.end.set()
    suite.worker.headers = headers
    [reply] = await asyncio.gather(*suite.asked(1))
    assert reply.collapsed == bool(headers)
