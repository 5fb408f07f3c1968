"""Scenario: a bucket that is slow, refuses a tenth of the requests, and is away for a while."""

import asyncio
import time
from contextlib import ExitStack
from pathlib import Path

from bench.chaos.client import client, orders, photographs
from bench.chaos.listeners import stream_listener
from bench.chaos.outcome import Outcome
from bench.chaos.suite import suite
from bench.s3_servers import CREDENTIALS, Moto
from tests.faulty_s3 import Fault, faulty_s3


async def bucket_fails(folder: Path, *, jobs: int, away: float) -> Outcome:
    """Submit `jobs` jobs, and have the bucket fail in three ways; it is away for `away` seconds.

    Raises AssertionError unless every accepted job succeeds, with the right bytes.
    """
    with ExitStack() as stack:
        s3 = stack.enter_context(faulty_s3(stack.enter_context(Moto()).endpoint))
        env = {
            **CREDENTIALS,
            "DARKROOM_STORE": s3.store("chaos"),
            "DARKROOM_STORE_CACHE": str(folder / "cache"),
            # So small that each source is fetched again.
            "DARKROOM_STORE_CACHE_BYTES": "1",
            # Small results go to the bucket, too.
            "DARKROOM_HOT_BYTES": "1",
        }
        async with (
            suite(folder, workers=2, env=env) as running,
            client(running.gateway.url) as http,
            stream_listener(running.redis) as stream,
        ):
            images = [await http.upload(image) for image in photographs(10, 1200, 900)]
            started = time.monotonic()
            accepted = await http.submit_all(orders(images, jobs, width=900))
            s3.fault = Fault.AWAY
            await asyncio.sleep(away)
            ended = len(stream.ended())
            assert ended < jobs, "no job was open while the bucket was away"
            for fault in (Fault.BUSY, Fault.SLOW):
                s3.fault = fault
                await asyncio.sleep(min(5, away))
            s3.fault = Fault.NONE
            await stream.wait_for_ends(accepted, seconds=120 + jobs)
            stream.assert_one_end(accepted)
            await http.assert_right_results(accepted)
            await running.assert_no_open_jobs()
            return Outcome(
                "the bucket fails",
                jobs=jobs,
                kills=0,
                stall=stream.longest_stall(),
                seconds=stream.seconds_since(started),
                notes={"requests to the bucket": s3.requests, "seconds away": away},
            )
