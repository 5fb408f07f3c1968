"""The cases: a photograph, one operation, and the format of the result."""

from dataclasses import dataclass

from bench.imaging.photographs import LARGE, PHOTO, SMALL, Photograph
from contracts.formats import Format
from contracts.operations.choices import Filter, Fit
from contracts.operations.looks import Grayscale
from contracts.operations.pipeline import Operation, Pipeline
from contracts.operations.shapes import Resize
from contracts.outputs import Output

QUALITY = 80


@dataclass(frozen=True)
class Case:
    """Resize `photo` to exactly `size` with Lanczos; without a size, turn it gray."""

    name: str
    photo: Photograph
    size: tuple[int, int] | None = None  # width and height in pixels
    format: Format = Format.JPEG

    @property
    def result(self) -> tuple[int, int]:
        """Width and height of the result in pixels."""
        return self.size or self.photo.size

    @property
    def title(self) -> str:
        """Describe the case in a line."""
        wide, high = self.photo.size
        change = f"to {self.size[0]} x {self.size[1]}" if self.size else "in gray"
        quality = "" if self.format is Format.PNG else f" {QUALITY}"
        return f"{wide} x {high} {change}, {self.format.upper()}{quality}"

    def pipeline(self) -> Pipeline:
        """Return the case as Darkroom's pipeline."""
        operation: Operation = Grayscale()
        if self.size:
            wide, high = self.size
            operation = Resize(width=wide, height=high, fit=Fit.FILL, filter=Filter.LANCZOS)
        return Pipeline(operations=(operation,), output=Output(format=self.format, quality=QUALITY))

    def query(self) -> str:
        """Return the same pipeline as the query of a URL of the gateway."""
        operation = "grayscale"
        if self.size:
            operation = f"resize:width={self.size[0]},height={self.size[1]},fit=fill,filter=lanczos"
        return f"op={operation}&format={self.format}&quality={QUALITY}"


CASES = (
    Case("resize", PHOTO, (720, 588)),
    Case("gray", PHOTO),
    Case("webp", PHOTO, (720, 588), Format.WEBP),
    Case("png", PHOTO, (720, 588), Format.PNG),
    Case("avif", PHOTO, (720, 588), Format.AVIF),
    Case("large", LARGE, (720, 540)),
    Case("small", SMALL, (250, 204)),
)
