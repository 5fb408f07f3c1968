"""Ask a gateway for a command, and print its answer or its refusal."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import typer
from pydantic import TypeAdapter
from rich.console import Console, RenderableType

from contracts.errors import Code
from darkroom.client import KEY_VARIABLE, Client
from darkroom.command.terminal import printable
from darkroom.errors import GatewayError

T = TypeVar("T")

out, err = Console(highlight=False), Console(stderr=True, highlight=False)


def ask(gateway: str, request: Callable[[Client], Awaitable[T]]) -> T:
    """Return the gateway's answer; print a GatewayError and exit with code 1."""

    async def run() -> T:
        async with Client(gateway, attempts=3) as client:
            return await request(client)

    try:
        return asyncio.run(run())
    except GatewayError as exc:
        err.print(printable(str(exc)), soft_wrap=True)
        if exc.code == Code.UNAUTHORIZED:
            err.print(f"Write a key into the variable {KEY_VARIABLE}.")
        raise typer.Exit(1) from exc


def show(answer: T, as_table: Callable[[T], RenderableType], as_json: bool) -> None:
    """Print an answer as a table, or as JSON."""
    if as_json:
        typer.echo(TypeAdapter(Any).dump_json(answer, indent=2))
    else:
        out.print(as_table(answer))
