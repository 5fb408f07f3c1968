"""The environment variables of a local run, and the check of its ports."""

import socket
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, RedisDsn, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from devserver.errors import CannotRun

HOST = "127.0.0.1"

Port = Annotated[int, Field(ge=1, le=65535, json_schema_extra={"x-unit": "TCP port"})]


class LocalSettings(BaseSettings):
    """Settings from environment variables with the fields' names in upper case."""

    model_config = SettingsConfigDict(frozen=True, env_ignore_empty=True)

    port: Port = Field(
        default=8000, description="Port of the gateway: the page, the HTTP API and this guide."
    )
    imaging_port: Port = Field(
        default=8001,
        description="Port of the imaging service: health, metrics and the AsyncAPI document. It has"
        " to differ from `PORT`.",
    )
    redis_url: RedisDsn | None = Field(
        default=None,
        description="URL of your own Redis or Valkey. Without it, `make run` starts a Valkey.",
    )
    data_dir: Path = Field(
        default=Path(".data"),
        description="Folder in which the Valkey of `make run` keeps its data, and the images,"
        " unless `DARKROOM_STORE` names another store.",
    )

    @model_validator(mode="after")
    def _ports_differ(self) -> Self:
        if self.port == self.imaging_port:
            raise ValueError(f"PORT and IMAGING_PORT are both {self.port}: they must differ")
        return self


def read_settings() -> LocalSettings:
    """Read the environment. Raises CannotRun with the names of wrong variables.

    The message has no values: they may be secret.
    """
    try:
        return LocalSettings()
    except ValidationError as exc:
        complaints = []
        for error in exc.errors():
            name = "".join(f"{part}".upper() + ": " for part in error["loc"][:1])
            complaints.append(name + error["msg"].removeprefix("Value error, "))
        raise CannotRun("; ".join(complaints)) from exc


def check_ports(settings: LocalSettings) -> None:
    """Raise CannotRun for the first port that cannot be bound."""
    for variable, port in (("PORT", settings.port), ("IMAGING_PORT", settings.imaging_port)):
        with socket.socket() as probe:
            # As uvicorn sets it: a port in TIME_WAIT counts as free.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError as exc:
                raise CannotRun(
                    f"port {port} on {HOST} is not free ({exc.strerror}):"
                    f" set {variable} to another one, for example {variable}={port + 10} make run"
                ) from exc
