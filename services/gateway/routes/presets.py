"""The list of presets: for clients that build URLs, and for people."""

from typing import Annotated

from fastapi import APIRouter, Request, Response
from pydantic import ConfigDict, Field

from contracts.access.presets import Preset
from contracts.imaging import RENDER_VERSION
from contracts.message import Message
from services.gateway.access.caller import caller_of
from services.gateway.access.presets.presets import version_of
from services.gateway.dependencies import Injected
from services.gateway.http.openapi import answer, problems
from services.gateway.http.responses import json_response

router = APIRouter(tags=["render"])


class ListedPreset(Preset):
    """A preset, and the version for URLs."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "name": "card",
                    "op": ["resize:width=$w,height=$h,fit=cover"],
                    "vary": {"w": [320, 640], "h": [240, 480]},
                    "version": 3,
                    "v": f"3.{RENDER_VERSION}",
                }
            ]
        }
    )

    v: Annotated[
        str | None,
        Field(
            description="The value of `v` with which caches may keep an answer for a year: the "
            "versions of the preset and of the engine. Null for a preset without a version."
        ),
    ]


class PresetList(Message):
    """The presets that the caller's project may use."""

    presets: Annotated[tuple[ListedPreset, ...], Field(description="In the order of the file.")]


@router.get(
    "/v1/presets",
    summary="List the presets",
    response_model=PresetList,
    responses={200: answer("The presets."), **problems()},
)
async def presets(request: Request, deps: Injected) -> Response:
    """List the presets of the gateway that the project may use, in the order of the file.

    Use one as `?preset=card&w=640` wherever an address takes `op`, with each variable of its
    `vary`, and without `op` and parameters of the output.
    """
    listed = deps.presets.of_project(caller_of(request.scope).project)
    return json_response(
        PresetList(
            presets=tuple(ListedPreset(**one.model_dump(), v=version_of(one)) for one in listed)
        )
    )
