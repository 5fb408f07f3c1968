"""The page of attacks: their effect before and now, from `bench/results/attacks.json`."""

from docs.generate.benchmarks.results import results
from docs.generate.markdown import table

_PAGE = """\
# Attacks

Each test in `tests/adversary/` attacks a running Darkroom, and fails if the attack has an effect on
other clients. The table has a row for each attack. The effect before is that on version 0.6.0,
or on the commit before the fix.

Measured at commit `{commit}`; `make adversary` attacks again and writes
`bench/results/attacks.json`, from which this page is generated. `make test` runs the short forms.

{table}

## See also

- [Safety](../explain/safety.md): the limits, and the missing protection
- [Failures](failures.md): accepted jobs while processes are killed
"""


def pages() -> dict[str, str]:
    """Return the page."""
    found = results("attacks")
    rows = [(row["attack"], row["before"], row["after"]) for row in found.rows]
    heads = ["attack", "effect before", "effect now"]
    return {
        "benchmarks/attacks.md": _PAGE.format(commit=found.commit, table=table(heads, rows)),
    }
