"""Variants of a job in JSON: each is a pipeline, or names a preset."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import ConfigDict, Discriminator, Field, Tag

from contracts.access.presets import PresetName, VariableValue
from contracts.errors import InvalidOperation
from contracts.jobs import MAX_VARIANTS
from contracts.message import Message
from contracts.operations.pipeline import Pipeline
from services.gateway.access.presets.presets import Presets


class PresetVariant(Message):
    """A preset with the values of its variables."""

    model_config = ConfigDict(
        extra="allow", json_schema_extra={"examples": [{"preset": "card", "w": 640}]}
    )
    __pydantic_extra__: dict[str, VariableValue]

    preset: PresetName


def _kind(value: Any) -> str:
    named = "preset" in value if isinstance(value, Mapping) else isinstance(value, PresetVariant)
    return PresetVariant.__name__ if named else Pipeline.__name__


NewVariant = Annotated[
    Annotated[Pipeline, Tag(Pipeline.__name__)]
    | Annotated[PresetVariant, Tag(PresetVariant.__name__)],
    Discriminator(_kind),
]
NewVariants = Annotated[
    tuple[NewVariant, ...],
    Field(
        min_length=1,
        max_length=MAX_VARIANTS,
        description="Pipelines of the job, or presets with the values of their variables. Each "
        "gives one result, in the same order.",
    ),
]


def pipelines_of(
    variants: tuple[Pipeline | PresetVariant, ...], presets: Presets, project: str
) -> tuple[Pipeline, ...]:
    """Return the pipelines of variants. Raises InvalidOperation, which names the variant."""
    pipelines = []
    for number, variant in enumerate(variants):
        if isinstance(variant, PresetVariant):
            values = {name: str(value) for name, value in variant.__pydantic_extra__.items()}
            try:
                variant = presets.pipeline(variant.preset, values, project)
            except InvalidOperation as exc:
                raise InvalidOperation(f"variants.{number}: {exc.detail}") from exc
        pipelines.append(variant)
    return tuple(pipelines)
