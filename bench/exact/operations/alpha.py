"""Algebra as the judge of alpha: no result depends on the colour of transparent pixels."""

from collections.abc import Iterable, Iterator

from PIL import ImageChops

from bench.exact.judges import Case, Judge
from bench.exact.operations.answers import answer
from bench.exact.operations.questions import HIDDEN, Question, questions
from services.imaging.engine.raster.alpha import premultiply

_ROUNDING = 1  # level of 255


def judge(asked: Iterable[Question]) -> Iterator[Case]:
    """Apply each operation to two pictures that look alike, and compare what they look like."""
    for question in asked:
        one, other = (answer(question, hidden).convert("RGBA") for hidden in HIDDEN)
        if one.size != other.size:
            yield Case(question.name, "{} x {} pixels, or {} x {}".format(*one.size, *other.size))
            continue
        extrema = ImageChops.difference(premultiply(one), premultiply(other)).getextrema()
        shown = max(int(high) for _, high in extrema)  # type: ignore[misc]  # bands have pairs
        difference = f"a hidden colour shows, by {shown} levels" if shown > _ROUNDING else None
        yield Case(question.name, difference)


def _asked() -> Iterator[Question]:
    return (question for question in questions() if question.mode.endswith("A"))


JUDGES = (
    Judge(
        "algebra",
        "alpha under every operation: hidden colours never show",
        run=lambda: judge(_asked()),
        quick=lambda: judge(question for at, question in enumerate(_asked()) if at % 20 == 0),
    ),
)
