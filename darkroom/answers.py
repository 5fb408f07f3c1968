"""Reading of answers of a gateway."""

from typing import TypeVar

import httpx
from pydantic import BaseModel, ValidationError

from darkroom.errors import NOT_UNDERSTOOD, GatewayError

Model = TypeVar("Model", bound=BaseModel)


def parse(model: type[Model], answer: httpx.Response) -> Model:
    """Parse a response's body, ignoring fields that a later gateway has added."""
    try:
        return model.model_validate_json(answer.content, extra="ignore")
    except ValidationError as exc:
        name = model.__name__.strip("_")
        detail = f"{answer.url} answered {answer.status_code} without a valid {name}."
        raise GatewayError(NOT_UNDERSTOOD, detail) from exc
