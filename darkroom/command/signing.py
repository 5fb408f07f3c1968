"""The command `darkroom sign`: sign a URL without a gateway."""

import os
from pathlib import Path
from typing import Annotated

import typer

from darkroom.signing import HOUR, sign

SECRET = "DARKROOM_SIGNING_SECRET"
"""The environment variable of the secret. No option takes it: other users see a command's line."""


def sign_url(
    url: Annotated[str, typer.Argument(metavar="URL", help="A URL of the gateway, or a path.")],
    kid: Annotated[str, typer.Option(help="Name of the signing key.")],
    secret_file: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            exists=True,
            dir_okay=False,
            help=f"File with the secret, in hexadecimal digits. Default: {SECRET}.",
        ),
    ] = None,
    expires: Annotated[
        int | None,
        typer.Option(min=1, metavar="SECONDS", help="Time for which the URL is valid at least."),
    ] = None,
    grid: Annotated[
        int,
        typer.Option(
            min=1,
            metavar="SECONDS",
            help="Round the end up to a multiple of it, or of --expires if that is less.",
        ),
    ] = HOUR,
    free: Annotated[
        list[str],
        typer.Option(metavar="NAME", help="A variable of the preset that may change. Repeat it."),
    ] = [],  # noqa: B006  Typer copies it
    prefix: Annotated[
        str, typer.Option(metavar="PATH", help="The path below which a proxy serves the gateway.")
    ] = "",
) -> None:
    """Print a URL with its signature, which needs no key."""
    secret = secret_file.read_text("utf-8") if secret_file else os.environ.get(SECRET, "")
    if not secret.strip():
        raise typer.BadParameter(f"Give --secret-file, or set {SECRET}.")
    try:
        signed = sign(
            url,
            kid=kid,
            secret=secret.strip(),
            expires=expires,
            grid=grid,
            free=free,
            prefix=prefix,
        )
    except ValueError as exc:
        raise typer.BadParameter(f"{exc}") from exc
    typer.echo(signed)
