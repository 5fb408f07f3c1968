"""Reference of the settings: a table for each group, read from the settings classes."""

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

from pydantic import AliasChoices, ValidationError
from pydantic_settings import BaseSettings

from devserver.errors import CannotRun
from devserver.settings import LocalSettings, read_settings
from docs.generate.markdown import fields_table
from services.gateway.access_settings import AccessSettings
from services.gateway.settings import GatewaySettings
from services.imaging.settings import ImagingSettings
from services.runtime.settings import RuntimeSettings


@dataclass(frozen=True)
class Setting:
    """A setting as its page describes it: every text is Markdown."""

    variables: Sequence[str]
    values: str
    default: str
    unit: str
    meaning: str


@dataclass(frozen=True)
class Group:
    """The settings of a class for which `contains` is true, by the name of the field."""

    title: str
    note: str
    settings: type[BaseSettings]
    contains: Callable[[str], bool] = lambda name: True


def _is_own(name: str) -> bool:
    return name not in RuntimeSettings.model_fields


def _is_of_gateway(name: str) -> bool:
    return name not in AccessSettings.model_fields


def _is_webhook(name: str) -> bool:
    return name.startswith("webhook_")


GROUPS = (
    Group(
        "Both services",
        "Use the same value for every gateway and every imaging service.",
        RuntimeSettings,
    ),
    Group(
        "Access",
        "The gateway reads these variables. [Keys](../guides/access.md) explains them.",
        AccessSettings,
        _is_own,
    ),
    Group(
        "Gateway",
        "A refused request gets a [problem document](../errors/index.md) that names the limit.",
        GatewaySettings,
        lambda name: _is_of_gateway(name) and not _is_webhook(name),
    ),
    Group(
        "Webhooks",
        "The gateway reads these variables. [Webhooks](../guides/webhooks.md) shows how to receive"
        " and verify a webhook.",
        GatewaySettings,
        _is_webhook,
    ),
    Group(
        "Imaging",
        "One megapixel is 1,000,000 pixels. An image over a limit is refused before it is decoded.",
        ImagingSettings,
        _is_own,
    ),
    Group(
        "`make run`",
        "`make run` reads these variables, and passes all others on to both services.",
        LocalSettings,
    ),
)

_LARGER_UNITS: dict[str, Sequence[tuple[int, str]]] = {
    "seconds": ((24 * 3600, "day"), (3600, "hour"), (60, "minute")),
    "bytes": ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")),
    "MiB": ((1 << 10, "GiB"),),
}

_PAGE = """\
# Settings

Settings are environment variables. Each process reads its variables once, when it starts: restart
a service after a change. Names begin with `DARKROOM_`, except `REDIS_URL` and the variables of
`make run`.

## Set a variable

In a shell:

<!-- keeps running: http://127.0.0.1:8000/health/ready -->
```sh
DARKROOM_MAX_BODY=100000 DARKROOM_IMAGE_TTL=3600 make run
```

The gateway now refuses an image of more than 100,000 bytes:

```sh
curl -sSo /tmp/house.jpg http://127.0.0.1:8000/guide/house.jpg
```

<!-- refused: 413 -->
```sh
curl -sS --data-binary @/tmp/house.jpg 'http://127.0.0.1:8000/v1/render?op=grayscale'
```

In a compose file:

```yaml
services:
  gateway:
    environment:
      DARKROOM_MAX_BODY: "100000"
```

In a unit of systemd, with secrets in a file that only root can read. Every user of the computer can
read `Environment=`.

```ini
[Service]
Environment=DARKROOM_MAX_BODY=100000
EnvironmentFile=/etc/darkroom/secrets
```

- Write a number without its unit: `60`, not `60s`.
- To use a default, leave the variable out. For a service, an empty value counts as a value.
- Darkroom ignores a name that it does not know, so a misspelled name has no effect.
- Darkroom reads no `.env` file. Compose and your shell may read one.
- `DARKROOM_ADMIN_KEY` is a secret, `DARKROOM_WEBHOOK_SECRET` is a secret, and so is `REDIS_URL` if
  it has a password. Keep them out of your shell's history and out of version control.

## An invalid value

A service with an invalid value does not start: it exits with code 1. The last lines of its
output name the setting, in lower case and without `DARKROOM_`. With `DARKROOM_MAX_BODY=64MB` and
`DARKROOM_WEBHOOK_ATTEMPTS=0` they are:

```text
{service_error}
```

The gateway does not print the value: the value may be a secret. `make run` with `PORT=99999` ends
with one line:

```text
{local_error}
```

{groups}

The command `darkroom` has two variables of its own: see [The command line](command-line.md).
"""


