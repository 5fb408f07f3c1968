"""The heartbeat of a worker."""

from collections.abc import Iterator

from structlog.testing import capture_logs

from services.runtime.liveness.heartbeat import Report
from services.runtime.redis.client import make_redis
from services.runtime.rpc.broker import Broker
from tests.processes import until
from tests.runtime.echo import ECHO, Echo, settings_for


async def test_a_report_that_fails_does_not_end_the_heartbeat(redis_url: str) -> None:
    reports: Iterator[Report] = iter([{"slots": 1}])
    settings = settings_for(redis_url, heartbeat_interval=0.05)
    broker = Broker(make_redis(settings), settings, report=lambda: next(reports))
    broker.serve(ECHO, Echo().__call__)
    await broker.start()
    with capture_logs() as logs:
        await until(lambda: [line["event"] for line in logs].count("heartbeat failed") >= 2)
    assert broker.heartbeat.beating
    await broker.stop()
