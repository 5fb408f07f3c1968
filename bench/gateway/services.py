"""The service under load and its echo worker, each in a process of its own."""

import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

from bench.environments import ROOT
from bench.servers import Valkey, free_port


@contextmanager
def running() -> Iterator[str]:
    """The service's address, from its first answer on; one worker, as in the article."""
    with Valkey() as server:
        env = {**os.environ, "REDIS_URL": server.url}
        port = free_port()
        worker = subprocess.Popen(
            [sys.executable, "-m", "bench.gateway.echo"], cwd=ROOT, env=env, stdin=subprocess.PIPE
        )
        options = ["--factory", "--port", str(port), "--log-level", "warning", "--no-access-log"]
        service = subprocess.Popen(
            [sys.executable, "-m", "uvicorn", "bench.gateway.app:create_app", *options],
            cwd=ROOT,
            env=env,
        )
        try:
            url = f"http://127.0.0.1:{port}"
            _await_answer(f"{url}/items/round-trip")
            yield url
        finally:
            service.terminate()
            service.wait()
            worker.communicate(timeout=30)


def _await_answer(url: str) -> None:
    end = time.monotonic() + 30
    ask = urllib.request.Request(
        url, data=b'{"text": ""}', headers={"Content-Type": "application/json"}
    )
    while True:
        try:
            urllib.request.urlopen(ask, timeout=5).close()
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.1)
        else:
            return
