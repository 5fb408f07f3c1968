"""OpenAPI for bodies that FastAPI can't derive: images, problems, and JSON that routes parse."""

from typing import Any

from fastapi import FastAPI
from pydantic.json_schema import models_json_schema

from contracts.message import Message

_BYTES = {"schema": {"type": "string", "format": "binary"}}
_FORM = {
    "schema": {
        "type": "object",
        "required": ["file"],
        "properties": {"file": {"type": "string", "format": "binary"}},
    }
}
_PROBLEM = {
    "schema": {
        "type": "object",
        "properties": {
            "type": {
                "type": "string",
                "format": "uri-reference",
                "description": "Address of the code's page in the guide.",
                "examples": ["/guide/errors/image_unreadable"],
            },
            "title": {"type": "string", "description": "The code in words; one for each code."},
            "status": {"type": "integer", "description": "The HTTP status."},
            "detail": {"type": "string", "description": "What is wrong with this request."},
            "code": {
                "type": "string",
                "description": "Name of the error for programs. It never changes.",
                "examples": ["image_unreadable"],
            },
            "correlation_id": {
                "type": "string",
                "description": "The id of this request in the logs, as in `X-Correlation-ID`.",
            },
        },
    }
}

IMAGE_CONTENT = {"image/*": _BYTES, "multipart/form-data": _FORM}
IMAGE_BODY: dict[str, Any] = {"requestBody": {"required": True, "content": IMAGE_CONTENT}}
IMAGE_ANSWER: dict[int | str, dict[str, Any]] = {
    200: {"description": "The image.", "content": {"image/*": _BYTES}}
}
PROBLEMS: dict[int | str, dict[str, Any]] = {
    "4XX": {
        "description": "The request is wrong, or the image can't be used; `code` gives the reason, "
        "and `type` opens the page that explains the code.",
        "content": {"application/problem+json": _PROBLEM},
    },
    "5XX": {
        "description": "The service can't answer now; a 503 has `Retry-After`.",
        "content": {"application/problem+json": _PROBLEM},
    },
}


def define_schemas(http: FastAPI, *models: type[Message]) -> None:
    """Add the schemas of `models` to the OpenAPI document, so that routes can refer to them.

    Call this after the last route: FastAPI would build the document again, without them.
    """
    _, schemas = models_json_schema(
        [(model, "validation") for model in models],
        ref_template="#/components/schemas/{model}",
    )
    document = http.openapi()
    document["components"]["schemas"] = {**schemas["$defs"], **document["components"]["schemas"]}
