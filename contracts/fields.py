"""Fields that several operations have: what a number may be."""

from typing import Annotated

from pydantic import Field

MAX_SIDE = 16_384

Pixels = Annotated[int, Field(ge=1, le=MAX_SIDE)]
Offset = Annotated[int, Field(ge=0, le=1_000_000)]
Factor = Annotated[float, Field(ge=0, le=10, allow_inf_nan=False)]
