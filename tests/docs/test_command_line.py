"""The page of the command line has every command, argument, option and variable."""

import pytest

from docs.generate.command_line import arguments_of, commands, group, options_of, pages

[PAGE] = pages().values()


def section_of(command: str) -> str:
    _, _, rest = PAGE.partition(f"## `darkroom {command}`\n")
    return rest.partition("\n## ")[0]


def test_all_commands_of_the_application_are_found() -> None:
    assert {name.split()[0] for name in commands()} == set(group().commands)
    assert {"render", "jobs", "workers", "keys create"} <= set(commands())


@pytest.mark.parametrize("name", commands())
def test_a_command_is_on_the_page_with_its_arguments_and_options(name: str) -> None:
    section = section_of(name)
    command = commands()[name]
    assert command.help
    assert command.help in section
    rows = [f"| `{argument.metavar}` |" for argument in arguments_of(command)]
    rows += [f"| `{option.opts[0]}`" for option in options_of(command)]
    for row in rows:
        assert row in section
    assert len(rows) == len(command.params)


@pytest.mark.parametrize("name", commands())
def test_every_argument_and_option_says_its_meaning(name: str) -> None:
    command = commands()[name]
    meanings = [argument.help for argument in arguments_of(command)]
    meanings += [option.help for option in options_of(command)]
    for meaning in meanings:
        assert meaning
        assert meaning in section_of(name)


def test_the_variables_that_set_options_are_on_the_page() -> None:
    _, _, variables = PAGE.partition("## Environment variables")
    for variable in ("DARKROOM_GATEWAY", "DARKROOM_SUBMITTER"):
        assert f"| `{variable}` |" in variables


@pytest.mark.parametrize(
    "row",
    [
        "| `--jobs` | integer, 1 to 256 | `16` |",
        "| `--patience` | number, 1 or more | `3600` |",
        "| `--out` | `DIR` | required |",
        "| `--recursive`, `--no-recursive` |  | off |",
        "| `--gateway` | text | `http://127.0.0.1:8000` |",
    ],
)
def test_an_option_is_shown_with_its_values_and_default(row: str) -> None:
    assert row in section_of("render")


def test_the_services_commands_are_those_of_the_procfile() -> None:
    for service, port in (("gateway", 8000), ("imaging", 8001)):
        command = f"faststream run services.{service}.main:app --host 127.0.0.1 --port {port}\n"
        assert command in PAGE
