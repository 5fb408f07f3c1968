"""The ASGI application: `faststream run services.gateway.main:app --port 8000`, or uvicorn."""

from services.gateway.app import create_app
from services.gateway.reloading import FileRefused
from services.gateway.settings import GatewaySettings

try:
    app = create_app(GatewaySettings())
except FileRefused as exc:
    raise SystemExit(f"The gateway does not start: {exc}") from None
