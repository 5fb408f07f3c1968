"""What a pool process says of images that are not there."""

import pytest

from contracts.errors import NotFound
from contracts.imaging import Blob, Render
from contracts.operations import Pipeline
from contracts.overlays import Watermark
from services.imaging import worker
from services.imaging.settings import ImagingSettings
from tests.processes import valkey


def test_an_image_that_is_missing_is_said_to_be_the_watermarks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # It would limit the memory of this very process.
    monkeypatch.setattr(worker, "prepare_process", lambda _: None)
    source, stamp = "0" * 64, "1" * 64
    request = Render(
        source=Blob(key=source, media_type="image/png", bytes=1),
        pipeline=Pipeline(operations=(Watermark(image=stamp),)),
    )
    with valkey() as running:
        settings = ImagingSettings(redis_url=str(running.connection_url))
        with pytest.raises(NotFound, match=rf"{stamp} that the watermark names .* \(any more\)"):
            worker.render(request, settings, ttl=60)
