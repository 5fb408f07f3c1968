"""API keys: make, list, rotate, revoke and import them. Every route needs the scope `admin`.

The operator's key, `DARKROOM_ADMIN_KEY`, reaches the keys of every project, any other key those of
its own project.
"""

from typing import Annotated, TypeVar

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import AwareDatetime, Field, ValidationError
from starlette.exceptions import HTTPException

from contracts.access.keys import ProjectName
from contracts.errors import Code, Forbidden, InvalidRequest
from contracts.explanations import explain
from contracts.message import Message
from services.gateway.access.caller import caller_of
from services.gateway.access.keys.granted_limits import check_limits
from services.gateway.access.keys.keyring import OPERATOR
from services.gateway.access.keys.records import KeyId, KeyName, KeyRecord, Limits, Scopes
from services.gateway.dependencies import Dependencies, Injected
from services.gateway.http.openapi import CHANGE_CODES, UPLOAD_CODES, answer, problems, taking
from services.gateway.http.responses import json_response
from services.gateway.sources.uploads.upload import media_type_of

router = APIRouter(tags=["keys"])

_Model = TypeVar("_Model", bound=Message)
_JSON = "application/json"
_LONGEST_GRACE = 7 * 24 * 3600
_LONGEST_LIFE = 10 * 365 * 24 * 3600

KeyIdPath = Annotated[str, Path(pattern=r"^[a-z2-7]{10}$", description="The key's id.")]


class NewKey(Message):
    """A key to make."""

    name: KeyName
    scopes: Scopes
    project: Annotated[
        ProjectName | None,
        Field(description="The project of the key; left out, that of the key of the request."),
    ] = None
    ttl: Annotated[
        int | None,
        Field(ge=1, le=_LONGEST_LIFE, description="Seconds until it ends; left out, never."),
    ] = None
    limits: Limits = None


class ApiKey(Message):
    """A key, without its secret."""

    id: KeyId
    name: KeyName
    project: ProjectName
    scopes: Scopes
    created: Annotated[AwareDatetime, Field(description="When it was made.")]
    expires: Annotated[AwareDatetime | None, Field(description="When it ends; null: never.")]
    revoked: Annotated[
        AwareDatetime | None, Field(description="When it was revoked; null for a valid key.")
    ]
    limits: Limits


class MadeKey(ApiKey):
    """A key with its text, which is shown this once."""

    key: Annotated[str, Field(description="The text to send: `dk_`, the id, `_`, and the secret.")]


class ApiKeys(Message):
    """The keys of a project, or of all projects."""

    keys: Annotated[tuple[ApiKey, ...], Field(description="The newest first.")]


class KeyRecords(Message):
    """The records of keys, with digests of their secrets."""

    keys: Annotated[tuple[KeyRecord, ...], Field(description="The newest first.")]


@router.get(
    "/v1/keys",
    summary="List the keys",
    response_model=ApiKeys | KeyRecords,
    responses={200: answer("The keys."), **problems()},
)
async def list_keys(
    request: Request,
    deps: Injected,
    digests: Annotated[
        bool,
        Query(description="Whether to return whole records, which another gateway can import."),
    ] = False,
) -> Response:
    """List the keys, those that were revoked or have expired among them; never a secret."""
    records = await deps.keys.listed(_reach(request))
    if digests:
        return json_response(KeyRecords(keys=tuple(records)))
    return json_response(ApiKeys(keys=tuple(map(_shown, records))))


