"""Each project has a secret of its own: its receivers can sign nothing for another project."""

import json

import pytest
from pydantic import SecretStr
from standardwebhooks import Webhook as Signer
from standardwebhooks import WebhookVerificationError

from contracts.access.keys import KeyScope
from contracts.jobs import Webhook
from contracts.operations.pipeline import Pipeline
from services.gateway.webhooks.secrets import secrets_of
from services.runtime.redis.client import RedisClient
from tests.gateway.access.asking import ask, make_key
from tests.gateway.access.gateways import ADMIN_KEY, application, settings_of
from tests.gateway.receiver import Received, receiver
from tests.gateway.webhooks.dispatching import BLOB, dispatching, jobs_on
from tests.gateway.webhooks.signing import NEW_SECRET, SECRET, verified
from tests.stored_images import store_image

PATH = "/v1/webhook-secret"
# printf 'darkroom-webhook-1\nwebsite' | openssl dgst -sha256 -mac HMAC -macopt hexkey:0001...1f
# -binary | base64
WEBSITE = "whsec_WkWh0AvLT62fq9URzlHwW7L4/nkuQ3dfIRoifCOcQEk="


def test_the_secret_of_a_project_is_derived_from_the_setting() -> None:
    assert secrets_of("website", [SECRET]) == [WEBSITE]
    assert secrets_of("website", [SECRET.rstrip("=")]) == [WEBSITE]
    assert secrets_of("default", [NEW_SECRET, SECRET]) == [NEW_SECRET, SECRET]
    assert len({*secrets_of("website", [NEW_SECRET, SECRET]), *secrets_of("shop", [SECRET])}) == 3


async def delivered(redis: RedisClient, redis_url: str, project: str, secret: str) -> Received:
    """Return the webhook of a project's job, sent by a gateway with this setting."""
    jobs = jobs_on(redis)
    await store_image(redis, BLOB, project=project)
    async with (
        receiver() as listening,
        dispatching(redis_url, webhook_secret=SecretStr(secret)),
    ):
        webhook = Webhook(url=listening.url)
        job = await jobs.submit(
            BLOB.key, (Pipeline(),), submitter="agency", project=project, webhook=webhook
        )
        await jobs.cancel(project, job.id)
        [request] = await listening.receive(1)
    return request


async def test_a_webhook_is_signed_with_the_secrets_of_its_project_alone(
    redis: RedisClient, redis_url: str
) -> None:
    request = await delivered(redis, redis_url, "website", f"{NEW_SECRET} {SECRET}")

    for secret in secrets_of("website", [NEW_SECRET, SECRET]):
        event = Signer(secret).verify(request.body, request.headers)
        assert event["project"] == "website"
    for secret in (SECRET, NEW_SECRET, *secrets_of("shop", [NEW_SECRET, SECRET])):
        with pytest.raises(WebhookVerificationError):
            Signer(secret).verify(request.body, request.headers)


async def test_in_default_the_setting_signs_the_body_of_before(
    redis: RedisClient, redis_url: str
) -> None:
    request = await delivered(redis, redis_url, "default", SECRET)

    assert verified(request).keys() == {"type", "timestamp", "data"}


async def test_admins_read_the_secret_of_their_own_project(redis_url: str) -> None:
    async with application(settings_of(redis_url, webhook_secret=SECRET)) as app:
        website, default = [
            await make_key(app, KeyScope.ADMIN, project=name) for name in ("website", "default")
        ]
        own = await ask(app, "GET", PATH, website)
        others = [
            await ask(app, "GET", f"{PATH}?project=shop", website),
            await ask(app, "GET", f"{PATH}?project=default", website),
            await ask(app, "GET", f"{PATH}?project=website", default),
            # The secrets of all projects are made of that of this one.
            await ask(app, "GET", PATH, default),
        ]
        shown = [
            json.loads((await ask(app, "GET", path, ADMIN_KEY)).body)
            for path in (PATH, f"{PATH}?project=website")
        ]

    assert json.loads(own.body) == {"project": "website", "secrets": [WEBSITE]}
    assert own.headers["cache-control"] == "no-store"
    assert [answer.status for answer in others] == [403] * 4
    assert not any(b"whsec_" in answer.body for answer in others)
    assert [each["secrets"] for each in shown] == [[SECRET], [WEBSITE]]


async def test_without_the_setting_there_is_no_secret_and_in_open_nobody_reads_it(
    redis_url: str,
) -> None:
    async with application(settings_of(redis_url)) as app:
        assert (await ask(app, "GET", PATH, ADMIN_KEY)).status == 404
    async with application(settings_of(redis_url, access="open", webhook_secret=SECRET)) as app:
        answer = await ask(app, "GET", PATH)
        assert (answer.status, SECRET.encode() in answer.body) == (401, False)
        assert (await ask(app, "GET", PATH, ADMIN_KEY)).status == 200
