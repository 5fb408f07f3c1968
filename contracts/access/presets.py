"""Presets: named pipelines with variables, each with the list of values that it may have."""

import re
from collections.abc import Iterator, Mapping
from typing import Annotated

from pydantic import AfterValidator, ConfigDict, Field, StrictInt, StringConstraints

from contracts.access.keys import ProjectName
from contracts.errors import InvalidOperation
from contracts.fields import Expected
from contracts.message import Message
from contracts.operations.notation import COMMA, parse_pipeline
from contracts.operations.pipeline import MAX_OPERATIONS, Pipeline

MAX_PRESETS = 1000
_MAX_NAME = 40  # characters of a name that an error repeats
_VARIABLE = re.compile(r"\$(?:\$|([a-z][a-z0-9_]*))")

PresetName = Annotated[
    str,
    Field(
        pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$",
        examples=["card"],
        description="Name of a preset: up to 64 lower-case letters, digits, `-` and `_`.",
    ),
    Expected(
        "should be up to 64 lower-case letters, digits, `-` and `_`, with a letter or a digit first"
    ),
]
VariableName = Annotated[
    str,
    Field(pattern=r"^[a-z][a-z0-9_]{0,31}$", examples=["w"]),
    Expected("should be up to 32 lower-case letters, digits and `_`, with a letter first"),
]


def _check_text(text: str) -> str:
    # A comma is escaped where the text is used; a backslash before it would undo the escape.
    if "\\" in text or not text.isprintable():
        raise ValueError
    return text


VariableValue = Annotated[
    StrictInt
    | Annotated[
        str,
        StringConstraints(strict=True, min_length=1, max_length=200),
        AfterValidator(_check_text),
    ],
    Expected("should be a whole number or a text of printable characters, without a backslash"),
]
Names = Annotated[tuple[str, ...], Field(max_length=100)]


class Preset(Message):
    """A named pipeline with variables."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "name": "card",
                    "op": ["resize:width=$w,height=$h,fit=cover"],
                    "output": {"format": "auto"},
                    "vary": {"w": [320, 640], "h": [240, 480]},
                    "version": 3,
                    "public": True,
                }
            ]
        }
    )

    name: PresetName
    op: Annotated[
        tuple[Annotated[str, Field(max_length=2000)], ...],
        Field(
            max_length=MAX_OPERATIONS,
            description="Operations in the notation of a query. A value may contain variables: "
            "`$w`. `$$` stands for a dollar sign.",
        ),
    ] = ()
    output: Annotated[
        dict[str, str],
        Field(
            default_factory=dict,
            description="How the result is encoded, by the names of a query's parameters.",
        ),
    ]
    vary: Annotated[
        dict[
            VariableName, Annotated[tuple[VariableValue, ...], Field(min_length=1, max_length=64)]
        ],
        Field(
            default_factory=dict,
            max_length=8,
            description="The values that each variable may have.",
        ),
    ]
    version: Annotated[
        StrictInt | None,
        Field(
            ge=1,
            le=1_000_000,
            description="Number of the preset's present form, for `v` in a URL; null without one.",
        ),
    ] = None
    sources: Annotated[
        Names | None,
        Field(
            description="Names of the sources from which `GET /v1/fetch` takes images for it; null "
            "for all. Callers with a key may use it with any other image, as they may send any "
            "operations.",
        ),
    ] = None
    max_age: Annotated[
        StrictInt | None,
        Field(
            ge=0,
            le=31_536_000,
            description="Seconds for which caches may keep its results; null for the gateway's "
            "`DARKROOM_MAX_AGE`.",
            json_schema_extra={"x-unit": "seconds"},
        ),
    ] = None
    public: Annotated[
        bool,
        Field(
            description="Whether everybody may use it, with `DARKROOM_ANONYMOUS=presets`.",
        ),
    ] = False
    project: Annotated[
        ProjectName | None,
        Field(description="The only project that may use it; null for all of them."),
    ] = None

    def __hash__(self) -> int:
        return hash(self.name)

    def query(self, values: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
        """Return the parameters of a query that ask the same: `op` in order, then the output.

        `values` has each variable of the preset, as text. Raises InvalidOperation for a variable
        that is missing or unknown, and for a value that is not listed.
        """
        self._check(values)
        operations = (("op", _substituted(text, values, escaped=True)) for text in self.op)
        output = ((name, _substituted(text, values)) for name, text in self.output.items())
        return (*operations, *output)

    def pipeline(self, values: Mapping[str, str]) -> Pipeline:
        """Return the preset's pipeline. Raises InvalidOperation, as for `query`."""
        operations = []
        output = {}
        for name, text in self.query(values):
            if name == "op":
                operations.append(text)
            else:
                output[name] = text
        return parse_pipeline(operations, **output)

    def _check(self, values: Mapping[str, str]) -> None:
        for name in values:
            if name not in self.vary:
                there = f"it has {', '.join(self.vary)}" if self.vary else "it has none"
                raise InvalidOperation(
                    f"{name[:_MAX_NAME]!r} is no variable of the preset {self.name!r}; {there}."
                )
        for name, listed in self.vary.items():
            given = values.get(name)
            if given is None or given not in map(str, listed):
                there = ", ".join(map(str, listed))
                fault = "is missing" if given is None else f"can't be {given[:_MAX_NAME]!r}"
                raise InvalidOperation(
                    f"{name!r} of the preset {self.name!r} {fault}; there are: {there}."
                )


def used_variables(text: str) -> Iterator[str]:
    """Yield the variables in a template."""
    return (match[1] for match in _VARIABLE.finditer(text) if match[1])


def has_variable_outside_values(operation: str) -> bool:
    """Return whether a variable of an operation stands for its name, or for a field's name."""
    name, colon, rest = operation.partition(":")
    fields = [part.partition("=") for part in COMMA.split(rest)] if colon else []
    names = [name, *(field for field, equals, _ in fields if equals)]
    return any(True for text in names for _ in used_variables(text))


def _substituted(text: str, values: Mapping[str, str], *, escaped: bool = False) -> str:
    def value(match: re.Match[str]) -> str:
        if not match[1]:
            return "$"
        given = values[match[1]]
        return given.replace(",", "\\,") if escaped else given

    return _VARIABLE.sub(value, text)
