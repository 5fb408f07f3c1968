"""The page of the metrics: it has whatever the two services export."""

import re

from docs.generate import metrics
from services.gateway.app import create_app as create_gateway
from services.gateway.settings import GatewaySettings
from services.imaging.app import create_app as create_imaging
from services.imaging.settings import ImagingSettings
from services.runtime.rpc.broker import Broker


def test_every_exported_metric_is_on_the_page() -> None:
    [page] = metrics.pages().values()
    for app in (create_gateway(GatewaySettings()), create_imaging(ImagingSettings())):
        assert isinstance(app.broker, Broker)
        exported = re.findall(r"^# TYPE (\S+) ", app.broker.metrics.text().decode(), re.MULTILINE)
        assert "darkroom_call_seconds" in exported
        for name in exported:
            # Prometheus's format has one more metric for each histogram and counter: when it was
            # created.
            begin = name.removesuffix("_created")
            assert f"`{begin}`" in page or f"`{begin}_total`" in page
