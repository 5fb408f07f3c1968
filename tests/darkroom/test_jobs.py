"""The commands for jobs, dead letters and workers: list, show, cancel, requeue."""

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
from tests.darkroom.command import (
    count_jobs,
    files_in,
    run_darkroom,
    started,
    write_photograph,
)
from tests.processes import Service, faststream, wait_until
from tests.runtime.echo import settings_for

CRASHED = WorkerCrashed("The process died of [signal 9].").failure()


@pytest.fixture
async def client(idle: Service) -> AsyncIterator[Client]:
    async with Client(idle.url, submitter="agency-7") as client:
        yield client


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    return write_photograph(tmp_path / "a.jpg", seed=7)


async def submitted(client: Client, photo: Path) -> Job:
    pipeline = parse_pipeline(["rotate:90"], "webp")
    return (await client.submit(photo, pipeline, key=str(photo))).job


async def fail_for_good(job: Job, redis_url: str) -> None:
    """Let a worker take a job and end it as a dead letter, as after a crash."""
    settings = settings_for(redis_url)
    redis = make_redis(settings)
    jobs = Jobs(redis, settings)
    taken = await jobs.leases.start(job, "a-worker")
    assert taken is not None
    await jobs.leases.add_result(taken, JobResult(problem=CRASHED))
    await redis.close()


async def test_open_jobs_are_listed_until_they_are_cancelled(
    idle: Service, client: Client, photo: Path
) -> None:
    job = await submitted(client, photo)
    assert job.id in run_darkroom(idle.url, "jobs").stdout
    (listed,) = json.loads(run_darkroom(idle.url, "jobs", "--json").stdout)
    assert (listed["id"], listed["submitter"]) == (job.id, "agency-7")
    about = run_darkroom(idle.url, "job", job.id).stdout
    assert "op=rotate:degrees=90.0 format=webp" in about
    cancelled = json.loads(run_darkroom(idle.url, "cancel", job.id, "--json").stdout)
    assert cancelled["state"] == "cancelled"
    assert json.loads(run_darkroom(idle.url, "jobs", "--json").stdout) == []


async def test_a_dead_letter_is_listed_with_its_reason_and_can_be_requeued(
    idle: Service, idle_redis: str, client: Client, photo: Path
) -> None:
    job = await submitted(client, photo)
    await fail_for_good(job, idle_redis)
    listed = run_darkroom(idle.url, "dead").stdout
    assert job.id in listed
    assert "The process died of [signal 9]." in listed
    about = run_darkroom(idle.url, "job", job.id).stdout
    assert f"{idle.url}/guide/errors/worker_crashed" in about
    (letter,) = json.loads(run_darkroom(idle.url, "dead", "--json").stdout)
    assert (letter["job"], letter["problem"]["code"]) == (job.id, "worker_crashed")
    assert "queued" in run_darkroom(idle.url, "requeue", job.id).stdout
    assert json.loads(run_darkroom(idle.url, "dead", "--json").stdout) == []
    refused = run_darkroom(idle.url, "requeue", job.id, code=1)
    assert refused.stderr.startswith("not_found: ")
    await client.cancel(job.id)


def test_workers_and_queues_are_listed(gateway_url: str) -> None:
    system = json.loads(run_darkroom(gateway_url, "workers", "--json").stdout)
    (name,) = system["workers"]
    shown = run_darkroom(gateway_url, "workers").stdout
    assert name in shown
    assert "imaging.render:stream" in shown


def test_a_cancelled_job_fails_the_render_and_the_next_run_makes_a_new_job(
    idle: Service, idle_redis: str, photo: Path, tmp_path: Path
) -> None:
    render = ("render", photo, "--op", "grayscale", "--out", tmp_path / "out")
    before = count_jobs(idle_redis)
    with started(idle.url, *render) as process:
        wait_until(lambda: count_jobs(idle_redis) > before)
        (job,) = json.loads(run_darkroom(idle.url, "jobs", "--json").stdout)
        run_darkroom(idle.url, "cancel", job["id"])
        _, stderr = process.communicate(timeout=40)
    assert process.returncode == 1
    assert f"cancelled: The job {job['id']} was cancelled." in stderr
    with faststream("imaging", idle_redis):
        run_darkroom(idle.url, *render)
    assert files_in(tmp_path / "out") == ["a.jpg"]
    assert count_jobs(idle_redis) == before + 2


def test_an_unreachable_gateway_is_reported(photo: Path, tmp_path: Path) -> None:
    nowhere = "http://127.0.0.1:9"
    assert run_darkroom(nowhere, "jobs", code=1).stderr.startswith(f"unreachable: {nowhere}")
