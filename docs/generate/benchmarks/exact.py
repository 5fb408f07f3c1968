"""The page of independent judges: what they say, from `bench/results/exact.json`."""

from docs.generate.benchmarks.results import results
from docs.generate.markdown import table

_PAGE = """\
# Exactness

Independent judges know the right answers: other decoders, mathematics, and checkers of protocols.
`make exact` asks each of them, and compares Darkroom's answers. A difference beyond the stated
tolerance is a fault, unless it is accepted for a reason.

Judged at commit `{commit}`; `make exact` judges again and writes `bench/results/exact.json`, from
which this page is generated. `make test` runs short forms of the judges that are installed.

{judges}

## Accepted differences

{accepted}

## See also

- [Formats](../reference/formats.md): what Darkroom reads and writes
- [Renders](renders.md): the speed of renders
"""


def pages() -> dict[str, str]:
    """Return the page."""
    found = results("exact")
    heads = ["judge", "judges", "cases", "agree", "accepted", "differ"]
    rows = [
        (row["judge"], row["subject"], *(f"{row[name]:,}" for name in heads[2:]))
        for row in found.rows
    ]
    known = [
        (row["judge"], f"`{row['cases']}`", str(row["count"]), row["why"])
        for row in found.document["accepted"]
    ]
    accepted = table(["judge", "cases", "number", "reason"], known) if known else "None."
    page = _PAGE.format(commit=found.commit, judges=table(heads, rows), accepted=accepted)
    return {"benchmarks/exact.md": page}
