"""The ASGI application: `faststream run services.gateway.main:app --port 8000`, or uvicorn."""

from services.gateway.app import create_app
from services.gateway.settings import GatewaySettings

app = create_app(GatewaySettings())
