"""The command `darkroom`: photographs rendered by the folder, and jobs looked after."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from pydantic import TypeAdapter
from rich.console import Console, RenderableType

from darkroom import tables
from darkroom.client import Client
from darkroom.errors import GatewayError
from darkroom.manifest import Album
from darkroom.options import LOCAL, AsJson, Gateway, Id, MoreOfIt, OnBehalf, pipeline_of
from darkroom.photos import find
from darkroom.progress import Tally, line
from darkroom.rendering import Rendering
from darkroom.terminal import plain

T = TypeVar("T")

INTERRUPTED = 130  # as a shell says it of SIGINT

app = typer.Typer(help=__doc__, no_args_is_help=True, pretty_exceptions_enable=False)
out, err = Console(highlight=False), Console(stderr=True, highlight=False)


@app.command()
def render(
    photos: Annotated[
        list[Path],
        typer.Argument(metavar="PHOTO...", exists=True, help="Files, or folders of pictures."),
    ],
    folder: Annotated[
        Path, typer.Option("--out", metavar="DIR", file_okay=False, help="Where results go.")
    ],
    op: Annotated[
        list[str],
        typer.Option(help="An operation, such as resize:width=720; repeat it, in order."),
    ] = [],  # noqa: B006
    format: Annotated[str | None, typer.Option(help="Such as webp; left out: as it came.")] = None,
    quality: Annotated[str | None, typer.Option(help="1 to 100, for lossy formats.")] = None,
    output: MoreOfIt = [],  # noqa: B006  Typer copies it
    recursive: Annotated[bool, typer.Option(help="Folders in folders as well.")] = False,
    jobs: Annotated[int, typer.Option(min=1, max=256, help="Photographs in hand at once.")] = 16,
    patience: Annotated[float, typer.Option(min=1, help="Seconds a job is waited for.")] = 3600,
    submitter: OnBehalf = None,
    gateway: Gateway = LOCAL,
) -> None:
    """Render photographs into a folder. The same command again does what is not there yet."""
    pipeline = pipeline_of(op, format, quality, output)
    album = Album(folder)
    found = find(photos, recursive=recursive, is_result=album.is_result)
    if not found:
        raise typer.BadParameter("There are no pictures here.", param_hint="PHOTO")
    tally = Tally(out, len(found))

    async def run() -> int:
        async with Client(gateway, submitter=submitter, concurrency=jobs) as client:
            rendering = Rendering(client, album, pipeline, patience=patience)
            return await rendering.render_all(found, tally.tell, at_once=jobs)

    try:
        with tally.shown():
            untried = asyncio.run(run())
    except KeyboardInterrupt:
        err.print(f"Interrupted: {tally.summary()}. The same command goes on from here.")
        raise typer.Exit(INTERRUPTED) from None
    out.print(tally.summary())
    for failed in tally.failed:
        err.print(line(failed), soft_wrap=True)
    if untried:
        err.print(f"The gateway is away: {untried} not tried. The same command goes on from here.")
    raise typer.Exit(1 if tally.failed else 0)


@app.command("jobs")
def open_jobs(gateway: Gateway = LOCAL, as_json: AsJson = False) -> None:
    """The jobs that are queued or running."""
    _show(_ask(gateway, Client.jobs), tables.jobs_table, as_json)


@app.command()
def job(job_id: Id, gateway: Gateway = LOCAL, as_json: AsJson = False) -> None:
    """Everything about one job."""
    _show(_ask(gateway, lambda client: client.job(job_id)), tables.job_table, as_json)


@app.command()
def cancel(job_id: Id, gateway: Gateway = LOCAL, as_json: AsJson = False) -> None:
    """Cancel a job."""
    _show(_ask(gateway, lambda client: client.cancel(job_id)), tables.job_table, as_json)


@app.command()
def dead(gateway: Gateway = LOCAL, as_json: AsJson = False) -> None:
    """The jobs that were given up, and why."""
    _show(_ask(gateway, Client.dead_letters), tables.dead_letters_table, as_json)


@app.command()
def requeue(job_id: Id, gateway: Gateway = LOCAL, as_json: AsJson = False) -> None:
    """Have a job that was given up done again."""
    _show(_ask(gateway, lambda client: client.requeue(job_id)), tables.job_table, as_json)


@app.command()
def workers(gateway: Gateway = LOCAL, as_json: AsJson = False) -> None:
    """The workers that are alive, and what waits for them."""
    _show(_ask(gateway, Client.system), tables.system_tables, as_json)


def main() -> None:
    """The console script."""
    app()


def _ask(gateway: str, question: Callable[[Client], Awaitable[T]]) -> T:
    async def run() -> T:
        async with Client(gateway, tries=3) as client:
            return await question(client)

    try:
        return asyncio.run(run())
    except GatewayError as exc:
        err.print(plain(str(exc)), soft_wrap=True)
        raise typer.Exit(1) from exc


def _show(answer: T, as_table: Callable[[T], RenderableType], as_json: bool) -> None:
    if as_json:
        typer.echo(TypeAdapter(Any).dump_json(answer, indent=2))
    else:
        out.print(as_table(answer))
