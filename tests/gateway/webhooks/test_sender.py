"""One try to deliver a webhook: its signatures, and how its status is understood."""

import base64
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from email.utils import formatdate

import pytest
from standardwebhooks import Webhook as Signer
from standardwebhooks import WebhookVerificationError

from contracts.imaging import Blob
from contracts.jobs import Job, JobResult, JobState
from contracts.operations.pipeline import Pipeline
from services.gateway.webhooks.sender import DeliveryFailed, ReceiverGone, WebhookSender
from tests.gateway.receiver import receiver
from tests.gateway.webhooks.signing import NEW_SECRET, SECRET
from tests.processes import free_port

BLOB = Blob(key="a" * 64, media_type="image/png", bytes=1)
OTHER_SECRET = "whsec_" + base64.b64encode(bytes(32)).decode()
NOW = datetime.now(UTC)
JOB = Job(
    id="f" * 32,
    state=JobState.SUCCEEDED,
    source=BLOB,
    variants=(Pipeline(),),
    results=(JobResult(blob=BLOB),),
    submitter="agency",
    created_at=NOW,
    updated_at=NOW,
)


@pytest.fixture
async def sender() -> AsyncIterator[WebhookSender]:
    sender = WebhookSender([NEW_SECRET, SECRET], timeout=20, allow_private=True)
    yield sender
    await sender.close()


async def test_while_secrets_change_either_one_verifies(sender: WebhookSender) -> None:
    async with receiver() as listening:
        await sender.send("default", listening.url, JOB)

    (request,) = listening.requests
    for secret in (NEW_SECRET, SECRET):
        assert Signer(secret).verify(request.body, request.headers)
    with pytest.raises(WebhookVerificationError):
        Signer(OTHER_SECRET).verify(request.body, request.headers)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        *(("7", 7), (formatdate(4_000_000_000, usegmt=True), 1e9), ("soon", 0), ("-1", 0)),
        ("Mon, 01 Jan 2024 00:00:00 +99999999999999999999", 0),
    ],
)
async def test_both_forms_of_retry_after_are_understood(
    value: str, seconds: float, sender: WebhookSender
) -> None:
    async with receiver(f"503 Service Unavailable\r\nRetry-After: {value}") as listening:
        with pytest.raises(DeliveryFailed, match="status 503") as failed:
            await sender.send("default", listening.url, JOB)

    expected = 4_000_000_000 - datetime.now().timestamp() if seconds == 1e9 else seconds
    assert failed.value.after == pytest.approx(expected, abs=5)


async def test_410_is_no_failure_to_retry(sender: WebhookSender) -> None:
    async with receiver("410 Gone") as listening:
        with pytest.raises(ReceiverGone):
            await sender.send("default", listening.url, JOB)


@pytest.mark.parametrize("path", ["/hook?token=t", "/"])
async def test_a_failed_connection_is_named_without_its_url(
    path: str, sender: WebhookSender
) -> None:
    with pytest.raises(DeliveryFailed, match="ConnectError") as failed:
        await sender.send("default", f"http://127.0.0.1:{free_port()}{path}", JOB)
    assert "token" not in str(failed.value)
