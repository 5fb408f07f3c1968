"""The command `darkroom keys`: make, list, rotate, revoke, export and import API keys."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import TypeAdapter, ValidationError

from contracts.access.keys import KeyLimits, KeyScope, ProjectName
from contracts.errors import Code
from darkroom.client import Client
from darkroom.command import tables
from darkroom.command.asking import ask, err, show
from darkroom.command.options import LOCAL, GatewayOption, JsonOption, validated
from darkroom.command.terminal import printable
from darkroom.errors import GatewayError
from darkroom.keys import ApiKey, MadeKey

app = typer.Typer(
    help="Make, list, rotate, revoke, export and import keys, and print the secret of webhooks. "
    "Needs a key with the scope admin.",
    no_args_is_help=True,
)

KeyIdArgument = Annotated[str, typer.Argument(metavar="ID", help="A key's id.")]
_DEFAULT = "Default: as the gateway's settings say."
_RECORDS: TypeAdapter[list[dict[str, Any]]] = TypeAdapter(list[dict[str, Any]])


@app.command()
def create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of the key, for people.")],
    scope: Annotated[
        list[str],
        typer.Option(help=f"What it may be used for: {', '.join(KeyScope)}. Repeat it."),
    ],
    project: Annotated[
        str | None,
        typer.Option(
            callback=validated(TypeAdapter(ProjectName), "project"),
            help="Whose images and jobs it sees. Default: those of your own key.",
        ),
    ] = None,
    ttl: Annotated[
        int | None, typer.Option(min=1, help="Seconds until the key ends. Default: never.")
    ] = None,
    rate_calls: Annotated[
        float | None, typer.Option(help=f"Calls a second, on average. {_DEFAULT}")
    ] = None,
    rate_megapixels: Annotated[
        float | None, typer.Option(help=f"Megapixels a second, on average. {_DEFAULT}")
    ] = None,
    daily_megapixels: Annotated[
        int | None,
        typer.Option(
            min=0, help="Megapixels a day (UTC), beside the limit of the project. Default: any."
        ),
    ] = None,
    gateway: GatewayOption = LOCAL,
    as_json: JsonOption = False,
) -> None:
    """Make a key, and print its text, which is shown this once."""
    scopes = [_scope(one) for one in scope]
    limits = _limits(rate_calls, rate_megapixels, daily_megapixels)

    async def make(client: Client) -> MadeKey:
        return await client.keys.make(name, scopes, project=project, ttl=ttl, limits=limits)

    _show_made(ask(gateway, make), as_json)


@app.command("list")
def list_keys(gateway: GatewayOption = LOCAL, as_json: JsonOption = False) -> None:
    """List the keys, the newest first."""

    async def listed(client: Client) -> tuple[ApiKey, ...]:
        return await client.keys.list()

    show(ask(gateway, listed), tables.keys_table, as_json)


@app.command()
def rotate(
    key_id: KeyIdArgument,
    grace: Annotated[
        int, typer.Option(min=0, help="Seconds for which the old text counts, too.")
    ] = 0,
    gateway: GatewayOption = LOCAL,
    as_json: JsonOption = False,
) -> None:
    """Give a key another text, and print it."""
    _show_made(ask(gateway, lambda client: client.keys.rotate(key_id, grace=grace)), as_json)


@app.command()
def revoke(key_id: KeyIdArgument, gateway: GatewayOption = LOCAL) -> None:
    """Revoke a key for ever."""
    ask(gateway, lambda client: client.keys.revoke(key_id))


@app.command("webhook-secret")
def webhook_secret(
    project: Annotated[
        str | None,
        typer.Option(
            callback=validated(TypeAdapter(ProjectName), "project"),
            help="Whose secret to print, with the operator's key. Default: that of your own key.",
        ),
    ] = None,
    gateway: GatewayOption = LOCAL,
) -> None:
    """Print the secret that verifies the webhooks of a project; two while it is changed."""
    shown = ask(gateway, lambda client: client.keys.webhook_secret(project=project))
    typer.echo("\n".join(shown.secrets))


@app.command("export")
def export_keys(gateway: GatewayOption = LOCAL) -> None:
    """Print the records of all keys as JSON, for `import`: digests of the secrets, no secret."""
    records = ask(gateway, lambda client: client.keys.records())
    typer.echo(json.dumps(records, indent=2))


@app.command("import")
def import_keys(
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE", allow_dash=True, help="Output of `export`; - for stdin."),
    ],
    gateway: GatewayOption = LOCAL,
) -> None:
    """Store exported keys in another gateway.

    A key that was revoked there stays revoked, and one that was rotated there keeps its new text.
    """
    try:
        text = sys.stdin.read() if str(file) == "-" else file.read_text("utf-8")
        records = _RECORDS.validate_json(text)
        ids = [str(record["id"]) for record in records]
    except (OSError, ValidationError, KeyError) as exc:
        raise typer.BadParameter("It is no output of `export`.", param_hint="FILE") from exc

    async def put_all(client: Client) -> list[str]:
        refused = []
        for key_id, record in zip(ids, records, strict=True):
            try:
                await client.keys.put(record)
            except GatewayError as exc:
                if exc.code != Code.CONFLICT:
                    raise
                refused.append(f"{key_id}: {exc.detail}")
        return refused

    refused = ask(gateway, put_all)
    for line in refused:
        err.print(printable(line), soft_wrap=True)
    err.print(printable(f"Keys that were imported: {len(records) - len(refused)}."))
    if refused:
        raise typer.Exit(1)


def _scope(text: str) -> KeyScope:
    try:
        return KeyScope(text)
    except ValueError as exc:
        raise typer.BadParameter(f"{text!r} is no scope.", param_hint="--scope") from exc


def _limits(
    rate_calls: float | None, rate_megapixels: float | None, daily_megapixels: int | None
) -> KeyLimits | None:
    """Return the limits that were given. Raises BadParameter."""
    given = {
        "rate_calls": rate_calls,
        "rate_megapixels": rate_megapixels,
        "daily_megapixels": daily_megapixels,
    }
    try:
        limits = KeyLimits.model_validate(given)
    except ValidationError as exc:
        option = f"--{str(exc.errors()[0]['loc'][0]).replace('_', '-')}"
        raise typer.BadParameter("It is no limit.", param_hint=option) from exc
    return None if limits == KeyLimits() else limits


def _show_made(made: MadeKey, as_json: bool) -> None:
    """Print the text of a key alone, so that a script can read it, and the rest beside it."""
    if as_json:
        show(made, lambda made: tables.keys_table([made]), as_json)
        return
    typer.echo(made.key)
    err.print(tables.keys_table([made]))
