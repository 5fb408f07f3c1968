"""What OpenAPI is told about bodies that FastAPI doesn't see: images and problems."""

from typing import Any

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
            "type": {"type": "string"},
            "title": {"type": "string"},
            "status": {"type": "integer"},
            "detail": {"type": "string"},
            "code": {"type": "string"},
            "correlation_id": {"type": "string"},
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
        "description": "The request or the image can't be served; `code` says why.",
        "content": {"application/problem+json": _PROBLEM},
    },
    "5XX": {
        "description": "The service can't answer now; a 503 has `Retry-After`.",
        "content": {"application/problem+json": _PROBLEM},
    },
}
