"""Requests without a key: signed URLs and public presets, by the files that the settings name."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from starlette.types import Scope

from contracts.access.keys import DEFAULT_PROJECT
from contracts.errors import SignatureInvalid
from services.gateway.access.caller import Caller
from services.gateway.access.identifiers import Identifier, everybody
from services.gateway.access.presets.presets import Presets, fetches
from services.gateway.access.presets.table import parse_presets
from services.gateway.access.signatures import ANONYMOUS_SCOPES, Signatures, is_signature_in
from services.gateway.access.signing_keys import parse_signing_keys
from services.gateway.access_settings import AccessSettings
from services.gateway.reloading import ReloadedFile

ContentT = TypeVar("ContentT")


class AnonymousAccess:
    """Signing keys and presets, and the callers that requests with them have."""

    def __init__(self, settings: AccessSettings) -> None:
        """Read the files. Raises FileRefused."""
        keys = _read("DARKROOM_SIGNING_KEYS", settings.signing_keys, parse_signing_keys)
        table = _read("DARKROOM_PRESETS", settings.presets, parse_presets)
        self.files: list[ReloadedFile[Any]] = [file for file in (keys, table) if file is not None]
        """Files to read again on SIGHUP."""
        self.presets = Presets(table)
        self._signatures = Signatures(keys, self.presets)
        self._is_open = settings.access != "keys"
        self._anonymous = settings.anonymous

    def identifiers(self, by_key: Sequence[Identifier]) -> Sequence[Identifier]:
        """Return the ways in which requests say whose they are; `by_key` are those with a key.

        A signature comes first: its query is for nobody else. A wrong one is refused even while
        access is open, or a mistake would be seen only once it is not.
        """
        if self._is_open:
            return self._signatures, everybody
        match self._anonymous:
            case "none":
                return refuse_signatures, *by_key
            case "signed":
                return self._signatures, *by_key
            case "presets":
                return self._signatures, *by_key, self._by_public_preset

    def _by_public_preset(self, scope: Scope, newest: bool) -> Caller | None:
        """Identify requests to read with a public preset.

        `PresetMiddleware` replaces that preset, or refuses the request, so that it can't reach
        anything else.
        """
        if scope["type"] != "http" or scope["method"] not in ("GET", "HEAD"):
            return None
        preset = self.presets.named_in(scope)
        if preset is None or not preset.public:
            return None
        if preset.sources is not None and not fetches(scope):
            return None  # it shows what sources have, and no uploaded image
        return Caller(preset.project or DEFAULT_PROJECT, ANONYMOUS_SCOPES)


def refuse_signatures(scope: Scope, newest: bool) -> Caller | None:
    """Raise SignatureInvalid for a request with a signature, while they are not accepted."""
    if is_signature_in(scope["query_string"]):
        raise SignatureInvalid(
            "This gateway does not accept signed URLs: DARKROOM_ANONYMOUS is `none`."
        )
    return None


def _read(
    setting: str, path: Path | None, parse: Callable[[str], ContentT]
) -> ReloadedFile[ContentT] | None:
    return None if path is None else ReloadedFile(setting, path, parse)
