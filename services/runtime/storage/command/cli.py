"""Look after the store of images: check, sweep, rebuild, move and copy.

Takes REDIS_URL, DARKROOM_STORE and the other settings of the services from the environment, and
works while services run. Exit codes: 0 done; 1 something is lost, damaged or different; 2 a wrong
option or setting; 3 Redis or the store does not answer, or is full; 130 interrupted.
"""

from collections.abc import Awaitable, Callable
from typing import Annotated, NoReturn, TypeVar

import typer
from rich.console import Console

from services.runtime.settings import RuntimeSettings
from services.runtime.storage.administration.copying import Copied, Copy
from services.runtime.storage.administration.digests import damaged_images
from services.runtime.storage.administration.maintenance import SWEEP_MARGIN
from services.runtime.storage.administration.rebuild import Rebuild, Rebuilt
from services.runtime.storage.administration.sweeper import Findings, Sweeper
from services.runtime.storage.command import reports
from services.runtime.storage.command.opened import (
    CannotRun,
    Failed,
    opened,
    read_settings,
    run,
    store_of,
)
from services.runtime.storage.command.progress import progress_bar
from services.runtime.storage.records import Place
from services.runtime.store_address import parse_store

ResultT = TypeVar("ResultT")

LOST, WRONG, FAILED, INTERRUPTED = 1, 2, 3, 130
"""The exit codes beside 0."""

SAFE_GRACE = 900
"""Seconds that no upload takes from its bytes in the store to its record."""

_NAMES = 20  # of what is lost, without --json

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, with all names.")]

app = typer.Typer(help=__doc__, no_args_is_help=True, pretty_exceptions_enable=False)
out, err = Console(highlight=False), Console(stderr=True, highlight=False)


