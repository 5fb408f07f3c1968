"""The command `darkroom`: render image files through a gateway, and manage its jobs and images."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from contracts.errors import InvalidOperation
from contracts.jobs import Job
from contracts.operations.pipeline import Pipeline
from darkroom.client import Client
from darkroom.command import keys, tables
from darkroom.command.asking import ask, err, out, show
from darkroom.command.manifest import Manifest
from darkroom.command.options import (
    LOCAL,
    GatewayOption,
    ImageIdArgument,
    JobIdArgument,
    JsonOption,
    NameArgument,
    OutputOption,
    PresetOption,
    SetOption,
    SubmitterOption,
    pipeline_of,
    values_of,
)
from darkroom.command.progress import ProgressReporter, outcome_line
from darkroom.command.rendering import Rendering
from darkroom.command.signing import sign_url
from darkroom.command.terminal import printable
from darkroom.errors import GatewayError
from darkroom.images import KeptImage
from darkroom.sources import find_sources

INTERRUPTED = 130  # the exit code that shells use for SIGINT

app = typer.Typer(help=__doc__, no_args_is_help=True, pretty_exceptions_enable=False)


@app.command()
def render(
    images: Annotated[
        list[Path],
        typer.Argument(metavar="IMAGE...", exists=True, help="Image files, or folders of them."),
    ],
    folder: Annotated[
        Path, typer.Option("--out", metavar="DIR", file_okay=False, help="Folder for the results.")
    ],
    op: Annotated[
        list[str],
        typer.Option(help="An operation, such as resize:width=720. Repeat it, in order."),
    ] = [],  # noqa: B006  Typer copies it
    format: Annotated[
        str | None, typer.Option(help="Format, such as webp. Default: the source's.")
    ] = None,
    quality: Annotated[str | None, typer.Option(help="1 to 100, for lossy formats.")] = None,
    output: OutputOption = [],  # noqa: B006  Typer copies it
    preset: PresetOption = None,
    values: SetOption = [],  # noqa: B006  Typer copies it
    recursive: Annotated[bool, typer.Option(help="Include folders within folders.")] = False,
    jobs: Annotated[int, typer.Option(min=1, max=256, help="Images to render at a time.")] = 16,
    timeout: Annotated[
        float, typer.Option("--patience", min=1, help="Seconds to wait for a job's end.")
    ] = 3600,
    submitter: SubmitterOption = None,
    gateway: GatewayOption = LOCAL,
) -> None:
    """Render images into a folder. Run the same command again to render only what is missing."""
    if preset is None and values:
        raise typer.BadParameter("Give --preset, too.", param_hint="--set")
    if preset is None:
        pipeline = pipeline_of(op, format, quality, output)
    elif op or format or quality or output:
        raise typer.BadParameter("A preset has operations and an output.", param_hint="--preset")
    else:
        pipeline = _pipeline_of_preset(gateway, preset, values_of(values))
    manifest = Manifest(folder)
    sources = find_sources(images, recursive=recursive, is_result=manifest.is_result)
    if not sources:
        raise typer.BadParameter("No image files were found.", param_hint="IMAGE")
    progress = ProgressReporter(out, len(sources))

    async def run() -> int:
        async with Client(gateway, submitter=submitter, concurrency=jobs) as client:
            rendering = Rendering(client, manifest, pipeline, timeout=timeout)
            return await rendering.render_all(sources, progress.report, concurrency=jobs)

    try:
        with progress.displayed():
            untried = asyncio.run(run())
    except KeyboardInterrupt:
        err.print(f"Interrupted: {progress.summary()}. Run the same command again to continue.")
        raise typer.Exit(INTERRUPTED) from None
    out.print(progress.summary())
    for failed in progress.failed:
        err.print(outcome_line(failed), soft_wrap=True)
    if untried:
        err.print(
            f"The gateway is not available: {untried} images were not tried."
            " Run the same command again to continue."
        )
    raise typer.Exit(1 if progress.failed else 0)


@app.command()
def fetch(
    src: Annotated[
        str,
        typer.Argument(
            metavar="SRC",
            help="A URL that a source of the gateway allows, or a source and a path: site:a.jpg.",
        ),
    ],
    file: Annotated[
        Path, typer.Option("--out", metavar="FILE", dir_okay=False, help="File for the result.")
    ],
    op: Annotated[
        list[str],
        typer.Option(help="An operation, such as resize:width=720. Repeat it, in order."),
    ] = [],  # noqa: B006  Typer copies it
    format: Annotated[
        str | None, typer.Option(help="Format, such as webp. Default: the original's.")
    ] = None,
    quality: Annotated[str | None, typer.Option(help="1 to 100, for lossy formats.")] = None,
    output: OutputOption = [],  # noqa: B006  Typer copies it
    gateway: GatewayOption = LOCAL,
) -> None:
    """Render an image of a source of the gateway into a file."""
    pipeline = pipeline_of(op, format, quality, output)
    ask(gateway, lambda client: client.fetch_source(src, pipeline, file))


@app.command()
def upload(
    images: Annotated[
        list[Path],
        typer.Argument(metavar="IMAGE...", exists=True, dir_okay=False, help="Image files."),
    ],
    ttl: Annotated[
        int | None,
        typer.Option(min=1, help="Seconds until the images expire. Default: the gateway's."),
    ] = None,
    gateway: GatewayOption = LOCAL,
    as_json: JsonOption = False,
) -> None:
    """Upload images, to render them later. The name of each file is the image's label."""
    failed = []

    async def upload_all(client: Client) -> list[KeptImage]:
        uploaded = []
        for path in images:
            try:
                uploaded.append(await client.upload(path, ttl=ttl))
            except (GatewayError, OSError) as exc:
                failed.append(f"{path}: {exc}")
        return uploaded

    show(ask(gateway, upload_all), tables.images_table, as_json)
    for reason in failed:
        err.print(printable(reason), soft_wrap=True)
    raise typer.Exit(1 if failed else 0)


