"""Replace the preset of a query, in front of everything that reads queries."""

from collections.abc import Callable

from starlette.types import ASGIApp, Receive, Scope, Send

from contracts.access.presets import Preset
from contracts.errors import ServiceError
from services.gateway.access.caller import caller_of
from services.gateway.access.presets.presets import Presets

Refuse = Callable[[ServiceError, Scope], ASGIApp]
"""Returns the application that answers a refused request."""

_PRESET = "darkroom.preset"


class PresetMiddleware:
    """Writes `?preset=card&w=640` as the operations and the output that the preset has."""

    def __init__(self, app: ASGIApp, presets: Presets, *, refuse: Refuse) -> None:
        self._app = app
        self._presets = presets
        self._refuse = refuse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it for a preset that does not exist, say."""
        app = self._app
        if scope["type"] == "http" and scope["query_string"]:
            try:
                self.expand(scope)
            except ServiceError as exc:
                app = self._refuse(exc, scope)
        await app(scope, receive, send)

    def expand(self, scope: Scope) -> None:
        """Replace the preset in the query of a request. Raises as `Presets.expand`."""
        expanded = self._presets.expand(scope, caller_of(scope).project)
        if expanded is not None:
            scope["query_string"] = expanded.query
            scope[_PRESET] = expanded.preset


def preset_of(scope: Scope) -> Preset | None:
    """Return the preset that a request has named in its query; None without one."""
    preset: Preset | None = scope.get(_PRESET)
    return preset
