"""Options that several commands share, with their validation as mistakes of usage (exit code 2)."""

from collections.abc import Callable, Sequence
from typing import Annotated
from urllib.parse import urlsplit

import typer
from pydantic import TypeAdapter, ValidationError

from contracts.errors import InvalidOperation
from contracts.fields import BlobKey
from contracts.jobs import JobId, Submitter
from contracts.labels import Label
from contracts.operations.notation import parse_pipeline
from contracts.operations.pipeline import Pipeline
from contracts.outputs import Output

LOCAL = "http://127.0.0.1:8000"
"""The address of `make run`."""


def validated(type_: TypeAdapter[str], noun: str) -> Callable[[str | None], str | None]:
    """Return a callback that refuses a value which is not of a type."""

    def check(value: str | None) -> str | None:
        try:
            return value if value is None else type_.validate_python(value)
        except ValidationError as exc:
            raise typer.BadParameter(f"{value!r} is not a valid {noun}.") from exc

    return check


def _address(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
        raise typer.BadParameter(f"Give an address, such as {LOCAL}.")
    return value


GatewayOption = Annotated[
    str,
    typer.Option(
        "--gateway", envvar="DARKROOM_GATEWAY", callback=_address, help="The gateway's address."
    ),
]
SubmitterOption = Annotated[
    str | None,
    typer.Option(
        "--submitter",
        envvar="DARKROOM_SUBMITTER",
        callback=validated(TypeAdapter(Submitter), "submitter"),
        help="The submitter of the jobs: submitters get fair turns.",
    ),
]
JobIdArgument = Annotated[
    str,
    typer.Argument(
        metavar="ID", callback=validated(TypeAdapter(JobId), "job id"), help="A job's id."
    ),
]
ImageIdArgument = Annotated[
    str,
    typer.Argument(
        metavar="ID", callback=validated(TypeAdapter(BlobKey), "image id"), help="An image's id."
    ),
]
NameArgument = Annotated[
    str,
    typer.Argument(
        metavar="NAME", callback=validated(TypeAdapter(Label), "label"), help="The new label."
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
OutputOption = Annotated[
    list[str],
    typer.Option(
        "--output",
        metavar="FIELD=VALUE",
        help=f"Encoding of the result: {', '.join(Output.model_fields)}. Repeat it.",
    ),
]
PresetOption = Annotated[
    str | None,
    typer.Option(
        "--preset", metavar="NAME", help="A preset of the gateway, in place of operations."
    ),
]
SetOption = Annotated[
    list[str],
    typer.Option("--set", metavar="NAME=VALUE", help="A variable of the preset. Repeat it."),
]


def values_of(settings: Sequence[str]) -> dict[str, str]:
    """Return the values of a preset's variables. Raises typer.BadParameter."""
    values = {}
    for setting in settings:
        name, equals, value = setting.partition("=")
        if not equals or name in values:
            detail = f"{setting!r} is not NAME=VALUE, or {name!r} is given twice."
            raise typer.BadParameter(detail, param_hint="--set")
        values[name] = value
    return values


def pipeline_of(
    operations: Sequence[str], format: str | None, quality: str | None, output: Sequence[str]
) -> Pipeline:
    """Return the pipeline that the options describe. Raises typer.BadParameter."""
    fields = {"format": format, "quality": quality}
    for field in output:
        name, equals, value = field.partition("=")
        if not equals or name not in Output.model_fields:
            known = ", ".join(Output.model_fields)
            detail = f"{field!r} is not FIELD=VALUE; the fields are: {known}."
            raise typer.BadParameter(detail, param_hint="--output")
        fields[name] = value
    try:
        return parse_pipeline(operations, **fields)
    except InvalidOperation as exc:
        raise typer.BadParameter(exc.detail, param_hint="the pipeline") from exc
