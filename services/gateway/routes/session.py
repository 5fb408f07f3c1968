"""Sessions of browsers, which can't send a key with a WebSocket, an event stream or an `<img>`."""

import time
from datetime import UTC, datetime
from typing import Annotated, Literal, TypedDict

from fastapi import APIRouter, Request, Response
from pydantic import AwareDatetime, Field

from contracts.access.keys import ProjectName
from contracts.errors import Unauthorized
from contracts.message import Message
from services.gateway.access.caller import caller_of
from services.gateway.access.identifiers import keys_in
from services.gateway.access.keys.records import Scopes
from services.gateway.access.keys.sessions import cookie_name, make_session
from services.gateway.dependencies import Injected
from services.gateway.http.openapi import CHANGE_CODES, answer, problems
from services.gateway.http.responses import json_response
from services.gateway.middleware.prefix import prefix_of

router = APIRouter(tags=["keys"])


class Session(Message):
    """Project and scopes of a browser that has signed in with a key."""

    key: Annotated[str, Field(description="The id of the key.")]
    project: ProjectName
    scopes: Scopes
    ends: Annotated[AwareDatetime, Field(description="When the browser has to sign in again.")]


@router.post(
    "/v1/session",
    summary="Sign in with a key",
    response_model=Session,
    responses={
        200: answer("The session. Its cookie is in `Set-Cookie`."),
        **problems(*CHANGE_CODES),
    },
)
async def sign_in(request: Request, deps: Injected) -> Response:
    """Trade the key in `Authorization` for a cookie, which a browser sends with every request.

    The cookie is out of reach of scripts (`HttpOnly`) and of pages of other sites
    (`SameSite=Strict`). It ends with its key, and after `DARKROOM_SESSION_TTL`.
    """
    caller = caller_of(request.scope)
    known = deps.keys.ring.caller_of_id(caller.key)
    # A cookie makes no other one, so that a session can't last for ever.
    if known is None or not keys_in(request.scope):
        raise Unauthorized(
            "A session begins with a key: send it as `Authorization: Bearer dk_...`."
        )
    life = deps.settings.session_ttl
    ends = int(time.time()) + life
    secret = await deps.keys.session_secret()
    session = Session(
        key=caller.key,
        project=caller.project,
        scopes=caller.scopes,
        ends=datetime.fromtimestamp(ends, UTC),
    )
    response = json_response(session)
    response.set_cookie(
        cookie_name(request.scope),
        make_session(caller.key, ends, known[1], secret),
        max_age=life,
        **_attributes(request),
    )
    return response


@router.delete(
    "/v1/session",
    summary="Sign out",
    status_code=204,
    responses={204: answer("The browser has no session any more."), **problems(*CHANGE_CODES)},
)
async def sign_out(request: Request) -> Response:
    """Have the browser forget its cookie, and the answers that it has kept (`Clear-Site-Data`)."""
    response = Response(status_code=204, headers={"Clear-Site-Data": '"cache"'})
    response.delete_cookie(cookie_name(request.scope), **_attributes(request))
    return response


class _Attributes(TypedDict):
    path: str
    secure: bool
    httponly: bool
    samesite: Literal["strict"]


def _attributes(request: Request) -> _Attributes:
    """Return the attributes of the cookie, which are the same when it is deleted."""
    return {
        # Gateways below other prefixes of the same host have cookies of their own.
        "path": prefix_of(request.scope) or "/",
        "secure": request.scope["scheme"] == "https",
        "httponly": True,
        "samesite": "strict",
    }
