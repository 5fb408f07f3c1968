"""The scenarios of `make chaos`, a few seconds each: an accepted job is done, whatever crashes."""

from pathlib import Path

import pytest

from bench.chaos.scenarios.bucket_faults import bucket_fails
from bench.chaos.scenarios.expiry import records_expire
from bench.chaos.scenarios.gateway_kills import gateway_is_killed
from bench.chaos.scenarios.overload import overload_is_refused
from bench.chaos.scenarios.poison import poison_jobs_become_dead_letters
from bench.chaos.scenarios.redis_kills import redis_is_killed
from bench.chaos.scenarios.store_kills import store_is_killed
from bench.chaos.scenarios.worker_kills import workers_are_killed
from tests.s3_needed import skip_without_s3

pytestmark = pytest.mark.timeout(180)


@pytest.mark.serial
async def test_every_job_is_done_once_and_right_while_workers_are_killed(tmp_path: Path) -> None:
    # A worker starts in about a second, and so lives for about as long: the next one is killed once
    # it is ready. What it reclaims, it has to reclaim at its start.
    outcome = await workers_are_killed(tmp_path, jobs=60, every=0.5)
    assert outcome.kills > 0


async def test_every_accepted_job_is_done_once_while_redis_is_killed(tmp_path: Path) -> None:
    await redis_is_killed(tmp_path, jobs=80, kills=1, every=0.5)


async def test_listeners_receive_every_event_once_while_the_gateway_is_killed(
    tmp_path: Path,
) -> None:
    await gateway_is_killed(tmp_path, jobs=80, listeners=5, kills=1, every=0.5)


@pytest.mark.serial
async def test_poison_jobs_become_dead_letters_with_their_reason(tmp_path: Path) -> None:
    await poison_jobs_become_dead_letters(tmp_path, jobs=30, render_timeout=5.0)


async def test_all_records_of_jobs_expire(tmp_path: Path) -> None:
    await records_expire(tmp_path, jobs=150)


@pytest.mark.serial
async def test_overload_is_refused_and_accepted_jobs_are_done(tmp_path: Path) -> None:
    await overload_is_refused(tmp_path, seconds=8)


async def test_no_image_on_a_disk_is_lost_while_the_services_are_killed(tmp_path: Path) -> None:
    await store_is_killed(tmp_path, images=30, kills=2, every=0.3)


async def test_every_accepted_job_is_done_while_a_bucket_fails(tmp_path: Path) -> None:
    skip_without_s3()
    await bucket_fails(tmp_path, jobs=20, away=3.0)
