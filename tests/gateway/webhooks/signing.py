"""The secret that the tests sign webhooks with, and its verification as a receiver does it."""

import base64
from typing import Any

from standardwebhooks import Webhook as Signer

from tests.gateway.receiver import Received

SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()
NEW_SECRET = "whsec_" + base64.b64encode(bytes(range(32, 64))).decode()


def verified(request: Received) -> dict[str, Any]:
    """Return the body of a webhook, verified by the library of Standard Webhooks."""
    event: dict[str, Any] = Signer(SECRET).verify(request.body, request.headers)
    return event