@router.post(
    "/v1/keys",
    summary="Make a key",
    status_code=201,
    response_model=MadeKey,
    openapi_extra=taking(body={_JSON: {"schema": {"$ref": "#/components/schemas/NewKey"}}}),
    responses={
        201: answer("The key. Its text is shown this once.", location="The key."),
        **problems(*UPLOAD_CODES, Code.CONFLICT),
    },
)
async def make_key(request: Request, deps: Injected) -> Response:
    """Make a key for a project; the answer alone has its text.

    Only `DARKROOM_ADMIN_KEY` gives looser limits than those of the settings and of its own key.
    """
    new = await _read(request, deps, NewKey)
    reach = _reach(request)
    project = new.project or caller_of(request.scope).project
    _check_reach(reach, project)
    check_limits(caller_of(request.scope), new.limits, deps.settings)
    made = await deps.keys.make(
        new.name, project=project, scopes=new.scopes, life=new.ttl, limits=new.limits
    )
    shown = MadeKey(**dict(_shown(made.record)), key=made.token.text)
    return json_response(shown, 201, {"Location": f"/v1/keys/{made.record.id}"})


@router.put(
    "/v1/keys/{key_id}",
    summary="Import a key",
    response_model=ApiKey,
    openapi_extra=taking(body={_JSON: {"schema": {"$ref": "#/components/schemas/KeyRecord"}}}),
    responses={
        200: answer("The key as it is now."),
        **problems(*UPLOAD_CODES, Code.CONFLICT, Code.NOT_FOUND),
    },
)
async def import_key(key_id: KeyIdPath, request: Request, deps: Injected) -> Response:
    """Store the record of a key that another gateway has exported; its text counts here, too.

    A key that has ended here stays so, and of two secrets the newer one counts. Project, scopes and
    `created` of a key that is here never change.
    """
    record = await _read(request, deps, KeyRecord)
    if record.id != key_id:
        raise InvalidRequest("The record is of another key than the address.")
    reach = _reach(request)
    _check_reach(reach, record.project)
    check_limits(caller_of(request.scope), record.limits, deps.settings)
    return json_response(_shown(await deps.keys.put(record, project=reach)))


@router.post(
    "/v1/keys/{key_id}/rotate",
    summary="Give a key another secret",
    response_model=MadeKey,
    responses={
        200: answer("The key. Its new text is shown this once."),
        **problems(*CHANGE_CODES, Code.NOT_FOUND, Code.OVERLOADED),
    },
)
async def rotate_key(
    key_id: KeyIdPath,
    request: Request,
    deps: Injected,
    grace: Annotated[
        int,
        Query(ge=0, le=_LONGEST_GRACE, description="Seconds for which the old secret counts."),
    ] = 0,
) -> Response:
    """Give a key another secret; its id, project and scopes stay. Sessions of the key end."""
    made = await deps.keys.rotate(key_id, project=_reach(request), grace=grace)
    return json_response(MadeKey(**dict(_shown(made.record)), key=made.token.text))


@router.delete(
    "/v1/keys/{key_id}",
    summary="Revoke a key",
    status_code=204,
    responses={
        204: answer("The key counts nowhere any more, a second later at the latest."),
        **problems(*CHANGE_CODES, Code.NOT_FOUND, Code.OVERLOADED),
    },
)
async def revoke_key(key_id: KeyIdPath, request: Request, deps: Injected) -> Response:
    """Revoke a key for ever, with its sessions and its event streams. The list keeps it."""
    await deps.keys.revoke(key_id, project=_reach(request))
    return Response(status_code=204)


def _reach(request: Request) -> str | None:
    """Return the project whose keys a caller reaches; None for all of them."""
    caller = caller_of(request.scope)
    return None if caller.key == OPERATOR else caller.project


def _check_reach(reach: str | None, project: str) -> None:
    if reach not in (None, project):
        raise Forbidden(f"This key makes keys of its own project alone, which is `{reach}`.")


def _shown(record: KeyRecord) -> ApiKey:
    return ApiKey(**{name: getattr(record, name) for name in ApiKey.model_fields})


async def _read(request: Request, deps: Dependencies, model: type[_Model]) -> _Model:
    """Read a JSON body. Raises InvalidRequest, and HTTPException for another type of body."""
    if media_type_of(request) != _JSON:
        raise HTTPException(415, "A key is described in JSON.", headers={"Accept": _JSON})
    try:
        return model.model_validate_json(await deps.uploads.read_json(request))
    except ValidationError as exc:
        raise InvalidRequest(explain(exc, model)) from exc
