"""The secret with which the receivers of a project verify webhooks."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import ConfigDict, Field

from contracts.access.keys import DEFAULT_PROJECT, ProjectName
from contracts.errors import Code, Forbidden, NotFound
from contracts.message import Message
from services.gateway.access.caller import caller_of
from services.gateway.access.keys.keyring import OPERATOR
from services.gateway.dependencies import Injected
from services.gateway.http.openapi import answer, problems
from services.gateway.http.responses import json_response
from services.gateway.webhooks.secrets import secrets_of

router = APIRouter(tags=["keys"])


class WebhookSecret(Message):
    """The secret with which the receivers of a project verify webhooks."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "project": "website",
                    "secrets": ["whsec_bm9ib2R5IHNob3VsZCB1c2UgdGhpcyBleGFtcGxlISE="],
                }
            ]
        }
    )

    project: ProjectName
    secrets: Annotated[
        tuple[str, ...],
        Field(
            description="`whsec_` and bytes in base64, by Standard Webhooks: one, and two while "
            "the operator changes it. A webhook has a signature of each."
        ),
    ]


@router.get(
    "/v1/webhook-secret",
    summary="Show the secret of webhooks",
    response_model=WebhookSecret,
    responses={200: answer("The secret."), **problems(Code.NOT_FOUND)},
)
async def webhook_secret(
    request: Request,
    deps: Injected,
    project: Annotated[
        ProjectName | None,
        Query(
            description="The project whose secret to show, for the operator's key; left out, that "
            "of the key of the request."
        ),
    ] = None,
) -> Response:
    """Show the secret that signs the webhooks of a project, for those who run its receivers.

    Each project has a secret of its own. The secret of `default` is the gateway's setting, of which
    those of all other projects are made, so that the operator's key alone can read it.
    """
    caller = caller_of(request.scope)
    named = project or caller.project
    if caller.key != OPERATOR and named != caller.project:
        raise Forbidden(f"This key shows the secret of its own project, `{caller.project}`.")
    if caller.key != OPERATOR and named == DEFAULT_PROJECT:
        raise Forbidden("The secret of `default` is the gateway's setting: ask its operator.")
    secrets = secrets_of(named, deps.settings.webhook_secrets)
    if not secrets:
        raise NotFound("This gateway sends no webhooks: it has no DARKROOM_WEBHOOK_SECRET.")
    return json_response(WebhookSecret(project=named, secrets=tuple(secrets)))
