"""Answer a file of questions: a JSON line for each, the difference or null."""

import json
import sys
from pathlib import Path
from typing import Any

from bench.exact.operations.reference import finishes, looks, shapes
from bench.exact.operations.reference.pixels import Array, difference, read

_SHAPES = ("resize", "crop", "extract", "trim", "pad", "rotate", "flip", "flop")
_FINISHES = ("vignette", "round", "border", "background")


def answer(question: dict[str, Any]) -> str | None:
    """Compare Darkroom's result of a question with the one that is due."""
    source, ours = read(question["source"]), read(question["result"])
    if question["operation"]["op"] == "text":
        return finishes.text_margins(source, ours, question["operation"])
    due = applied(source, question)
    return difference(ours, due, question["most"], question["decibels"])


def applied(picture: Array, question: dict[str, Any]) -> Array:
    """Apply the operation of a question."""
    fields = question["operation"]
    if fields["op"] in _SHAPES:
        return shapes.applied(picture, fields, alpha=question["alpha"])
    if fields["op"] in _FINISHES:
        return finishes.applied(picture, fields)
    if fields["op"] == "watermark":
        return finishes.watermarked(picture, fields, read(question["overlay"]))
    return looks.applied(picture, fields)


for one in json.loads(Path(sys.argv[1]).read_text()):
    sys.stdout.write(json.dumps(answer(one)) + "\n")
