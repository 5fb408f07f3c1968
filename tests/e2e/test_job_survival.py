"""Accepted jobs survive stopped and killed workers, and a killed Redis."""

import os
import signal
import time
from contextlib import AbstractContextManager
from functools import partial
from hashlib import sha256
from typing import Any

import pytest

from bench.chaos.faults import FAULTS, VARIABLE, Fault
from tests.attempts import attempts
from tests.e2e.pictures import photograph
from tests.processes import HTTP, MortalValkey, Service, faststream, wait_until

pytestmark = pytest.mark.timeout(180)

WAITING = photograph()
"""A photograph whose renders end only once their worker does: see `waiting_worker`."""

TWO_ATTEMPTS = {"DARKROOM_JOB_ATTEMPTS": "2"}


def waiting_worker(mortal: MortalValkey, **env: str) -> AbstractContextManager[Service]:
    """Run a worker of one slot, whose renders of `WAITING` wait without using a processor."""
    faults = {sha256(WAITING).hexdigest(): Fault.WAIT}
    env = {"DARKROOM_SLOTS": "1", VARIABLE: FAULTS.dump_json(faults).decode(), **env}
    return faststream("bench.chaos.faulty_imaging:app", mortal.url, env=env)


def submit(gateway: Service, body: bytes, **query: Any) -> str:
    """Submit a job; return its id."""
    response = HTTP.post(f"{gateway.url}/v1/jobs", params=query, content=body, timeout=20)
    assert response.status_code == 202, response.text
    return str(response.json()["id"])


def state(gateway: Service, job: str) -> str:
    response = HTTP.get(f"{gateway.url}/v1/jobs/{job}", timeout=20)
    assert response.status_code in {200, 202, 302}, response.text
    return str(response.json()["state"])


def was_tried_again(gateway: Service, job: str) -> bool:
    return bool(HTTP.get(f"{gateway.url}/v1/jobs/{job}").json()["attempts"] == 2)


def has_succeeded(gateway: Service, job: str) -> bool:
    return state(gateway, job) == "succeeded"


def has_attempts(gateway: Service, job: str, attempts: int) -> bool:
    found = HTTP.get(f"{gateway.url}/v1/jobs/{job}").json()
    return bool(found["state"] == "running" and found["attempts"] == attempts)


def test_a_stopped_worker_finishes_its_jobs_and_the_next_worker_does_the_rest(
    mortal: MortalValkey,
) -> None:
    body = photograph(3000, 2000)
    with faststream("gateway", mortal.url) as gateway:
        with faststream("imaging", mortal.url, env={"DARKROOM_SLOTS": "1"}) as imaging:
            jobs = [submit(gateway, body, op=f"blur:{n}") for n in range(1, 7)]
            wait_until(lambda: state(gateway, jobs[0]) in {"running", "succeeded"})
            assert imaging.stop() in {0, -signal.SIGTERM}
            states = [state(gateway, job) for job in jobs]
            assert "running" not in states, "a started job is finished"
            assert "queued" in states, "no other job is started"
        with faststream("imaging", mortal.url):
            wait_until(lambda: all(state(gateway, job) == "succeeded" for job in jobs))


@pytest.mark.serial
def test_a_killed_workers_job_is_done_by_another_within_ten_seconds(mortal: MortalValkey) -> None:
    with faststream("gateway", mortal.url) as gateway:
        for number, attempt in enumerate(attempts(), start=1):
            job = submit(gateway, WAITING, op=f"blur:{number}")  # a result is used again
            with waiting_worker(mortal) as imaging:
                wait_until(partial(has_attempts, gateway, job, 1))
                imaging.signal(signal.SIGKILL)
                imaging.process.wait()
                killed = time.monotonic()
            with faststream("imaging", mortal.url):
                with attempt:
                    left = 10 - (time.monotonic() - killed)
                    wait_until(partial(was_tried_again, gateway, job), seconds=left)
                wait_until(partial(has_succeeded, gateway, job))


def test_a_long_job_survives_more_graceful_stops_than_it_has_attempts(mortal: MortalValkey) -> None:
    with faststream("gateway", mortal.url) as gateway:
        job = submit(gateway, WAITING)
        for _ in range(3):  # one more than there are attempts
            with waiting_worker(mortal, DARKROOM_GRACEFUL_TIMEOUT="0.5", **TWO_ATTEMPTS):
                wait_until(lambda: state(gateway, job) == "running")
            assert state(gateway, job) == "queued", "the job was given back"
        with faststream("imaging", mortal.url):
            wait_until(lambda: state(gateway, job) == "succeeded")


def test_a_job_whose_workers_are_killed_fails_after_its_last_attempt(mortal: MortalValkey) -> None:
    with faststream("gateway", mortal.url) as gateway:
        job = submit(gateway, WAITING)
        for attempt in (1, 2):
            with waiting_worker(mortal, **TWO_ATTEMPTS) as imaging:
                wait_until(partial(has_attempts, gateway, job, attempt))
                # With its pool process, which would finish the job alone.
                os.killpg(imaging.process.pid, signal.SIGKILL)
                imaging.process.wait()
        with faststream("imaging", mortal.url, env=TWO_ATTEMPTS):
            wait_until(lambda: state(gateway, job) == "failed")
        problem = HTTP.get(f"{gateway.url}/v1/jobs/{job}").json()["problem"]
        assert problem["code"] == "worker_crashed"


def test_accepted_jobs_survive_a_redis_that_is_killed(mortal: MortalValkey) -> None:
    with faststream("gateway", mortal.url) as gateway:
        jobs = [submit(gateway, photograph(seed=n), op="grayscale") for n in range(5)]
        mortal.kill()
        mortal.start()
        with faststream("imaging", mortal.url):
            wait_until(lambda: all(state(gateway, job) == "succeeded" for job in jobs))
