"""Operations that change an image's shape: its size, the part that is kept, its orientation.

None of them concerns EXIF orientation: an image is upright before the first operation.
"""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from contracts.fields import MAX_SIDE, PX, Angle, Colour, Expected, Offset, Pixels
from contracts.operations.base import BaseOperation, Demonstration, Sample
from contracts.operations.choices import Axis, Filter, Fit, FocusX, FocusY, Gravity


class Shape(BaseOperation):
    """An operation on an image's shape."""

    family: ClassVar[str] = "shapes"


_Edge = Annotated[int, Field(ge=0, le=MAX_SIDE, json_schema_extra=PX)]


class Resize(Shape):
    """Resize to a box of `width` x `height`. If one side is left out, the proportions are kept.

    Give `width`, `height` or both.
    """

    model_config = ConfigDict(
        json_schema_extra={
            # Not `anyOf`, of which code generators make a type that accepts everything.
            "if": {"properties": {"width": {"type": "null"}}},
            "then": {"required": ["height"]},
            "examples": [
                {"op": "resize", "width": 720, "height": 588, "fit": "cover"},
                {"op": "resize", "width": 400, "height": 400, "gravity": "smart", "dpr": 2},
                {"op": "resize", "width": 400, "height": 400, "focus_x": 0.3, "focus_y": 0.6},
            ],
        }
    )
    demonstration: ClassVar[Demonstration] = Demonstration(
        ("resize:width=240,height=240,gravity=smart",), Sample.ENLARGEMENT
    )

    op: Literal["resize"] = "resize"
    width: Annotated[Pixels | None, Field(description="Width in pixels.")] = None
    height: Annotated[Pixels | None, Field(description="Height in pixels.")] = None
    fit: Annotated[
        Fit,
        Field(
            description="Used if both sides are given. cover: fill the box, and crop the rest. "
            "contain: fit into the box, and pad it. fill: stretch to the box. inside: the largest "
            "size that fits into the box. outside: the smallest size that covers the box."
        ),
    ] = Fit.COVER
    enlarge: Annotated[
        bool | Literal["crop"],
        Expected("Input should be true, false or crop"),
        Field(
            description="true: enlarge an image that is smaller than the box. false: never enlarge "
            "it; cover then returns a smaller result of the box's proportions. crop: never enlarge "
            "it; cover then crops each side to the box, so the proportions may differ (sharp's "
            "withoutEnlargement). For other fits, crop is the same as false."
        ),
    ] = False
    gravity: Annotated[
        Gravity,
        Field(
            description="The part that cover keeps, and the position that contain puts the image "
            "at. smart keeps the most eye-catching part; for contain it means center."
        ),
    ] = Gravity.CENTER
    focus_x: FocusX = None
    focus_y: FocusY = None
    dpr: Annotated[
        float,
        Field(
            title="Device pixel ratio",
            ge=1,
            le=5,
            allow_inf_nan=False,
            description="Device pixel ratio: width and height are multiplied by it.",
        ),
    ] = 1.0
    filter: Annotated[Filter, Field(description="The resampling filter.")] = Filter.LANCZOS
    background: Annotated[
        Colour | None,
        Field(
            description="The colour that contain pads with. Left out: transparent if the image "
            "has transparency, else white."
        ),
    ] = None

    @model_validator(mode="after")
    def _names_a_side(self) -> Self:
        if self.width is None and self.height is None:
            raise ValueError("give a width, a height or both")
        return self


class Crop(Shape):
    """Cut out a rectangle, at `left` and `top` or by gravity. At `left` and `top` the rectangle has
    to lie within the image. By gravity, a rectangle larger than the image shrinks to its size.

    Give both `left` and `top`, without `gravity`, `focus_x` and `focus_y`; or neither of the two.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"op": "crop", "left": 10, "top": 20, "width": 300, "height": 200},
                {"op": "crop", "width": 300, "height": 200, "gravity": "smart"},
            ]
        }
    )
    demonstration: ClassVar[Demonstration] = Demonstration(
        ("crop:width=240,height=160,gravity=smart",), Sample.ENLARGEMENT
    )

    op: Literal["crop"] = "crop"
    left: Annotated[Offset | None, Field(description="Pixels from the left edge.")] = None
    top: Annotated[Offset | None, Field(description="Pixels from the top edge.")] = None
    width: Annotated[Pixels, Field(description="Width in pixels.")]
    height: Annotated[Pixels, Field(description="Height in pixels.")]
    gravity: Annotated[
        Gravity, Field(description="The part to keep. smart keeps the most eye-catching part.")
    ] = Gravity.CENTER
    focus_x: FocusX = None
    focus_y: FocusY = None

    @model_validator(mode="after")
    def _is_at_a_point_or_by_gravity(self) -> Self:
        if (self.left is None) is not (self.top is None):
            raise ValueError("give left and top, or neither")
        aimed = self.gravity is not Gravity.CENTER or (self.focus_x, self.focus_y) != (None, None)
        if self.left is not None and aimed:
            raise ValueError("give left and top, or a gravity or focus")
        return self


class Extract(Shape):
    """Cut out the rectangle at `left` and `top`. It must lie within the image."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"op": "extract", "left": 10, "top": 20, "width": 300, "height": 200}]
        }
    )
    demonstration: ClassVar[Demonstration] = Demonstration(
        ("extract:left=300,top=180,width=240,height=160",), Sample.ENLARGEMENT
    )

    op: Literal["extract"] = "extract"
    left: Annotated[Offset, Field(description="Pixels from the left edge.")]
    top: Annotated[Offset, Field(description="Pixels from the top edge.")]
    # The limits are those of a source, whose sides may be longer than a result's.
    width: Annotated[
        int, Field(ge=1, le=1_000_000, description="Width in pixels.", json_schema_extra=PX)
    ]
    height: Annotated[
        int, Field(ge=1, le=1_000_000, description="Height in pixels.", json_schema_extra=PX)
    ]