def pages() -> dict[str, str]:
    """Return the page of the settings."""
    groups = "\n\n".join(map(_section, GROUPS))
    page = _PAGE.format(service_error=_service_error(), local_error=_local_error(), groups=groups)
    return {"reference/settings.md": page}


def settings_of(group: Group) -> Iterator[Setting]:
    """Yield the settings of a group, in the order of their class."""
    schemas = group.settings.model_json_schema(by_alias=False)["properties"]
    for name in filter(group.contains, group.settings.model_fields):
        yield _setting(group.settings, name, schemas[name])


def _section(group: Group) -> str:
    rows = [
        (
            " or ".join(f"`{variable}`" for variable in setting.variables),
            setting.values,
            setting.default,
            setting.unit,
            setting.meaning,
        )
        for setting in settings_of(group)
    ]
    heads = ["variable", "values", "default", "unit", "meaning"]
    return f"## {group.title}\n\n{group.note}\n\n{fields_table(heads, rows)}"


def _setting(settings: type[BaseSettings], name: str, schema: dict[str, Any]) -> Setting:
    field = settings.model_fields[name]
    unit = schema.get("x-unit", "")
    if field.default_factory is not None:
        default = field.default_factory.__name__.replace("_", " ")
    else:
        default = _default(field.default, unit)
    return Setting(
        variables=_variables(settings, name),
        values=_values(schema),
        default=default,
        unit=unit,
        meaning=schema.get("description", ""),
    )


def _variables(settings: type[BaseSettings], name: str) -> Sequence[str]:
    alias = settings.model_fields[name].validation_alias
    if isinstance(alias, AliasChoices):
        return [str(choice) for choice in alias.choices]
    return [(settings.model_config.get("env_prefix", "") + name).upper()]


def _values(schema: dict[str, Any]) -> str:
    """Describe the values that a setting accepts: `integer, 1 to 100`."""
    given = next((one for one in schema.get("anyOf", ()) if one["type"] != "null"), schema)
    match given:
        case {"enum": values}:
            *others, last = (f"`{value}`" for value in values)
            return f"{', '.join(others)} or {last}"
        case {"type": "boolean"}:
            return "`true` or `false`"
        case {"type": "integer", "minimum": least, "maximum": most}:
            return f"integer, {least} to {most}"
        case {"type": "integer", "minimum": least}:
            return f"integer, {least} or more"
        case {"type": "number", "minimum": least}:
            return f"number, {least} or more"
        case {"type": "number", "exclusiveMinimum": bound}:
            return f"number above {bound}"
        case {"type": "array"}:
            return "list, separated by commas"
        case {"format": "password"}:
            return "text, **a secret**"
        case {"format": "path"}:
            return "path"
        case {"format": "uri"}:
            return "URL"
        case {"x-values": words}:
            return str(words)
    raise TypeError(f"A number needs limits, and a new type needs words here: {schema}")


def _default(value: object, unit: str) -> str:
    """Return a default as a variable has it, and in a larger unit that it is a multiple of."""
    if value in (None, (), ""):
        return "none"
    if isinstance(value, bool):
        return f"`{value}`".lower()
    if isinstance(value, tuple):
        return f"`{','.join(value)}`"
    if not isinstance(value, int | float):
        return f"`{value}`"
    raw = f"`{value:.15g}`"
    for size, larger in _LARGER_UNITS.get(unit, ()):
        if value % size == 0:
            plural = "s" if unit == "seconds" and value > size else ""
            return f"{raw} ({value / size:g} {larger}{plural})"
    return raw


def _service_error() -> str:
    """Return the message for invalid values, without the addresses of pydantic's documents."""
    try:
        GatewaySettings.model_validate({"max_body": "64MB", "webhook_attempts": "0"})
    except ValidationError as exc:
        lines = [line for line in str(exc).splitlines() if "further information" not in line]
        return "\n".join(["ValidationError: " + lines[0], *lines[1:]])
    raise AssertionError("64MB is no number of bytes")


def _local_error() -> str:
    with patch.dict(os.environ, {"PORT": "99999"}, clear=True):
        try:
            read_settings()
        except CannotRun as exc:
            return f"darkroom: {exc}"
    raise AssertionError("99999 is no port")
