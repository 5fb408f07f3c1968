"""The findings of the benchmark of delivery: its goals, and the page of forty pictures."""

from docs.generate.benchmarks.results import results

_FRONTS = {"gateway": "from the gateway", "nginx": "through nginx"}


def findings() -> list[str]:
    """Return the sentences of the page."""
    found = results("delivery")
    lines = found.goals()
    pages = found.document["pages"]
    for front, text in _FRONTS.items():
        loads = [page for page in pages if page["front"] == front]
        if loads:
            times = ", ".join(f"{page['ms']:,.0f} ms ({page['load']})" for page in loads)
            line = f"A page of forty pictures {text}, in Chromium: {times}."
            if lost := max(max(page["missing"]) for page in loads):
                line += f" Up to {lost} of the pictures were missing in a load."
            lines.append(line)
    lines += [f"Not measured: {failure}." for failure in found.document["failures"]]
    disturbed = [row["contender"] for row in found.rows if (row["others"] or 0) > 0.2]
    if disturbed:
        lines.append(
            "Other programs used more than a fifth of a core while these were measured, so these "
            f"figures are too low: {'; '.join(disturbed)}."
        )
    return lines


def rate(name: str) -> float:
    """Return the answers a second of a contender, 0 if it was not measured."""
    return float(results("delivery").one(contender=name)["rate"] or 0)