class Trim(Shape):
    """Cut off the edges that show only background. An image of background alone is not changed."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"op": "trim", "tolerance": 20}]})
    demonstration: ClassVar[Demonstration] = Demonstration(("trim:20",), Sample.SCAN)

    op: Literal["trim"] = "trim"
    tolerance: Annotated[
        int,
        Field(
            ge=0,
            le=255,
            description="The difference from the background colour, in levels of any channel, up "
            "to which a pixel counts as background.",
        ),
    ] = 10
    colour: Annotated[
        Colour | None,
        Field(description="The background colour. Left out: the colour of the top left pixel."),
    ] = None


class Pad(Shape):
    """Add space around the image. Either fill a canvas of `width` x `height` with the image in its
    middle, or add a number of pixels at each edge.

    Give a canvas (`width`, `height` or both), or pixels for one edge or more, but not both kinds.
    Give `background` or `blurred`, but not both.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"op": "pad", "width": 1920, "height": 1080, "blurred": True},
                {"op": "pad", "top": 20, "bottom": 60, "background": "#336699"},
            ]
        }
    )
    demonstration: ClassVar[Demonstration] = Demonstration(
        ("pad:width=240,height=240,blurred=true",)
    )

    op: Literal["pad"] = "pad"
    width: Annotated[
        Pixels | None,
        Field(description="Width of the canvas in pixels. A wider image keeps its width."),
    ] = None
    height: Annotated[
        Pixels | None,
        Field(description="Height of the canvas in pixels. A higher image keeps its height."),
    ] = None
    top: Annotated[_Edge, Field(description="Pixels to add at the top.")] = 0
    right: Annotated[_Edge, Field(description="Pixels to add on the right.")] = 0
    bottom: Annotated[_Edge, Field(description="Pixels to add at the bottom.")] = 0
    left: Annotated[_Edge, Field(description="Pixels to add on the left.")] = 0
    background: Annotated[
        Colour | None,
        Field(
            description="The colour of the space. Left out: transparent if the image has "
            "transparency, else white."
        ),
    ] = None
    blurred: Annotated[
        bool, Field(description="Fill the space with the image itself, enlarged and blurred.")
    ] = False

    @model_validator(mode="after")
    def _says_how_much_and_of_what(self) -> Self:
        has_box = self.width is not None or self.height is not None
        has_edges = any((self.top, self.right, self.bottom, self.left))
        if has_box == has_edges:
            raise ValueError("give a width, a height or both, or else pixels at the edges")
        if self.blurred and self.background is not None:
            raise ValueError("give a background or blurred")
        return self


class Rotate(Shape):
    """Rotate clockwise. The canvas grows so that all corners stay in the image."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"op": "rotate", "degrees": 90},
                {"op": "rotate", "degrees": -2.5, "background": "black"},
            ]
        }
    )
    demonstration: ClassVar[Demonstration] = Demonstration(("rotate:degrees=8,background=indigo",))

    op: Literal["rotate"] = "rotate"
    degrees: Annotated[Angle, Field(description="Degrees clockwise.")]
    background: Annotated[
        Colour | None,
        Field(
            description="The colour of the new corners. Left out: transparent if the image has "
            "transparency, else white."
        ),
    ] = None


class Flip(Shape):
    """Mirror the image."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"op": "flip", "axis": "horizontal"}]}
    )
    demonstration: ClassVar[Demonstration] = Demonstration(("flip:vertical",))

    op: Literal["flip"] = "flip"
    axis: Annotated[
        Axis, Field(description="horizontal swaps left and right, vertical swaps top and bottom.")
    ] = Axis.HORIZONTAL


class Flop(Shape):
    """Mirror left and right: the same as a horizontal `flip`, by its name in other services."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"op": "flop"}]})
    demonstration: ClassVar[Demonstration] = Demonstration(("flop",))

    op: Literal["flop"] = "flop"


ShapeOperation = Resize | Crop | Extract | Trim | Pad | Rotate | Flip | Flop
