"""The presets of a TOML file: each is proved to be a pipeline with every value of its variables."""

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from contracts.access.presets import (
    MAX_PRESETS,
    Preset,
    has_variable_outside_values,
    used_variables,
)
from contracts.errors import InvalidOperation
from contracts.outputs import Output
from services.gateway.toml_tables import LineRefused, line_of, parse_table, parse_tables

_SECTION = "presets"
_OUTPUT = frozenset(Output.model_fields) - {"among"}
_OWN = ("name", "output")
_KEYS = (*(name for name in Preset.model_fields if name not in _OWN), *sorted(_OUTPUT))

BESIDE = frozenset({"v", "timeout", "label", "ttl", "transport", "src"})
"""Parameters of routes that a query may have beside a preset's variables."""

_NEVER_VARIABLES = BESIDE | {"op", "preset", "sig", "kid", "exp", "free"}

PresetTable = Mapping[str, Preset]


class _Fault(ValueError):
    """A fault of a preset: the reason, the field, and an item of the field's array."""

    def __init__(self, reason: str, *field: str, item: str = "") -> None:
        super().__init__(reason)
        self.field = field
        self.item = item


def parse_presets(text: str) -> PresetTable:
    """Return the presets of a file by name. Raises LineRefused."""
    tables = parse_tables(text, _SECTION)
    if len(tables) > MAX_PRESETS:
        raise LineRefused(line_of(text, (_SECTION,)), f"a file has {MAX_PRESETS} presets at most")
    presets = {}
    for name, table in tables.items():
        try:
            presets[name] = _preset(text, name, table)
        except _Fault as exc:
            line = line_of(text, (_SECTION, name, *exc.field))
            raise LineRefused(
                _line_with(text, line, exc.item), f"[{_SECTION}.{name}] {exc}"
            ) from None
    return presets


def _preset(text: str, name: str, table: dict[str, Any]) -> Preset:
    for key in table:
        if key not in _KEYS:
            similar = get_close_matches(key, _KEYS, n=1, cutoff=0.7)
            hint = f"did you mean {similar[0]!r}?" if similar else f"there are: {', '.join(_KEYS)}"
            raise _Fault(f"{key!r} is not a field; {hint}", key)
    output = {key: _as_text(value) for key, value in table.items() if key in _OUTPUT}
    rest = {key: value for key, value in table.items() if key not in _OUTPUT}
    own = {"name": name, "output": output}
    preset = parse_table(text, (_SECTION, name), {**rest, **own}, Preset)
    _check_variables(preset)
    for values in _every_value(preset):
        try:
            preset.pipeline(values)
        except InvalidOperation as exc:
            given = ", ".join(f"{key}={value}" for key, value in values.items())
            reason = f"with {given}: {exc.detail}" if given else exc.detail
            field, item = _culprit(preset, exc.detail)
            raise _Fault(reason, field, item=item) from None
    return preset


def _check_variables(preset: Preset) -> None:
    """Raise _Fault unless the variables are values, and all that are listed are used."""
    listed = set(preset.vary)
    used = set()
    for operation in preset.op:
        if has_variable_outside_values(operation):
            raise _Fault(
                "op: a variable stands for a value, and not for a name", "op", item=operation
            )
    for field, template in (*(("op", one) for one in preset.op), *preset.output.items()):
        for name in used_variables(template):
            if name not in listed:
                reason = f"{field}: ${name} is not listed in vary; $$ is a dollar sign"
                raise _Fault(reason, field, item=template)
            used.add(name)
    for name in preset.vary:
        if name in _NEVER_VARIABLES:
            raise _Fault(
                f"vary: {name!r} is a parameter of routes; take another name", "vary", name
            )
        if name not in used:
            raise _Fault(
                f"vary: nothing depends on {name!r}; write ${name} in a value", "vary", name
            )


def _every_value(preset: Preset) -> Iterator[dict[str, str]]:
    """Yield values of all variables, so that each value is there once, beside the others' first."""
    first = {name: str(listed[0]) for name, listed in preset.vary.items()}
    yield first
    for name, listed in preset.vary.items():
        for value in listed[1:]:
            yield {**first, name: str(value)}


def _culprit(preset: Preset, detail: str) -> tuple[str, str]:
    """Return the field, and the item of its array, that the detail of an error is about."""
    for operation in preset.op:
        name = operation.partition(":")[0]
        if detail.startswith((f"{name}:", repr(name[:40]))):
            return "op", operation
    field = next((name for name in preset.output if detail.startswith(f"output: {name}")), "op")
    return field, ""


def _line_with(text: str, line: int, item: str) -> int:
    """Return the first line from `line` on with an item of an array, or `line`."""
    quoted = (f'"{item}"', f"'{item}'")
    for number, row in enumerate(text.splitlines()[line - 1 :], start=line):
        if any(one in row for one in quoted):
            return number
    return line


def _as_text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
