"""Jobs, dead letters and workers: shown, cancelled, brought back."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from contracts.errors import WorkerCrashed
from contracts.jobs import Job, JobResult
from contracts.operations.notation import parse_pipeline
from darkroom.client import Client
from services.runtime.jobs.store import Jobs
from services.runtime.redis.client import make_redis
from tests.darkroom.command import darkroom, jobs_at, names_in, running, take
from tests.processes import Service, faststream, wait_until
from tests.runtime.echo import settings_for

CRASHED = WorkerCrashed("It died of [it].").failure()


@pytest.fixture
async def client(idle: Service) -> AsyncIterator[Client]:
    async with Client(idle.url, submitter="agency-7") as client:
        yield client


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    return take(tmp_path / "a.jpg", seed=7)


async def submitted(client: Client, photo: Path) -> Job:
    pipeline = parse_pipeline(["rotate:90"], "webp")
    return (await client.submit(photo, pipeline, key=str(photo))).job


async def given_up(job: Job, redis_url: str) -> None:
    """What the workers do with a job that they die of."""
    settings = settings_for(redis_url)
    redis = make_redis(settings)
    jobs = Jobs(redis, settings)
    taken = await jobs.start(job, "a-worker")
    assert taken is not None
    await jobs.add_result(taken, JobResult(problem=CRASHED))
    await redis.connection_pool.disconnect()


async def test_open_jobs_are_listed_until_they_are_cancelled(
    idle: Service, client: Client, photo: Path
) -> None:
    job = await submitted(client, photo)
    assert job.id in darkroom(idle.url, "jobs").stdout
    (listed,) = json.loads(darkroom(idle.url, "jobs", "--json").stdout)
    assert (listed["id"], listed["submitter"]) == (job.id, "agency-7")
    about = darkroom(idle.url, "job", job.id).stdout
    assert "op=rotate:degrees=90.0 format=webp" in about
    cancelled = json.loads(darkroom(idle.url, "cancel", job.id, "--json").stdout)
    assert cancelled["state"] == "cancelled"
    assert json.loads(darkroom(idle.url, "jobs", "--json").stdout) == []


async def test_a_job_that_was_given_up_is_told_with_its_reason_and_brought_back(
    idle: Service, idle_redis: str, client: Client, photo: Path
) -> None:
    job = await submitted(client, photo)
    await given_up(job, idle_redis)
    said = darkroom(idle.url, "dead").stdout
    assert job.id in said
    assert "It died of [it]." in said
    (letter,) = json.loads(darkroom(idle.url, "dead", "--json").stdout)
    assert (letter["job"], letter["problem"]["code"]) == (job.id, "worker_crashed")
    assert "queued" in darkroom(idle.url, "requeue", job.id).stdout
    assert json.loads(darkroom(idle.url, "dead", "--json").stdout) == []
    refused = darkroom(idle.url, "requeue", job.id, code=1)
    assert refused.stderr.startswith("not_found: ")
    await client.cancel(job.id)


def test_workers_are_shown_with_what_waits_for_them(gateway_url: str) -> None:
    system = json.loads(darkroom(gateway_url, "workers", "--json").stdout)
    (name,) = system["workers"]
    shown = darkroom(gateway_url, "workers").stdout
    assert name in shown
    assert "imaging.render:stream" in shown


def test_a_render_whose_job_was_cancelled_says_so_and_does_it_anew_the_next_time(
    idle: Service, idle_redis: str, photo: Path, tmp_path: Path
) -> None:
    render = ("render", photo, "--op", "grayscale", "--out", tmp_path / "out")
    before = jobs_at(idle_redis)
    with running(idle.url, *render) as process:
        wait_until(lambda: jobs_at(idle_redis) > before)
        (job,) = json.loads(darkroom(idle.url, "jobs", "--json").stdout)
        darkroom(idle.url, "cancel", job["id"])
        _, stderr = process.communicate(timeout=10)
    assert process.returncode == 1
    assert f"cancelled: The job {job['id']} was cancelled." in stderr
    with faststream("imaging", idle_redis):
        darkroom(idle.url, *render)
    assert names_in(tmp_path / "out") == ["a.jpg"]
    assert jobs_at(idle_redis) == before + 2


def test_without_a_gateway_it_says_so(photo: Path, tmp_path: Path) -> None:
    nowhere = "http://127.0.0.1:9"
    assert darkroom(nowhere, "jobs", code=1).stderr.startswith(f"unreachable: {nowhere}")
