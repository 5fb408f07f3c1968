"""Changes of jobs in one turn of the event loop: one script, in which each is its own step."""

import asyncio
from typing import Any
from unittest.mock import patch

import pytest
from redis.exceptions import ResponseError

from contracts.jobs import JobState
from services.runtime.jobs.gathering import Gathering
from services.runtime.jobs.store import Jobs
from services.runtime.jobs.transitions import _CHANGE, _KEYS
from services.runtime.redis import keys
from services.runtime.redis.client import RedisClient
from tests.runtime.jobs.helpers import GOOD, done, submitted


async def test_jobs_that_end_in_the_same_turn_end_by_one_script(jobs: Jobs, redis: Any) -> None:
    running = [done(await jobs.leases.start(await submitted(jobs), "w")) for _ in range(5)]
    await redis.config_resetstat()
    ended = await asyncio.gather(*(jobs.leases.add_result(job, GOOD) for job in running))
    assert [done(job).state for job in ended] == [JobState.SUCCEEDED] * 5
    assert (await redis.info("commandstats"))["cmdstat_evalsha"]["calls"] == 1


async def test_a_change_that_fails_leaves_the_others_of_its_turn(jobs: Jobs, redis: Any) -> None:
    damaged, sound = await submitted(jobs, submitter="damaged"), await submitted(jobs)
    running = [done(await jobs.leases.start(job, "w")) for job in (damaged, sound)]
    await redis.delete(keys.JOB_LINE + "damaged")
    await redis.set(keys.JOB_LINE + "damaged", "no list")
    refused, handed_back = await asyncio.gather(
        *(jobs.leases.hand_back(job) for job in running), return_exceptions=True
    )
    assert isinstance(refused, ResponseError)
    assert isinstance(handed_back, type(sound))
    assert handed_back.state is JobState.QUEUED


@pytest.mark.parametrize(("token", "error"), [("\ud800", UnicodeEncodeError), (None, TypeError)])
async def test_what_cannot_be_sent_fails_alone(
    token: Any, error: type[Exception], jobs: Jobs
) -> None:
    one, other = [done(await jobs.leases.start(await submitted(jobs), "w")) for _ in range(2)]
    broken = one.model_copy(update={"token": token})
    results = (jobs.leases.add_result(job, GOOD) for job in (broken, other))
    async with asyncio.timeout(5):
        failed, ended = await asyncio.gather(*results, return_exceptions=True)
    assert isinstance(failed, error)
    assert not isinstance(ended, BaseException)
    assert done(ended).state is JobState.SUCCEEDED


async def test_all_commands_of_a_call_that_cannot_be_sent_end(client: RedisClient) -> None:
    gathering = Gathering(client, _CHANGE, _KEYS)
    with patch.object(client, "script_soon", side_effect=ValueError):
        async with asyncio.timeout(5):
            commands = (gathering.run("backlog") for _ in range(20))
            results = await asyncio.gather(*commands, return_exceptions=True)
    assert [type(result) for result in results] == [ValueError] * 20
