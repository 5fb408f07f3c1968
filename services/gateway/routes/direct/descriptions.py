"""Descriptions of stored images: the stored one, or a new one of a worker, which is stored."""

from fastapi import Request

from contracts.imaging import Depth, Inspect, Inspected
from services.gateway.access.limits.charges import DESCRIPTION
from services.gateway.dependencies import Dependencies
from services.runtime.storage.records import StoredBlob


async def inspect(stored: StoredBlob, deps: Dependencies) -> Inspected:
    """Return an image's stored description, or have a worker make it from the header and store it.

    Raises the worker's error.
    """
    if stored.note:
        return Inspected.model_validate_json(stored.note)
    return await _inspect(stored, deps, Depth.HEADER)


async def inspect_pixels(request: Request, stored: StoredBlob, deps: Dependencies) -> Inspected:
    """Return an image's description with its details, which a worker makes from the pixels.

    The caller of the request pays for that, unless it was done before. Raises the worker's error,
    and RateLimited and QuotaExceeded.
    """
    noted = await deps.images.details(stored.blob.key) or stored.note
    if noted and (described := Inspected.model_validate_json(noted)).details is not None:
        return described
    async with deps.charges.renders(request.scope, stored.blob.key, DESCRIPTION, note=stored.note):
        return await _inspect(stored, deps, Depth.PIXELS)


async def _inspect(stored: StoredBlob, deps: Dependencies, depth: Depth) -> Inspected:
    # The place is stored too; `info` leaves it out of its response unless it is asked for.
    call = Inspect(source=stored.blob, depth=depth, place=True)
    reply = await deps.imaging.inspect(call, timeout=deps.settings.inspect_timeout)
    found = reply.body
    # The details may be long, so they are kept for a while alone.
    note = found.model_copy(update={"details": None})
    details = found if found.details is not None else None
    ttl = deps.settings.rendition_ttl
    await deps.images.describe(stored.blob, found.media_type, note, details, ttl=ttl)
    return found
