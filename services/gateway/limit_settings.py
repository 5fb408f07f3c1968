"""The settings of limits, which are a part of the gateway's."""

from typing import Annotated

from pydantic import Field

from services.runtime.settings import RuntimeSettings, WholeSeconds

_RATE = Field(ge=0, allow_inf_nan=False)


class LimitSettings(RuntimeSettings):
    """The limits of callers that have none of their own, and of projects."""

    rate_calls: Annotated[float, _RATE, Field(json_schema_extra={"x-unit": "calls a second"})] = (
        Field(
            default=0.0,
            description="Calls that each key may make, on average. 0: no limit. Where access is"
            " open, all callers together may make as many.",
        )
    )
    rate_calls_window: WholeSeconds = Field(
        default=10,
        description="Time whose calls a caller may make at once after a pause.",
    )
    rate_megapixels: Annotated[
        float, _RATE, Field(json_schema_extra={"x-unit": "megapixels a second"})
    ] = Field(
        default=0.0,
        description="Megapixels that each key may have rendered, on average: those of the image,"
        " or of the result if it is larger. A result that is stored costs none. 0: no limit."
        " Where access is open, all callers together may have as many.",
    )
    rate_megapixels_window: WholeSeconds = Field(
        default=60,
        description="Time whose megapixels a caller may have rendered at once after a pause. It has"
        " to be long enough for the largest job: one that costs more is refused.",
    )
    daily_megapixels: Annotated[int, Field(ge=0, json_schema_extra={"x-unit": "megapixels"})] = (
        Field(
            default=0,
            description="Megapixels that each project may have rendered a day (UTC). 0: no limit.",
        )
    )
