"""Each route that names something of a project, and each list: for its project, and for another."""

import json
from dataclasses import dataclass
from functools import partial
from itertools import count

import pytest
from redis import Redis
from starlette.types import ASGIApp

from contracts.access.keys import EVERY_SCOPE
from contracts.errors import WorkerCrashed
from contracts.jobs import JobState
from services.gateway.access.rules import WEBSOCKET
from services.runtime.jobs.store import Jobs
from services.runtime.redis import keys
from services.runtime.redis.client import make_redis
from tests.gateway.access.asking import OPENED, Answer, ask, make_key
from tests.gateway.access.gateways import application, settings_of
from tests.gateway.access.test_rules import CELLS, IDS, filled
from tests.imaging.pictures import encoded, scenery

OWN, OTHER = "website", "shop"
# An imported key may be a new one, so its address names nothing.
NAMING = [cell for cell in CELLS if "_id}" in cell[0] and cell != ("/v1/keys/{key_id}", "PUT")]
JSON = "application/json"
CHANGE = b'{"label": "kitchen.jpg"}'
LISTS = ["/v1/images", "/v1/jobs", "/v1/dead-letters", "/v1/keys"]


@dataclass(frozen=True)
class Things:
    """Belongings of one project: the ids of an image, of a job, and of a key."""

    image: str
    job: str
    key: str

    def path(self, path: str) -> str:
        """Return an address with these ids."""
        ids = {"image_id": self.image, "job_id": self.job, "letter_id": self.job}
        return filled(path, {**IDS, **ids, "key_id": self.key})


@pytest.fixture
def jobs(workerless_redis: str) -> Jobs:
    """The jobs on the Redis of the test, for a test that acts as a worker."""
    redis = make_redis(settings_of(workerless_redis))
    return Jobs(redis, settings_of(workerless_redis))


numbers = count(20)


async def things_of(app: ASGIApp, key: str, jobs: Jobs, *, dead: bool) -> Things:
    """Submit a job with a new image, and make a key; let the job fail for good if it is `dead`."""
    picture = encoded(scenery(next(numbers), 20), "PNG")
    submitted = await ask(app, "POST", "/v1/jobs?op=flip", key, body=picture, kind="image/png")
    assert submitted.status == 202, submitted.body
    job = json.loads(submitted.body)
    if dead:
        running = await jobs.leases.start(await jobs.find(OWN, job["id"]), "a-worker")
        assert running is not None
        problem = WorkerCrashed("It died.").failure()
        await jobs._transitions.change(running, state=JobState.FAILED, problem=problem)
    made = await make_key(app, *EVERY_SCOPE, project=OWN)
    return Things(job["source"]["key"], job["id"], made.split("_")[1])


async def test_what_a_route_names_is_there_for_its_project_alone(
    workerless_redis: str, jobs: Jobs
) -> None:
    wrong = []
    async with application(settings_of(workerless_redis)) as app:
        own, other = [await make_key(app, *EVERY_SCOPE, project=name) for name in (OWN, OTHER)]
        for path, method in NAMING:
            things = await things_of(app, own, jobs, dead="dead-letters" in path)
            ask_for = partial(ask, body=CHANGE, kind=JSON) if method == "PUT" else ask
            missing = await ask_for(app, method, filled(path), own)
            theirs = await ask_for(app, method, things.path(path), other)
            ours = await ask_for(app, method, things.path(path), own)
            # Deleting the results of an image succeeds even if there are none.
            expected = 204 if path.endswith("/renditions") else 404
            alike = _said(theirs) == _said(missing) == (expected, _said(missing)[1])
            if not alike or ours.status == 404:
                wrong.append((method, path, _said(missing), _said(theirs), _said(ours)))
    await jobs._redis.close()
    assert wrong == []


async def test_lists_and_streams_show_what_is_the_projects_own(
    workerless_redis: str, jobs: Jobs
) -> None:
    async with application(settings_of(workerless_redis)) as app:
        own, other = [await make_key(app, *EVERY_SCOPE, project=name) for name in (OWN, OTHER)]
        open_one = await things_of(app, own, jobs, dead=False)
        dead_one = await things_of(app, own, jobs, dead=True)
        with Redis.from_url(workerless_redis) as redis:
            redis.zadd(keys.images_of(OWN), {open_one.image: 1_800_000_000_000})
        shown = {"/v1/images": open_one.image, "/v1/jobs": open_one.job, "/v1/keys": open_one.key}
        shown["/v1/dead-letters"] = dead_one.job
        for path in LISTS:
            for key, has in ((own, True), (other, False)):
                answer = await ask(app, "GET", path, key)
                assert answer.status == 200, answer.body
                assert (shown[path].encode() in answer.body) is has, (path, key)

        watch = json.dumps({"watch": [open_one.job]}).encode()
        for key, state in ((own, "queued"), (other, "failed")):
            event = await ask(app, WEBSOCKET, "/v1/live", key, body=watch)
            assert event.status == OPENED
            assert json.loads(event.body)["state"] == state
        new = {"source": {"image": open_one.image}, "variants": [{}]}
        for key, status in ((own, 202), (other, 404)):
            body = json.dumps(new).encode()
            answer = await ask(app, "POST", "/v1/jobs", key, body=body, kind=JSON)
            assert answer.status == status, answer.body
    await jobs._redis.close()


def _said(answer: Answer) -> tuple[int, str]:
    """Return the status and the detail of an answer, which has one if it is a problem."""
    problem = json.loads(answer.body) if answer.body.startswith(b"{") else {}
    return answer.status, str(problem.get("detail", ""))
