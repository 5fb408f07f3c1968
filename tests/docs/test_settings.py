"""The settings: each is described, and its page agrees with what a service reads."""

import re
from functools import cache

import pytest
from pydantic import SecretStr
from pydantic_settings import BaseSettings

from devserver.settings import LocalSettings
from docs.generate.settings import pages
from services.gateway.settings import GatewaySettings
from services.imaging.settings import ImagingSettings, number_of_processors

CLASSES: tuple[type[BaseSettings], ...] = (GatewaySettings, ImagingSettings, LocalSettings)
SETTINGS = [
    pytest.param(settings, name, id=f"{settings.__name__}-{name}")
    for settings in CLASSES
    for name in settings.model_fields
]


@cache
def page() -> str:
    [text] = pages().values()
    return text


def schema_of(settings: type[BaseSettings], name: str) -> dict[str, object]:
    schema: dict[str, object] = settings.model_json_schema(by_alias=False)["properties"][name]
    return schema


def variable_of(settings: type[BaseSettings], name: str) -> str:
    return name.upper() if settings is LocalSettings else f"DARKROOM_{name.upper()}"


def row_of(settings: type[BaseSettings], name: str) -> list[str]:
    """Return the cells of a setting: variable, values, default, unit, meaning."""
    _, _, local = page().partition("## `make run`")
    text = local if settings is LocalSettings else page().removesuffix(local)
    variable = variable_of(settings, name)
    [row] = re.findall(rf"^\| (?:`\w+` or )?`{variable}` \|.*$", text, re.MULTILINE)
    return [cell.strip() for cell in row.strip("|").split("|")]


@pytest.mark.parametrize(("settings", "name"), SETTINGS)
def test_every_setting_has_a_meaning_and_every_number_a_unit(
    settings: type[BaseSettings], name: str
) -> None:
    schema = schema_of(settings, name)
    assert schema.get("description"), "the field needs a description"
    assert "x-unit" in schema or schema.get("type") not in ("integer", "number"), "which unit?"


@pytest.mark.parametrize(("settings", "name"), SETTINGS)
def test_every_setting_is_on_its_page(settings: type[BaseSettings], name: str) -> None:
    schema = schema_of(settings, name)
    _, values, default, unit, meaning = row_of(settings, name)
    assert values
    assert default
    assert unit == schema.get("x-unit", "")
    assert meaning == schema["description"]


@pytest.mark.parametrize(("settings", "name"), SETTINGS)
def test_a_service_reads_the_variable_and_the_default_of_the_page(
    settings: type[BaseSettings], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for field in settings.model_fields:
        monkeypatch.delenv(variable_of(settings, field), raising=False)
    monkeypatch.delenv("REDIS_URL", raising=False)
    default = getattr(settings(), name)
    _, _, shown, _, _ = row_of(settings, name)
    if default in (None, (), ""):
        assert shown == "none"
    elif name == "slots":
        assert (shown, default) == ("number of processors", number_of_processors())
    else:
        written = shown.split("`")[1]
        monkeypatch.setenv(variable_of(settings, name), written)
        assert getattr(settings(), name) == default
        assert name in settings().model_fields_set


@pytest.mark.parametrize(
    ("settings", "name", "shown"),
    [
        (GatewaySettings, "max_body", "`67108864` (64 MiB)"),
        (GatewaySettings, "job_ttl", "`86400` (1 day)"),
        (GatewaySettings, "heartbeat_ttl", "`4`"),
        (GatewaySettings, "webhook_allow_private", "`false`"),
        (ImagingSettings, "process_memory", "`4096` (4 GiB)"),
    ],
)
def test_a_default_is_shown_in_a_unit_that_people_read(
    settings: type[BaseSettings], name: str, shown: str
) -> None:
    assert row_of(settings, name)[2] == shown


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("webhook_attempts", "integer, 1 to 100"),
        ("max_body", "integer, 1 or more"),
        ("linger", "number above 0"),
        ("log_level", "`DEBUG`, `INFO`, `WARNING`, `ERROR` or `CRITICAL`"),
    ],
)
def test_the_limits_of_a_setting_are_on_its_page(name: str, values: str) -> None:
    assert row_of(GatewaySettings, name)[1] == values


def test_secrets_are_named_as_secrets() -> None:
    secrets = [
        (settings, name)
        for settings in CLASSES
        for name, field in settings.model_fields.items()
        if field.annotation in (SecretStr, SecretStr | None)
    ]
    assert secrets
    for settings, name in secrets:
        assert "a secret" in row_of(settings, name)[1]
        assert f"`{variable_of(settings, name)}` is a secret" in page()
