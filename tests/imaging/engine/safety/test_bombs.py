"""Crafted files are refused or rendered quickly, each in a new process with little memory."""

import multiprocessing
import resource
import time
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext

import pytest

from contracts.errors import ImageUnreadable, ServiceError
from contracts.operations.pipeline import Pipeline
from services.imaging.engine import pipeline
from services.imaging.engine.decoding import decode
from services.imaging.engine.decoding.source import open_source
from services.imaging.engine.inspection import inspect
from services.imaging.engine.safety.limits import DEFAULT_LIMITS
from tests.imaging import forged
from tests.imaging.engine.safety.bombs.every import BOMBS

MAX_SECONDS = 1.0  # of CPU, for a render or an inspection
MAX_MEGABYTES = 300  # resident, with the 60 of the libraries

KEEP_METADATA = Pipeline.model_validate(
    {
        "operations": [{"op": "resize", "width": 64}],
        "output": {"format": "webp", "metadata": "keep", "icc": "keep"},
    }
)


def detonate(data: bytes, report: Connection) -> None:
    """Render and inspect a file; send both outcomes, the most CPU seconds and the megabytes."""
    resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (10, 10))
    outcomes, slowest = [], 0.0
    for attempt in (
        lambda: pipeline.run(data, KEEP_METADATA),
        lambda: inspect.inspect_pixels(data, place=True),
    ):
        started = time.process_time()
        try:
            attempt()
            outcomes.append("done")
        except ServiceError as exc:
            outcomes.append(exc.code.value)
        slowest = max(slowest, time.process_time() - started)
    report.send((outcomes, slowest, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024))


@pytest.fixture(scope="module")
def fork_server() -> ForkServerContext:
    """Starts new processes in which this module is already imported."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.imaging.engine.safety.test_bombs"])
    return context


@pytest.mark.slow
@pytest.mark.parametrize("name", BOMBS)
def test_a_crafted_file_costs_little_time_and_memory(
    name: str, fork_server: ForkServerContext
) -> None:
    accepted, build = BOMBS[name]
    receiving, sending = fork_server.Pipe(duplex=False)
    process = fork_server.Process(target=detonate, args=(build(), sending))
    process.start()
    sending.close()
    try:
        outcomes, seconds, megabytes = receiving.recv()
    except EOFError:
        process.join()
        pytest.fail(f"The process died: exit code {process.exitcode}")
    process.join()

    assert set(outcomes) <= accepted
    assert seconds < MAX_SECONDS
    assert megabytes < MAX_MEGABYTES


def test_a_frame_larger_than_the_image_is_refused_before_it_is_decoded() -> None:
    source = open_source(forged.gif_with_larger_frame(13_000), DEFAULT_LIMITS)

    with pytest.raises(ImageUnreadable, match="Frame 2 is larger"):
        decode.decode_frame(source, 1)