@app.command("images")
def list_images(gateway: GatewayOption = LOCAL, as_json: JsonOption = False) -> None:
    """List the uploaded images, newest first."""

    async def every(client: Client) -> list[KeptImage]:
        return [image async for image in client.images()]

    show(ask(gateway, every), tables.images_table, as_json)


@app.command()
def label(
    image_id: ImageIdArgument,
    name: NameArgument,
    gateway: GatewayOption = LOCAL,
    as_json: JsonOption = False,
) -> None:
    """Give an uploaded image another label. An empty NAME takes its label away."""
    changed = ask(gateway, lambda client: client.label(image_id, name))
    show([changed], tables.images_table, as_json)


@app.command()
def delete(image_id: ImageIdArgument, gateway: GatewayOption = LOCAL) -> None:
    """Delete an uploaded image and everything that was made from it."""
    ask(gateway, lambda client: client.delete(image_id))


@app.command("jobs")
def open_jobs(gateway: GatewayOption = LOCAL, as_json: JsonOption = False) -> None:
    """List the jobs that are queued or running."""
    show(ask(gateway, Client.jobs), tables.jobs_table, as_json)


@app.command()
def job(job_id: JobIdArgument, gateway: GatewayOption = LOCAL, as_json: JsonOption = False) -> None:
    """Show one job in detail."""
    _show_job(gateway, lambda client: client.job(job_id), as_json)


@app.command()
def cancel(
    job_id: JobIdArgument, gateway: GatewayOption = LOCAL, as_json: JsonOption = False
) -> None:
    """Cancel a job."""
    _show_job(gateway, lambda client: client.cancel(job_id), as_json)


@app.command()
def dead(gateway: GatewayOption = LOCAL, as_json: JsonOption = False) -> None:
    """List the dead letters: jobs that failed after all attempts, with the reason."""
    show(ask(gateway, Client.dead_letters), tables.dead_letters_table, as_json)


@app.command()
def requeue(
    job_id: JobIdArgument, gateway: GatewayOption = LOCAL, as_json: JsonOption = False
) -> None:
    """Queue a dead letter's job again."""
    _show_job(gateway, lambda client: client.requeue(job_id), as_json)


@app.command("presets")
def list_presets(gateway: GatewayOption = LOCAL, as_json: JsonOption = False) -> None:
    """List the presets of the gateway."""
    show(ask(gateway, Client.presets), tables.presets_table, as_json)


@app.command()
def workers(gateway: GatewayOption = LOCAL, as_json: JsonOption = False) -> None:
    """List the workers, the queues, and how many jobs are open."""
    show(ask(gateway, Client.system), tables.system_tables, as_json)


app.command("sign")(sign_url)
app.add_typer(keys.app, name="keys")


def main() -> None:
    """Run the command: the entry point of the console script."""
    app()


def _pipeline_of_preset(gateway: str, name: str, values: dict[str, str]) -> Pipeline:
    """Return what a preset stands for at present. Raises typer.BadParameter."""
    presets = {preset.name: preset for preset in ask(gateway, Client.presets)}
    try:
        if name not in presets:
            there = f"there are: {', '.join(presets)}" if presets else "there are none"
            raise InvalidOperation(f"{name!r} is not a preset; {there}.")
        return presets[name].pipeline(values)
    except InvalidOperation as exc:
        raise typer.BadParameter(exc.detail, param_hint="--preset") from exc


def _show_job(gateway: str, request: Callable[[Client], Awaitable[Job]], as_json: bool) -> None:
    show(ask(gateway, request), partial(tables.job_table, gateway=gateway), as_json)
