"""What `make run` runs: a Valkey unless REDIS_URL names a Redis, and the services of the Procfile.

A service that dies takes the rest down with it: a half-working suite hides what is wrong.
"""

import os
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import redis
from honcho.colour import get_colours
from honcho.environ import parse_procfile

from devserver.errors import CannotRun
from devserver.lock import claim
from devserver.output import Output
from devserver.service import Service
from devserver.settings import HOST, LocalSettings, check_ports, read_settings
from devserver.stop import Stop
from devserver.valkey import Valkey, ping

ROOT = Path(__file__).resolve().parent.parent
READY_WITHIN = 60.0  # seconds
POLL = 0.1  # seconds


def main() -> int:
    """The exit code: 0 after Ctrl-C, 1 when something kept Darkroom from running or ended it."""
    stop = Stop()
    stop.listen()
    os.chdir(ROOT)
    try:
        settings = read_settings()
        run(settings, stop, Output())
    except CannotRun as exc:
        sys.stderr.write(f"darkroom: {exc}\n")
        return 1
    return 0


def run(settings: LocalSettings, stop: Stop, output: Output) -> None:
    """Returns once it was asked to stop and everything has; raises CannotRun for any other end."""
    ports = {"gateway": settings.port, "imaging": settings.imaging_port}
    # An ExitStack ends last what began first: Valkey after the services it serves.
    with ExitStack() as running:
        valkey = None
        if settings.redis_url is None:
            folder = settings.data_dir / "valkey"
            lock = running.enter_context(claim(folder))
            check_ports(settings)
            valkey = Valkey(folder, lock, avoid=ports.values(), stop=stop)
            running.enter_context(valkey)
        else:
            check_ports(settings)
            reach(os.environ["REDIS_URL"])
        services: list[Service] = []
        running.callback(end, services, stop, output)
        env = environment(settings, valkey)
        commands = parse_procfile((ROOT / "Procfile").read_text()).processes
        for (name, command), colour in zip(commands.items(), get_colours(), strict=False):
            services.append(
                Service(name, command, port=ports[name], env=env, colour=colour, output=output)
            )
        watch(services, valkey, settings, stop, output)


def reach(url: str) -> None:
    try:
        ping(url)
    except redis.RedisError as exc:
        raise CannotRun(f"REDIS_URL names a Redis that does not answer: {exc}") from exc


def environment(settings: LocalSettings, valkey: Valkey | None) -> dict[str, str]:
    env = os.environ | {
        "PORT": str(settings.port),
        "IMAGING_PORT": str(settings.imaging_port),
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]),
        "PYTHONUNBUFFERED": "1",
    }
    return env | {"REDIS_URL": valkey.url} if valkey else env


def watch(
    services: list[Service],
    valkey: Valkey | None,
    settings: LocalSettings,
    stop: Stop,
    output: Output,
) -> None:
    """Returns when asked to stop; raises CannotRun if something dies or does not get ready."""
    deadline = time.monotonic() + READY_WITHIN
    announced = False
    while not stop.asked:
        for service in services:
            if (code := service.exit_code()) is not None:
                raise CannotRun(f"{service.name} has ended by itself (exit code {code})")
        if valkey and (code := valkey.exit_code()) is not None:
            raise CannotRun(f"valkey-server has ended by itself (exit code {code})")
        if not announced:
            missing = [lack for service in services if (lack := service.lacks())]
            announced = not missing
            if announced:
                announce(settings, valkey, output)
            elif time.monotonic() > deadline:
                raise CannotRun(f"not ready after {READY_WITHIN:.0f} s: {'; '.join(missing)}")
        time.sleep(POLL)


def announce(settings: LocalSettings, valkey: Valkey | None, output: Output) -> None:
    page = f"http://{HOST}:{settings.port}/"
    output.say(
        "",
        f"Darkroom is ready:   {page}",
        "",
        f"  the HTTP API       {page}docs",
        f"  the messages       {page}asyncapi",
        f"  Redis              {valkey.url if valkey else 'the one of REDIS_URL'}",
        "",
        "Ctrl-C ends everything.",
        "",
    )


def end(services: list[Service], stop: Stop, output: Output) -> None:
    """In the Procfile's order: the gateway's last requests still find an imaging worker."""
    for service in services:
        output.say(f"ending {service.name}")
        service.stop(stop)


if __name__ == "__main__":
    sys.exit(main())
