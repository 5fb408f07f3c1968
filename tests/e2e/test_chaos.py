"""A 202 is kept whatever dies: the scenarios of `make chaos`, each a few seconds long."""

from pathlib import Path

import pytest

from bench.chaos.gateway_kills import gateway_dies
from bench.chaos.overload import overload_is_refused
from bench.chaos.poison import poison_is_put_aside
from bench.chaos.expiry import nothing_stays
from bench.chaos.redis_kills import redis_dies
from bench.chaos.worker_kills import workers_die

pytestmark = pytest.mark.timeout(180)


@pytest.mark.serial
async def test_every_job_is_done_once_and_right_while_workers_die(tmp_path: Path) -> None:
    outcome = await workers_die(tmp_path, jobs=60, every=0.5)
    assert outcome.kills > 0


async def test_every_job_that_was_accepted_is_done_once_while_redis_dies(tmp_path: Path) -> None:
    await redis_dies(tmp_path, jobs=80, kills=1, every=0.5)


async def test_listeners_hear_everything_once_while_the_gateway_dies(tmp_path: Path) -> None:
    await gateway_dies(tmp_path, jobs=80, listeners=5, kills=1, every=0.5)


async def test_poison_is_put_aside_with_its_reason(tmp_path: Path) -> None:
    await poison_is_put_aside(tmp_path, jobs=30, patience=5.0)


async def test_jobs_leave_nothing_behind(tmp_path: Path) -> None:
    await nothing_stays(tmp_path, jobs=150)


@pytest.mark.serial
async def test_overload_is_refused_and_what_was_accepted_is_done(tmp_path: Path) -> None:
    await overload_is_refused(tmp_path, seconds=4)
