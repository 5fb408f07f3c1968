"""Run Darkroom for development: a Valkey unless REDIS_URL names a Redis, and the services.

The services are those of the Procfile. When one of them ends by itself, everything is stopped: a
suite that works only in part hides the fault.
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
from devserver.lock import lock_folder
from devserver.output import Output
from devserver.service import Service
from devserver.settings import HOST, LocalSettings, check_ports, read_settings
from devserver.stop import Stop
from devserver.valkey import Valkey, ping

ROOT = Path(__file__).resolve().parent.parent
READY_WITHIN = 60.0  # seconds
POLL = 0.1  # seconds


def main() -> int:
    """Run until Ctrl-C; return the exit code: 0 after a requested stop, 1 for any other end."""
    stop = Stop()
    stop.install_handlers()
    os.chdir(ROOT)
    try:
        settings = read_settings()
        run(settings, stop, Output())
    except CannotRun as exc:
        sys.stderr.write(f"darkroom: {exc}\n")
        return 1
    return 0


def run(settings: LocalSettings, stop: Stop, output: Output) -> None:
    """Run everything; return after a requested stop, once all processes have ended.

    Raises CannotRun for any other end, also after all processes have ended.
    """
    ports = {"gateway": settings.port, "imaging": settings.imaging_port}
    # An ExitStack ends in reverse order: Valkey ends after the services that use it.
    with ExitStack() as running:
        valkey = None
        if settings.redis_url is None:
            folder = settings.data_dir / "valkey"
            lock = running.enter_context(lock_folder(folder))
            check_ports(settings)
            valkey = Valkey(folder, lock, avoid=ports.values(), stop=stop)
            running.enter_context(valkey)
        else:
            check_ports(settings)
            check_redis(os.environ["REDIS_URL"])
        services: list[Service] = []
        running.callback(stop_services, services, stop, output)
        env = environment(settings, valkey)
        commands = parse_procfile((ROOT / "Procfile").read_text()).processes
        for (name, command), colour in zip(commands.items(), get_colours(), strict=False):
            services.append(
                Service(name, command, port=ports[name], env=env, colour=colour, output=output)
            )
        watch(services, valkey, settings, stop, output)


def check_redis(url: str) -> None:
    """Raise CannotRun unless a Redis answers at `url`."""
    try:
        ping(url)
    except redis.RedisError as exc:
        raise CannotRun(f"REDIS_URL names a Redis that does not answer: {exc}") from exc


def environment(settings: LocalSettings, valkey: Valkey | None) -> dict[str, str]:
    """Return the services' environment; the commands of this virtual environment come first."""
    store = (settings.data_dir / "store").absolute().as_uri()
    env = (
        {"DARKROOM_STORE": store}
        | os.environ
        | {
            "PORT": str(settings.port),
            "IMAGING_PORT": str(settings.imaging_port),
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]),
            "PYTHONUNBUFFERED": "1",
        }
    )
    return env if valkey is None else env | {"REDIS_URL": valkey.url}


def watch(
    services: list[Service],
    valkey: Valkey | None,
    settings: LocalSettings,
    stop: Stop,
    output: Output,
) -> None:
    """Announce when all services are ready; return when a stop is requested.

    Raises CannotRun when a process ends by itself, or when a service is not ready in time.
    """
    deadline = time.monotonic() + READY_WITHIN
    announced = False
    while not stop.requested:
        for service in services:
            if (code := service.exit_code()) is not None:
                raise CannotRun(f"{service.name} has ended by itself (exit code {code})")
        if valkey and (code := valkey.exit_code()) is not None:
            raise CannotRun(f"valkey-server has ended by itself (exit code {code})")
        if not announced:
            reasons = [reason for service in services if (reason := service.unready_reason())]
            announced = not reasons
            if announced:
                announce(settings, valkey, output)
            elif time.monotonic() > deadline:
                raise CannotRun(f"not ready after {READY_WITHIN:.0f} s: {'; '.join(reasons)}")
        time.sleep(POLL)


def announce(settings: LocalSettings, valkey: Valkey | None, output: Output) -> None:
    """Print the addresses of everything that runs."""
    page = f"http://{HOST}:{settings.port}/"
    output.print_lines(
        "",
        f"Darkroom is ready:   {page}",
        "",
        f"  the guide          {page}guide",
        f"  the HTTP API       {page}docs",
        f"  the messages       {page}asyncapi",
        f"  Redis              {valkey.url if valkey else 'the one of REDIS_URL'}",
        "",
        "Ctrl-C ends everything.",
        "",
    )


def stop_services(services: list[Service], stop: Stop, output: Output) -> None:
    """Stop the services in the Procfile's order: the gateway's last requests need imaging."""
    for service in services:
        output.print_lines(f"stopping {service.name}")
        service.stop(stop)


if __name__ == "__main__":
    sys.exit(main())
