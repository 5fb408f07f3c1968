"""The figures of the benchmarks, read from `bench/results`."""

import json
import re
from dataclasses import dataclass
from functools import cache
from typing import Any

from bench.environments import RESULTS


@dataclass(frozen=True)
class Results:
    """A benchmark's figures: a row for each contender and case, each attack or each judge."""

    name: str
    document: dict[str, Any]

    @property
    def commit(self) -> str:
        return str(self.document["commit"])

    def one(self, **wanted: Any) -> dict[str, Any]:
        """Return the only row with these values. Raises LookupError if there is another number."""
        found = [row for row in self.rows if all(row[key] == wanted[key] for key in wanted)]
        if len(found) != 1:
            raise LookupError(f"bench/results/{self.name}.json has {len(found)} rows of {wanted}")
        return found[0]

    @property
    def rows(self) -> list[dict[str, Any]]:
        kinds = ("cells", "systems", "scenarios", "attacks", "judges")
        return next(self.document[kind] for kind in kinds if kind in self.document)

    def goals(self) -> list[str]:
        """Return a sentence for each goal: what was wanted, measured and reached."""
        return [
            f"{goal['text'][:1].upper()}{goal['text'][1:]}. Measured: {goal['found']}. Reached: "
            f"{'yes' if goal['reached'] else 'no'}."
            for goal in self.document["goals"]
        ]

    def report(self) -> str:
        """Return the report's text without its title, with headings one level deeper."""
        _, _, text = (RESULTS / f"{self.name}.md").read_text("utf-8").partition("\n")
        return re.sub(r"^##", "###", text.strip(), flags=re.MULTILINE)


@cache
def results(name: str) -> Results:
    """Return the figures of `bench/results/<name>.json`."""
    return Results(name, json.loads((RESULTS / f"{name}.json").read_text("utf-8")))
