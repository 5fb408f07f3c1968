"""The options that several commands have, and what they refuse as a mistake of usage."""

from collections.abc import Callable, Sequence
from typing import Annotated
from urllib.parse import urlsplit

import typer
from pydantic import TypeAdapter, ValidationError

from contracts.errors import InvalidOperation
from contracts.jobs import JobId, Submitter
from contracts.operations.notation import parse_pipeline
from contracts.operations.pipeline import Pipeline
from contracts.outputs import Output

LOCAL = "http://127.0.0.1:8000"
"""Where `make run` serves."""


def _matching(valid: TypeAdapter[str], what: str) -> Callable[[str | None], str | None]:
    def check(value: str | None) -> str | None:
        try:
            return value if value is None else valid.validate_python(value)
        except ValidationError as exc:
            raise typer.BadParameter(f"{value!r} is no {what}.") from exc

    return check


def _origin(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.path.strip("/"):
        raise typer.BadParameter(f"Give an origin, such as {LOCAL}.")
    return value


Gateway = Annotated[
    str, typer.Option(envvar="DARKROOM_GATEWAY", callback=_origin, help="The gateway's origin.")
]
OnBehalf = Annotated[
    str | None,
    typer.Option(
        envvar="DARKROOM_SUBMITTER",
        callback=_matching(TypeAdapter(Submitter), "name of a submitter"),
        help="On whose behalf: submitters take turns.",
    ),
]
Id = Annotated[
    str,
    typer.Argument(
        metavar="ID", callback=_matching(TypeAdapter(JobId), "id of a job"), help="A job's id."
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="For machines.")]
MoreOfIt = Annotated[
    list[str],
    typer.Option(
        metavar="FIELD=VALUE",
        help=f"How the result is encoded: {', '.join(Output.model_fields)}. Repeat it.",
    ),
]


def pipeline_of(
    operations: Sequence[str], format: str | None, quality: str | None, output: Sequence[str]
) -> Pipeline:
    """What the options write down; what they can't is a mistake of usage."""
    fields = {"format": format, "quality": quality}
    for field in output:
        name, equals, value = field.partition("=")
        if not equals or name not in Output.model_fields:
            known = ", ".join(Output.model_fields)
            raise typer.BadParameter(f"{field!r}; there are: {known}.", param_hint="--output")
        fields[name] = value
    try:
        return parse_pipeline(operations, **fields)
    except InvalidOperation as exc:
        raise typer.BadParameter(exc.detail, param_hint="the pipeline") from exc
