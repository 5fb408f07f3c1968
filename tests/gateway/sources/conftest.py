"""Sources on a real Redis, a real web server and real folders."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from services.gateway.reloading import ReloadedFile
from services.gateway.settings import GatewaySettings
from services.gateway.sources.configuration import parse_sources
from services.gateway.sources.originals import Originals
from services.gateway.sources.setup import make_originals
from services.gateway.sources.uploads.upload import UploadReader
from services.runtime.redis.client import RedisClient, make_redis
from services.runtime.storage.images import Images
from services.runtime.storage.setup import make_storage, stop_storage
from services.runtime.telemetry.metrics import Metrics
from tests.gateway.sources.web import Web, web_server

MakeOriginals = Callable[[str], Originals]


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[RedisClient]:
    """A client, whose server has nothing of images and originals before."""
    client = make_redis(GatewaySettings(redis_url=redis_url))
    for pattern in ("image", "origin"):
        for key in await client.execute("KEYS", f"darkroom:{pattern}*"):
            await client.execute("UNLINK", key)
    yield client
    await client.close()


@pytest.fixture
async def web() -> AsyncIterator[Web]:
    async with web_server() as server:
        yield server


@pytest.fixture
async def gateways(
    redis: RedisClient, redis_url: str, tmp_path: Path
) -> AsyncIterator[MakeOriginals]:
    """Make the originals of a gateway, from the text of its file; each call is another gateway."""
    settings = GatewaySettings(
        redis_url=redis_url, store=f"file://{tmp_path / 'store'}", max_body=1_000_000
    )
    storage = make_storage(settings, redis, Metrics())
    images = Images(storage)
    made: list[Originals] = []

    def make(text: str) -> Originals:
        path = tmp_path / "sources.toml"
        path.write_text(text)
        file = ReloadedFile("DARKROOM_SOURCES", path, parse_sources)
        bodies = UploadReader(images, settings, storage.scratch)
        made.append(
            make_originals(
                file,
                settings,
                redis=redis,
                images=images,
                bodies=bodies,
                scratch=storage.scratch,
                metrics=Metrics(),
            )
        )
        return made[-1]

    yield make
    for originals in made:
        await originals.close()
    await stop_storage(storage)
