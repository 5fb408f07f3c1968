"""Darkroom's answers to the questions."""

import io

from PIL import Image

from bench.exact.operations.questions import HIDDEN, OVERLAY, Question, overlay, source
from contracts.operations.pipeline import Pipeline
from contracts.outputs import Output
from services.imaging.engine import pipeline

_PNG = Output.model_validate({"format": "png"})


def answer(question: Question, hidden: str = HIDDEN[0]) -> Image.Image:
    """Return what Darkroom makes of the question's picture, with this colour in its holes."""
    rendition = pipeline.run(
        source(question.mode, hidden),
        Pipeline(operations=(question.parsed(),), output=_PNG),
        images={OVERLAY: overlay()},
    )
    return Image.open(io.BytesIO(rendition.data))
