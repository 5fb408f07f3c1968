"""The secrets that sign the webhooks of each project: derived from the setting.

A signature is an HMAC: a receiver that can verify one can make one. With one secret for all
projects, a receiver of one project could forge webhooks to those of another.
"""

import hashlib
import hmac
from base64 import b64decode, b64encode
from collections.abc import Sequence

from contracts.access.keys import DEFAULT_PROJECT

_PREFIX = "whsec_"
_CONTEXT = "darkroom-webhook-1\n"  # begins no text that is signed: those begin with a webhook's id


def secrets_of(project: str, secrets: Sequence[str]) -> list[str]:
    """Return the secrets of a project, one for each of the setting, in the same order.

    The project `default` has those of the setting, which receivers had before there were projects.
    """
    if project == DEFAULT_PROJECT:
        return [*secrets]
    return [_derived(secret, project) for secret in secrets]


def _derived(secret: str, project: str) -> str:
    text = secret.removeprefix(_PREFIX)
    key = b64decode(text + "=" * (-len(text) % 4))
    derived = hmac.digest(key, (_CONTEXT + project).encode(), hashlib.sha256)
    return _PREFIX + b64encode(derived).decode()
