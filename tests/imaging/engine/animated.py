"""Render animations, and read their frames and durations, for tests."""

from PIL import Image, ImageSequence

from contracts.operations.pipeline import Operation, Pipeline
from contracts.outputs import Output
from services.imaging.engine import pipeline
from tests.imaging.pictures import decoded


def run(data: bytes, *steps: Operation, **output: object) -> bytes:
    asked = Pipeline(operations=steps, output=Output.model_validate(output))
    return pipeline.run(data, asked).data


def shown(data: bytes) -> list[Image.Image]:
    with decoded(data) as image:
        return [frame.convert("RGBA") for frame in ImageSequence.Iterator(image)]


def durations(data: bytes) -> list[int]:
    image = decoded(data)
    found = []
    for number in range(getattr(image, "n_frames", 1)):
        image.seek(number)
        image.load()
        found.append(round(image.info["duration"]))
    return found
