"""Make the parts of a gateway that fetch originals."""

from pathlib import Path

from prometheus_client import Counter, Gauge

from services.gateway.reloading import ReloadedFile
from services.gateway.settings import GatewaySettings
from services.gateway.sources.claims import Claims
from services.gateway.sources.configuration import Sources, parse_sources
from services.gateway.sources.fetching import Fetcher
from services.gateway.sources.live import LiveSources
from services.gateway.sources.originals import Originals
from services.gateway.sources.remembered import RememberedOriginals
from services.gateway.sources.uploads.upload import UploadReader
from services.runtime.redis.client import RedisClient
from services.runtime.storage.images import Images
from services.runtime.telemetry.metrics import Metrics


def read_sources(settings: GatewaySettings) -> ReloadedFile[Sources] | None:
    """Read the file of sources; None without one. Raises FileRefused."""
    if settings.sources is None:
        return None
    return ReloadedFile("DARKROOM_SOURCES", settings.sources, parse_sources)


def make_originals(
    file: ReloadedFile[Sources] | None,
    settings: GatewaySettings,
    *,
    redis: RedisClient,
    images: Images,
    bodies: UploadReader,
    scratch: Path,
    metrics: Metrics,
) -> Originals:
    """Make the originals of the sources in a file; nothing connects before it is used."""
    fetches = Counter(
        "darkroom_source_fetches",
        "Originals that a source was asked for, by its name and the outcome: `changed`,"
        " `unchanged`, or the code of the failure.",
        ["source", "outcome"],
        registry=metrics.registry,
    )
    opened = Gauge(
        "darkroom_source_open",
        "1 while a server of a source is left alone because it has failed too often in a row;"
        " 0 otherwise.",
        ["source"],
        registry=metrics.registry,
    )
    memory = RememberedOriginals(redis)
    live = LiveSources(
        settings.nat64_prefixes,
        on_breaker=lambda source, is_open: opened.labels(source).set(is_open),
    )
    fetcher = Fetcher(
        memory,
        Claims(redis),
        images,
        bodies,
        scratch,
        count=lambda source, outcome: fetches.labels(source, outcome).inc(),
    )
    return Originals(lambda: file.content if file else {}, memory, fetcher, live)
