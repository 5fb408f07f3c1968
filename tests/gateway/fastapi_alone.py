"""The gateway without its plain delivery: run by `test_plain_delivery.py`."""

from unittest.mock import patch

from services.gateway import app as root
from services.gateway.settings import GatewaySettings

with patch.object(root, "PlainDelivery", lambda http, dependencies, routes: http):
    app = root.create_app(GatewaySettings())
