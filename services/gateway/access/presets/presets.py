"""The presets in force, and the expansion of a query with one of them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import parse_qsl, urlencode

from starlette.types import Scope

from contracts.access.presets import Preset
from contracts.errors import InvalidOperation
from contracts.imaging import RENDER_VERSION
from contracts.operations.pipeline import Pipeline
from contracts.outputs import Output
from services.gateway.access.presets.table import BESIDE, PresetTable
from services.gateway.reloading import ReloadedFile

_PRESET = "preset"
_START = b"preset="
_FETCH = "/v1/fetch"
_READING = re.compile(r"/v1/(?:fetch|images/[^/]+/render)")
_SENDING = frozenset({"/v1/render", "/v1/jobs"})
_OTHER_VERSION = "0"  # of an engine: there is none with this one
_MAX_NAME = 40  # characters of a name that an error repeats
_REMEMBERED = 4096  # queries
_MAX_REMEMBERED = 1024  # bytes of a query
_OWN = frozenset(Output.model_fields) | {"op"}


@dataclass(frozen=True, slots=True)
class Expanded:
    """A query in which a preset is replaced by its pipeline."""

    query: bytes
    preset: Preset


class Presets:
    """The presets of a file, which may be read again at any time; none without a file."""

    def __init__(self, file: ReloadedFile[PresetTable] | None) -> None:
        self._file = file
        self._expanded = lru_cache(_REMEMBERED)(self._expand)

    @property
    def generation(self) -> int:
        """A number that changes whenever the presets may have changed."""
        return self._file.generation if self._file else 0

    @property
    def _table(self) -> PresetTable:
        return self._file.content if self._file else {}

    def of_project(self, project: str) -> list[Preset]:
        """Return the presets that a project may use."""
        return [one for one in self._table.values() if one.project in (None, project)]

    def find(self, name: str, project: str) -> Preset:
        """Return a preset that a project may use. Raises InvalidOperation."""
        preset = self._table.get(name)
        if preset is None or preset.project not in (None, project):
            names = ", ".join(one.name for one in self.of_project(project))
            there = f"there are: {names}" if names else "there are none"
            raise InvalidOperation(f"{name[:_MAX_NAME]!r} is not a preset; {there}.")
        return preset

    def named_in(self, scope: Scope) -> Preset | None:
        """Return the one preset that a request names, whichever project may use it."""
        query: bytes = scope["query_string"]
        if _START not in query or not takes_preset(scope):
            return None
        name = _name_in(query) if len(query) <= _MAX_REMEMBERED else _name_in.__wrapped__(query)
        return None if name is None else self._table.get(name)

    def expand(self, scope: Scope, project: str) -> Expanded | None:
        """Return what the query of a request stands for; None for one without a preset.

        Raises InvalidOperation for a preset, a variable or a value that does not exist, and for a
        parameter that a query with a preset can't have.
        """
        query: bytes = scope["query_string"]
        if _START not in query or not takes_preset(scope):
            return None
        expand = self._expanded if len(query) <= _MAX_REMEMBERED else self._expand
        return expand(query, project, self.generation)

    def pipeline(self, name: str, values: Mapping[str, str], project: str) -> Pipeline:
        """Return the pipeline of a preset. Raises InvalidOperation, as `expand` does."""
        return self.find(name, project).pipeline(values)

    def _expand(self, query: bytes, project: str, generation: int) -> Expanded | None:
        """Expand a query with the presets of the present `generation`."""
        pairs = _pairs(query)
        names = [value for name, value in pairs if name == _PRESET]
        if not names:
            return None
        if len(names) > 1:
            raise InvalidOperation("A request has one preset.")
        preset = self.find(names[0], project)
        values: dict[str, str] = {}
        beside = []
        for name, value in pairs:
            if name == _PRESET:
                continue
            if name in BESIDE:
                beside.append((name, _engine_version(preset, value) if name == "v" else value))
            elif name in values:
                raise InvalidOperation(f"{name[:_MAX_NAME]!r} is given twice.")
            elif name in _OWN and name not in preset.vary:
                raise InvalidOperation(
                    f"A request with a preset has no {name!r}: the preset says it."
                )
            else:
                values[name] = value
        return Expanded(urlencode([*preset.query(values), *beside]).encode(), preset)


@lru_cache(_REMEMBERED)
def _name_in(query: bytes) -> str | None:
    """Return the name of the one preset in a query."""
    names = [value for name, value in _pairs(query) if name == _PRESET]
    return names[0] if len(names) == 1 else None


def takes_preset(scope: Scope) -> bool:
    """Return whether a request takes operations, and so a preset: by its method and its address."""
    path: str = scope["path"]
    method = scope.get("method")  # a WebSocket has none
    if method == "POST":
        return path in _SENDING
    return method in ("GET", "HEAD") and _READING.fullmatch(path) is not None


def fetches(scope: Scope) -> bool:
    """Return whether a request names an image of a source."""
    path: str = scope["path"]
    return path == _FETCH


def version_of(preset: Preset) -> str | None:
    """Return the `v` with which an answer never changes; None for a preset without a version."""
    return None if preset.version is None else f"{preset.version}.{RENDER_VERSION}"


def _engine_version(preset: Preset, version: str) -> str:
    """Return the version of the engine that `v` names beside a preset, if the preset is current."""
    return str(RENDER_VERSION) if version == version_of(preset) else _OTHER_VERSION


def _pairs(query: bytes) -> list[tuple[str, str]]:
    return parse_qsl(query.decode("latin-1"), keep_blank_values=True)
