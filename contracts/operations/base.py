"""Base class of all operations: what documents and pages show of one."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar

from pydantic import ConfigDict, GetJsonSchemaHandler
from pydantic.fields import ComputedFieldInfo, FieldInfo
from pydantic_core import CoreSchema

from contracts.message import Message


class Sample(StrEnum):
    """An image that an operation can be demonstrated on."""

    PHOTOGRAPH = "photograph"
    ENLARGEMENT = "enlargement"  # the same photograph, three times as wide
    HAZE = "haze"  # the photograph with little contrast
    SCAN = "scan"  # the photograph on a background that is not evenly white


@dataclass(frozen=True)
class Demonstration:
    """Example of an operation in the documents: a client's query, and the image that it edits."""

    operations: tuple[str, ...]
    """Values of the query's `op`, in order. LOGO stands for the id of an uploaded logo."""
    sample: Sample = Sample.PHOTOGRAPH


def _title(name: str, _: FieldInfo | ComputedFieldInfo) -> str:
    return name.replace("_", " ").capitalize()


class BaseOperation(Message):
    """One step on an image.

    A subclass with fields has the field `op`, its name in messages and queries, and sets
    `demonstration`. Documents show its docstring: the first paragraph describes the operation, the
    second one (if any) says which fields need or exclude each other. Its JSON schema has everything
    from which a page builds controls: title, description, `x-family`, and of each field the title,
    description, type, limits, default, choices, `x-unit`, and the format `color` (with `x-opaque`
    if the colour has to be opaque) or `image-id`.
    """

    model_config = ConfigDict(field_title_generator=_title)

    family: ClassVar[str]
    """Name of the group of operations that it is shown with."""
    demonstration: ClassVar[Demonstration]

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        """Raise TypeError for an operation without a demonstration."""
        super().__pydantic_init_subclass__(**kwargs)
        if cls.model_fields and not hasattr(cls, "demonstration"):
            raise TypeError(f"{cls.__name__} needs a demonstration for the documents.")

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """Add the family to the JSON schema, and make `op` a required constant.

        Pydantic takes a field with a default for one that may be left out; but `op` tells which
        operation it is. Code generators name the type of a constant by its title, so each has a
        title of its own.
        """
        described = handler(schema)
        whole = handler.resolve_ref_schema(described)
        if hasattr(cls, "family"):
            whole["x-family"] = cls.family
        if op := whole.get("properties", {}).get("op"):
            op.pop("default", None)
            op["title"] = f"{cls.__name__} op"
            whole["required"] = list(dict.fromkeys(["op", *whole.get("required", [])]))
        return described
