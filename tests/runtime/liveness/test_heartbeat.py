"""Heartbeats: what may be concluded from those of others."""

import asyncio

from services.runtime.liveness.heartbeat import Heartbeat
from services.runtime.liveness.server_clock import Clock
from services.runtime.redis.client import make_redis
from tests.processes import until
from tests.runtime.echo import settings_for


async def test_a_new_process_concludes_nothing_before_a_heartbeat_would_have_run_out(
    redis_url: str,
) -> None:
    settings = settings_for(redis_url, heartbeat_interval=0.05, heartbeat_ttl=0.3)
    redis = make_redis(settings)
    heartbeat = Heartbeat(redis, "new", settings, Clock(), capacity=1, report=dict)
    assert not heartbeat.steady
    loop = asyncio.get_running_loop()
    began = loop.time()
    await heartbeat.start([])
    assert not heartbeat.steady
    await until(lambda: heartbeat.steady)
    assert loop.time() - began > 0.25
    await heartbeat.stop()
    await redis.close()
