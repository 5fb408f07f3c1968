"""The objects that routes work with, made by the composition root and injected by FastAPI."""

import asyncio
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends
from starlette.requests import HTTPConnection

from services.gateway.access.keys.keys import Keys
from services.gateway.access.limits.charges import Charges
from services.gateway.access.presets.presets import Presets
from services.gateway.delivery.coalescing import CoalescingClient
from services.gateway.delivery.delivery import Delivery
from services.gateway.delivery.visits import Visits
from services.gateway.http.image_response import AnswerRoom
from services.gateway.live.hub import LiveHub
from services.gateway.settings import GatewaySettings
from services.gateway.shutdown import Shutdown
from services.gateway.sources.acquire import Acquirer
from services.gateway.sources.originals import Originals
from services.gateway.sources.uploads.upload import UploadReader
from services.gateway.token_bucket import TokenBucket
from services.gateway.webhooks.dispatcher import WebhookDispatcher
from services.runtime.introspection.queues import Queues
from services.runtime.introspection.storage_state import StorageState
from services.runtime.jobs.store import Jobs
from services.runtime.liveness.heartbeat import Workers
from services.runtime.redis.watch import StoreWatch
from services.runtime.storage.images import Images
from services.runtime.storage.kept import KeptImages
from services.runtime.storage.lookups import Lookups
from services.runtime.storage.purge import Purge
from services.runtime.storage.renditions import Renditions


@dataclass(frozen=True)
class Dependencies:
    """One object of each kind per process, kept in `app.state.dependencies`."""

    settings: GatewaySettings
    imaging: CoalescingClient
    images: Images
    kept: KeptImages
    renditions: Renditions
    lookups: Lookups
    purge: Purge
    delivery: Delivery
    keys: Keys
    presets: Presets
    jobs: Jobs
    live: LiveHub
    webhooks: WebhookDispatcher
    shutdown: Shutdown
    workers: Workers
    queues: Queues
    uploads: UploadReader
    originals: Originals
    acquirer: Acquirer
    rerenders: TokenBucket
    charges: Charges
    visits: Visits
    answers: AnswerRoom
    store: StoreWatch
    storage: StorageState
    turn: asyncio.Lock
    """Held while one job is read from JSON, or one item of a list is written: up to 15 ms."""


async def _dependencies(connection: HTTPConnection) -> Dependencies:
    dependencies = connection.app.state.dependencies
    assert isinstance(dependencies, Dependencies)
    return dependencies


Injected = Annotated[Dependencies, Depends(_dependencies)]
"""The type of a route's parameter that receives the `Dependencies`."""
