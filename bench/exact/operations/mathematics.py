"""Mathematics as the judge of operations: NumPy and SciPy compute each result from definitions."""

import io
import json
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from PIL import Image

from bench.environments import ROOT
from bench.exact.judges import Case, Judge
from bench.exact.needs import Python
from bench.exact.operations.answers import answer
from bench.exact.operations.questions import HIDDEN, Question, overlay, picture, questions

_SCIPY = Python("exact")


def judge(asked: Iterable[Question]) -> Iterator[Case]:
    """Compare Darkroom's result of each question with the one computed from definitions."""
    asked = list(asked)
    with tempfile.TemporaryDirectory() as folder:
        written = [_written(one, Path(folder, str(at))) for at, one in enumerate(asked)]
        path = Path(folder, "questions.json")
        path.write_text(json.dumps(written))
        done = subprocess.run(
            [_SCIPY.interpreter, "-m", "bench.exact.operations.reference", path],
            cwd=ROOT,
            check=True,
            stdout=subprocess.PIPE,
        )
    for one, line in zip(asked, done.stdout.splitlines(), strict=True):
        yield Case(one.name, json.loads(line))


def _written(question: Question, path: Path) -> dict[str, Any]:
    """Write the pictures of a question; return the question as the reference reads it."""
    source, result = picture(question.mode, HIDDEN[0]), answer(question)
    laid = Image.open(io.BytesIO(overlay()))
    return {
        "operation": question.parsed().model_dump(mode="json"),
        "alpha": question.mode.endswith("A"),
        "most": question.tolerance.most,
        "decibels": question.tolerance.decibels,
        "source": _samples(source, path.with_suffix(".source")),
        "result": _samples(result, path.with_suffix(".result")),
        "overlay": _samples(laid, path.with_suffix(".overlay")),
    }


def _samples(image: Image.Image, path: Path) -> dict[str, Any]:
    path.write_bytes(image.convert("RGBA").tobytes())
    return {"path": str(path), "width": image.width, "height": image.height}


JUDGES = (
    Judge(
        "mathematics",
        "operations, computed in floating point from their definitions",
        run=lambda: judge(questions()),
        quick=lambda: judge(one for at, one in enumerate(questions()) if at % 41 == 0),
        needs=(_SCIPY,),
    ),
)
