"""Look requests up before anything is rendered: stored results, verdicts, lost images."""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from contracts.errors import Gone, NotFound, ServiceError
from contracts.imaging import Blob, Render, Rendered
from services.imaging.engine.formats import plugins
from services.imaging.pool.verdicts import Need, Verdict, need_of_output
from services.runtime.storage.images import Images
from services.runtime.storage.records import SMALL, Judged
from services.runtime.storage.renditions import Renditions


@dataclass(frozen=True)
class Records:
    """The records of the renditions and images of some requests, by key.

    An image whose bytes are known to be damaged is none of them.
    """

    renditions: dict[str, Rendered]
    images: dict[str, Judged]

    def result(self, request: Render, rendition: str) -> Rendered | ServiceError | None:
        """Return the result that is known already; `rendition` is its key.

        Return None for a request that is to be rendered: all its images are there.
        """
        if request.reuse and rendition in self.renditions:
            return self.renditions[rendition]
        if source := self.images.get(request.source.key):
            for key in request.pipeline.images:
                watermark = self.images.get(key)
                if watermark is None or watermark.stored.project != source.stored.project:
                    return lost_watermark(key)
        return self.failure(request.source.key, need_of_output(request.pipeline.output))

    def failure(self, image: str, need: Need) -> ServiceError | None:
        """Return the failure of every request that reads so much of an image; None without one."""
        if image not in self.images:
            return Gone(f"The image {image} is not here any more, or damaged; upload it again.")
        if text := self.images[image].verdict:
            verdict = Verdict.model_validate_json(text)
            if verdict.concerns(need):
                return verdict.failure.error()
        return None


def lost_watermark(key: str) -> NotFound:
    """Return the failure of a pipeline that names a missing image: the source itself is there."""
    return NotFound(f"The image {key} that the watermark names is not here (any more).")


async def look_up(
    images: Images,
    renditions: Renditions,
    requests: Sequence[tuple[str, Render]],
    *,
    ttl: int,
    found: Judged | None = None,
) -> Records:
    """Return what is stored about requests; keep their renditions for `ttl` seconds at least.

    The requests are pairs of a rendition's key and its request. The bytes of small sources come
    along if they lie in Redis. `found` is the only image of the only request, if it was looked up
    just now and its rendition was missing.
    """
    if found is not None:
        return Records(renditions={}, images=_usable([found]))
    wanted = {key: one.images for key, one in requests if one.reuse}
    keys = list(dict.fromkeys(key for _, one in requests for key in one.images))
    look = images.look(
        keys, capability=plugins.capability(), along=_small(one.source for _, one in requests)
    )
    if wanted:
        # Both commands leave in one packet.
        stored, judged = await asyncio.gather(renditions.look(wanted, ttl=ttl), look)
    else:
        stored, judged = [], await look
    return Records(
        renditions={
            one.blob.key: Rendered.model_validate_json(one.note).model_copy(update={"reused": True})
            for one in stored
            if one is not None
        },
        images=_usable(judged),
    )


async def look_at_image(images: Images, image: Blob) -> Records:
    """Return what is stored about an image. Its bytes come along as those of sources."""
    judged = await images.look([image.key], capability=plugins.capability(), along=_small([image]))
    return Records(renditions={}, images=_usable(judged))


def _small(images: Iterable[Blob]) -> set[str]:
    return {image.key for image in images if image.bytes <= SMALL}


def _usable(judged: Sequence[Judged | None]) -> dict[str, Judged]:
    return {one.stored.blob.key: one for one in judged if one and not one.stored.damaged}
