"""The service under load and its echo worker, each in a process of its own."""

import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

from bench.environments import ROOT
from bench.servers import Valkey, free_port, wait_for_http


@contextmanager
def running() -> Iterator[str]:
    """Yield the service's URL once the worker has answered through it.

    uvicorn has one worker, as in the article.
    """
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
            headers = {"Content-Type": "application/json"}
            round_trip = urllib.request.Request(
                f"{url}/items/round-trip", data=b'{"text": ""}', headers=headers
            )
            wait_for_http(round_trip, seconds=30)
            yield url
        finally:
            service.terminate()
            service.wait()
            worker.communicate(timeout=30)