@app.command()
def check(
    digests: Annotated[
        bool, typer.Option("--digests", help="Read every kept image, and compare its digest.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Compare the store with the records, and say what a sweep would do. Changes nothing."""

    async def work(settings: RuntimeSettings) -> tuple[Findings, list[str]]:
        async with opened(settings, changes=False) as (storage, store):
            sweeper = Sweeper(storage, store, grace=_default_grace(settings))
            findings = await sweeper.sweep(dry_run=True, names=None if as_json else _NAMES)
            if not digests:
                return findings, []
            kept = {
                project: count.bytes
                for (project, place), count in findings.counts.items()
                if place is Place.KEPT
            }
            with progress_bar(err, total=sum(kept.values())) as advance:
                return findings, await damaged_images(store, sorted(kept), advance)

    findings, damaged = _run(work)
    if as_json:
        out.print_json(data={**reports.as_json(findings), "damaged": damaged})
    else:
        _print_findings(findings, dry_run=True)
        if digests:
            out.print(f"Kept images whose bytes have another digest: {len(damaged):,}")
            for key in damaged:
                out.print(f"  {key}")
    if findings.lost.number or findings.unrecorded.number or damaged:
        raise typer.Exit(LOST)


@app.command()
def sweep(
    grace: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="Age in seconds from which bytes without a record are deleted. Default: an hour"
            " more than DARKROOM_JOB_TIMEOUT.",
        ),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help=f"Allow a grace of less than {SAFE_GRACE} seconds.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Delete what nobody needs now; services do so every DARKROOM_SWEEP_INTERVAL seconds.

    Exit code 1 if records have no bytes, or kept images no record.
    """
    if grace is not None and grace < SAFE_GRACE and not force:
        raise typer.BadParameter(
            f"Younger bytes than {SAFE_GRACE} seconds may belong to an upload that has not ended."
            " Stop the services, and add --force.",
            param_hint="--grace",
        )

    async def work(settings: RuntimeSettings) -> Findings:
        async with opened(settings) as (storage, store):
            age = _default_grace(settings) if grace is None else grace
            sweeper = Sweeper(storage, store, grace=age)
            return await sweeper.sweep(names=None if as_json else _NAMES)

    findings = _run(work)
    if as_json:
        out.print_json(data=reports.as_json(findings))
    else:
        _print_findings(findings, dry_run=False)
    if findings.lost.number or findings.unrecorded.number:
        raise typer.Exit(LOST)


@app.command()
def rebuild() -> None:
    """Bring every kept image back after Redis was lost: records, list and counters.

    Records that are there stay as they are. Images whose end has come are left out. Run it again
    after an interruption. Exit code 1 if sidecars are damaged, or their bytes are missing.
    """

    async def work(settings: RuntimeSettings) -> Rebuilt:
        async with opened(settings) as (storage, store):
            with progress_bar(err) as advance:
                return await Rebuild(storage, store).run(advance)

    rebuilt = _run(work)
    out.print(
        f"Images brought back: {rebuilt.images:,}. They were there already: {rebuilt.present:,}."
        f" Their end has come: {rebuilt.ended:,}."
    )
    for path in rebuilt.damaged:
        err.print(f"damaged, or its bytes are missing: {path}", soft_wrap=True)
    if rebuilt.damaged:
        raise typer.Exit(LOST)


@app.command()
def move() -> None:
    """Move all images from Redis to the store: after an upgrade, or a change from `redis:`.

    Small images that Redis holds within DARKROOM_HOT_BYTES stay there. Exit code 1 if an image is
    damaged, or changed meanwhile.
    """

    async def work(settings: RuntimeSettings) -> tuple[int, int]:
        moved = stay = 0
        async with opened(settings) as (storage, _):
            with progress_bar(err) as advance:
                async for key in storage.moves.find_all():
                    size = await storage.moves.move(key)
                    moved, stay = moved + (size is not None), stay + (size is None)
                    advance(1, size or 0)
        return moved, stay

    moved, stay = _run(work)
    out.print(f"Images moved: {moved:,}. Images that stay in Redis: {stay:,}.")
    if stay:
        raise typer.Exit(LOST)


@app.command()
def copy(
    source: Annotated[str, typer.Argument(metavar="FROM", help="The store of the services.")],
    target: Annotated[str, typer.Argument(metavar="TO", help="The store to be.")],
    passes: Annotated[
        int, typer.Option(min=1, max=100, help="Passes until the copy ends, at most.")
    ] = 5,
) -> None:
    """Copy a store to another one, while services use the first. Deletes nothing in FROM.

    Both are URLs as in DARKROOM_STORE. Run it again until 0 objects differ; then switch. Exit code
    1 if objects differ at the end, or an image has other bytes than its digest says.
    """

    async def work(settings: RuntimeSettings) -> Copied:
        first, second = store_of(settings, source, "FROM"), store_of(settings, target, "TO")
        if parse_store(source) == parse_store(target):
            raise CannotRun("FROM and TO are the same store.")
        try:
            with progress_bar(err) as advance:
                return await Copy(first, second, advance).run(passes=passes)
        finally:
            await first.stop()
            await second.stop()

    copied = _run(work)
    out.print(f"Objects copied: {copied.objects:,} ({copied.bytes:,} B)")
    for path in copied.damaged:
        err.print(f"damaged, not copied: {path}", soft_wrap=True)
    out.print(
        f"Objects that differ still: {copied.different:,}."
        + (" Run the command again." if copied.different else " Switch now.")
    )
    if copied.different or copied.damaged:
        raise typer.Exit(LOST)


def main() -> None:
    """Run the command: the entry point of the console script."""
    app()


def _default_grace(settings: RuntimeSettings) -> float:
    """The grace of the services' own sweeps."""
    return settings.job_timeout + SWEEP_MARGIN


def _run(work: Callable[[RuntimeSettings], Awaitable[ResultT]]) -> ResultT:
    """Return what `work` returns; print a failure, and exit with its code."""
    try:
        settings = read_settings()
        return run(lambda: work(settings))
    except CannotRun as exc:
        _exit(str(exc), WRONG, exc)
    except Failed as exc:
        _exit(str(exc), FAILED, exc)
    except KeyboardInterrupt as exc:
        _exit("Interrupted. Run the same command again to continue.", INTERRUPTED, exc)


def _exit(text: str, code: int, cause: BaseException) -> NoReturn:
    err.print(text, markup=False, soft_wrap=True)
    raise typer.Exit(code) from cause


def _print_findings(findings: Findings, *, dry_run: bool) -> None:
    out.print(reports.counts_table(findings.counts))
    for line in reports.finding_lines(findings, dry_run=dry_run):
        out.print(line, markup=False, soft_wrap=True)
