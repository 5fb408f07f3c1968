"""Reference of the command `darkroom`: its commands with their arguments and options."""

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from honcho.environ import parse_procfile
from typer import Typer
from typer.core import TyperArgument, TyperCommand, TyperGroup, TyperOption
from typer.main import get_command

from darkroom.command.cli import INTERRUPTED, app
from docs.generate.markdown import fields_table, table

_PROCFILE = Path(__file__).resolve().parents[2] / "Procfile"

_PAGE = """\
# The command line

The command `darkroom` renders image files through a gateway, and shows and manages the gateway's
jobs and its uploaded images. [Render a folder](../guides/folder.md) is its guide. In a checkout,
run the command as a module:

```sh
.venv/bin/python -m darkroom --help
```

With the wheel installed, write `darkroom` in place of `.venv/bin/python -m darkroom`.

{commands}

## Options of every command

Every command has `--help`. `darkroom` without a command also takes these options:

{general}

## Environment variables

A variable gives every command the value of an option. An option in the command overrides it.

{variables}

`DARKROOM_KEY` is the [key](../guides/access.md) that every request has. It has no option, because
every user of the computer can read the arguments of a command.

## Exit codes

{codes}

## Commands that start the services

`make run` starts a Valkey and both services. To start a service by itself, set
[`REDIS_URL`](settings.md#both-services) and run one of these commands:

```console
{services}
```

Start more imaging services, on the same computer or on others: all services with the same Redis
share the work. The options of these commands:

{serving}

Ctrl-C or `SIGTERM` stops a service in order: the service takes no new work, finishes its work in
progress and exits.
[Deploy for a team](../guides/deploy.md) shows a complete deployment.
"""

_KINDS = {"str": "text", "int range": "integer", "float": "number", "float range": "number"}
"""Words for Typer's types."""

_CODES = (
    ("0", "Success. `render`: every image has its result."),
    (
        "1",
        "Failure. The gateway refused the request or did not answer. `render`: at least one image"
        " has no result; the same command tries it again.",
    ),
    (
        "2",
        "Mistake in the command: an unknown option, an invalid value or operation, or no image"
        " files. Nothing was sent.",
    ),
    (
        str(INTERRUPTED),
        "Interrupted by Ctrl-C. The same `render` command continues where it stopped.",
    ),
)

_SERVING = (
    (
        "`--host`",
        "`127.0.0.1`",
        "Address to listen on. `0.0.0.0` is every address: then "
        "the gateway needs `DARKROOM_ACCESS`.",
    ),
    ("`--port`", "`8000`", "Port of the service's HTTP."),
    ("`--workers`", "1", "Number of processes that run the service on this port."),
)


def pages() -> dict[str, str]:
    """Return the page of the command line."""
    page = _PAGE.format(
        commands="\n\n".join(section("darkroom", name, one) for name, one in commands().items()),
        general=table(
            ["option", "meaning"],
            [(_code(option.opts), option.help or "") for option in options_of(group())],
        ),
        variables=fields_table(["variable", "option", "default", "meaning"], _variables()),
        codes=table(["code", "meaning"], _CODES),
        services="\n".join(_services()),
        serving=table(["option", "default", "meaning"], _SERVING),
    )
    return {"reference/command-line.md": page}


def group(application: Typer = app) -> TyperGroup:
    """Return the command `darkroom`, or another one."""
    command = get_command(application)
    assert isinstance(command, TyperGroup)
    return command


def commands(application: Typer = app) -> dict[str, TyperCommand]:
    """Return the commands of `darkroom`, or of another application, by name."""
    return dict(_commands_of(group(application), ()))


def _commands_of(within: TyperGroup, names: tuple[str, ...]) -> Iterator[tuple[str, TyperCommand]]:
    """Yield the commands of a group, and of the groups in it, by their names after `darkroom`."""
    for name, one in within.commands.items():
        if isinstance(one, TyperGroup):
            yield from _commands_of(one, (*names, name))
        elif isinstance(one, TyperCommand):
            yield " ".join((*names, name)), one


def arguments_of(command: TyperCommand) -> list[TyperArgument]:
    """Return the arguments of a command, in order."""
    return [one for one in command.params if isinstance(one, TyperArgument)]


def options_of(command: TyperCommand | TyperGroup) -> list[TyperOption]:
    """Return the options of a command, without `--help`."""
    return [one for one in command.params if isinstance(one, TyperOption)]


def section(program: str, name: str, command: TyperCommand) -> str:
    """Return the section of a command: its usage, its arguments and its options."""
    arguments = arguments_of(command)
    usage = " ".join([program, name, "[OPTIONS]", *map(_metavar, arguments)])
    rows = [(f"`{_metavar(one)}`", "", "required", one.help or "") for one in arguments]
    rows += [
        (
            _code([*option.opts, *option.secondary_opts]),
            _values(option),
            _default(option),
            _meaning(option),
        )
        for option in options_of(command)
    ]
    return "\n\n".join(
        (
            f"## `{program} {name}`",
            command.help or "",
            f"```console\n$ {usage}\n```",
            fields_table(["argument or option", "values", "default", "meaning"], rows),
        )
    )


def _metavar(argument: TyperArgument) -> str:
    return argument.metavar or f"{argument.name}".upper()


def _code(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _values(option: TyperOption) -> str:
    """Describe the values that an option takes: `integer, 1 to 256`."""
    if option.is_flag:
        return ""
    if option.metavar:
        return f"`{option.metavar}`"
    kind = _KINDS[option.type.name]
    least, most = (getattr(option.type, bound, None) for bound in ("min", "max"))
    if least is None:
        return kind
    return f"{kind}, {least} or more" if most is None else f"{kind}, {least} to {most}"


def _default(option: TyperOption) -> str:
    if option.required:
        return "required"
    if option.is_flag:
        return "off"
    return f"`{option.default}`" if option.default not in (None, []) else "none"


def _meaning(option: TyperOption) -> str:
    variable = f" Environment variable: `{option.envvar}`." if option.envvar else ""
    return f"{option.help}{variable}"


def _variables() -> Iterable[Sequence[str]]:
    """Return a row for each environment variable that sets an option."""
    options = [option for one in commands().values() for option in options_of(one)]
    rows = {
        f"{option.envvar}": (
            f"`{option.envvar}`",
            _code(option.opts),
            _default(option),
            f"{option.help}",
        )
        for option in options
        if option.envvar
    }
    return rows.values()


def _services() -> Iterator[str]:
    """Yield the Procfile's commands, with the default of each variable."""
    for command in parse_procfile(_PROCFILE.read_text("utf-8")).processes.values():
        plain = re.sub(r'"\$\{\w+:-(\w+)\}"', r"\1", command)
        yield f"$ .venv/bin/{plain.removeprefix('exec ')}"
