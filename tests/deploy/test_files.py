"""The files of a deployment agree with each other and with the defaults of the settings."""

import json
import re
import subprocess
import sys
from typing import Any

import pytest
import yaml

from services.gateway.settings import GatewaySettings
from services.imaging.settings import ImagingSettings
from tests.processes import ROOT, Service, free_port

DEPLOY = ROOT / "deploy"
COMPOSE = (DEPLOY / "compose.yaml").read_text()
CONTAINERFILE = (ROOT / "Containerfile").read_text()

DEFAULTS = dict(re.findall(r"\$\{(\w+):-(.*?)\}", COMPOSE))
"""The variables of compose.yaml with their defaults."""


@pytest.fixture(scope="module")
def containers() -> Any:
    """The services of compose.yaml, with every variable at its default."""
    return yaml.safe_load(re.sub(r"\$\{\w+:-(.*?)\}", r"\1", COMPOSE))["services"]


def seconds(text: str) -> int:
    assert text.endswith("s")
    return int(text[:-1])


def mebibytes(text: str) -> int:
    return int(text[:-1]) * {"m": 1, "g": 1024}[text[-1]]


def pinned(name: str) -> set[str]:
    """Return `package==version` for each package of a lock file."""
    lines = (ROOT / name).read_text().splitlines()
    return {line.split()[0] for line in lines if "==" in line and not line.startswith(" ")}


def test_the_image_has_the_package_versions_that_are_tested() -> None:
    image = pinned("deploy/requirements.lock")
    assert image < pinned("requirements.lock")
    assert {name.split("==")[0] for name in image} >= {"faststream", "pillow-heif", "uvicorn"}


def test_the_example_lists_each_variable_with_its_default() -> None:
    lines = (DEPLOY / ".env.example").read_text().splitlines()
    listed = dict(line[1:].split("=", 1) for line in lines if re.match(r"#\w+=", line))
    assert listed.items() >= DEFAULTS.items()
    assert {name for name in listed.keys() - DEFAULTS.keys() if "DARKROOM" not in name} == set()


def test_a_container_is_stopped_after_the_time_that_its_service_takes(containers: Any) -> None:
    gateway, imaging = GatewaySettings.model_fields, ImagingSettings.model_fields
    work = imaging["graceful_timeout"].default
    assert seconds(containers["imaging"]["stop_grace_period"]) > work
    requests = gateway["max_timeout"].default + gateway["graceful_timeout"].default
    assert seconds(containers["gateway"]["stop_grace_period"]) > requests


def test_a_worker_has_the_memory_that_its_pool_processes_may_use(containers: Any) -> None:
    environment = containers["imaging"]["environment"]
    pool = environment["DARKROOM_SLOTS"] * environment["DARKROOM_PROCESS_MEMORY"]
    assert mebibytes(containers["imaging"]["mem_limit"]) == pool + 512


def test_a_gateway_has_the_memory_that_answers_may_use(containers: Any) -> None:
    answers = GatewaySettings.model_fields["max_answers"].default >> 20
    assert mebibytes(containers["gateway"]["mem_limit"]) >= answers + 512


def test_all_containers_share_the_folder_of_the_image_as_their_store(containers: Any) -> None:
    [folder] = re.findall(r"DARKROOM_STORE=file://(\S+)", CONTAINERFILE)
    [owned] = re.findall(r"install -d -o 10001 -g 10001 -m \d+ (\S+)", CONTAINERFILE)
    assert owned == folder
    for service in ("gateway", "imaging"):
        assert containers[service]["volumes"] == [f"store:{folder}"]
        assert containers[service]["read_only"]


def test_the_units_share_a_user_and_the_folder_of_the_store() -> None:
    for unit in (DEPLOY / "systemd").iterdir():
        lines = unit.read_text().splitlines()
        assert {"User=darkroom", "StateDirectory=darkroom"} <= set(lines)
        store = lines.index("Environment=DARKROOM_STORE=file:///var/lib/darkroom")
        assert store < lines.index("EnvironmentFile=/etc/darkroom.env"), "the file overrides it"


def test_the_health_check_fails_with_the_reason(gateway: Service) -> None:
    def check(port: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(DEPLOY / "healthcheck.py"), port]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    assert check(gateway.url.rpartition(":")[2]).returncode == 0
    stopped = check(str(free_port()))
    assert stopped.returncode == 1
    assert "Connection refused" in stopped.stderr


def test_compose_checks_the_health_as_the_image_does(containers: Any) -> None:
    [check] = re.findall(r"^HEALTHCHECK .*?\n +CMD (\[.*\])$", CONTAINERFILE, re.MULTILINE)
    for service in ("gateway", "imaging"):
        assert containers[service]["healthcheck"]["test"] == ["CMD", *json.loads(check)]


def test_the_services_listen_where_the_image_says(containers: Any) -> None:
    [command] = re.findall(r"^CMD (\[.*\])$", CONTAINERFILE, re.MULTILINE)
    gateway = json.loads(command)
    assert gateway[2] == "services.gateway.main:app"
    gateway[2] = "services.imaging.main:app"
    assert containers["imaging"]["command"] == gateway
