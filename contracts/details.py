"""What a picture is beyond its header: its colours, its likeness in bytes, how it was taken."""

from typing import Annotated

from pydantic import ConfigDict, Field
from pydantic.config import JsonDict

from contracts.message import Message

Text = Annotated[str, Field(max_length=200)]
Number = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Hex = Annotated[str, Field(pattern=r"^#[0-9a-f]{6}$")]

_SHOT: JsonDict = {
    "make": "Canon",
    "model": "EOS R5",
    "taken_at": "2026-05-04T10:20:30+02:00",
    "exposure": 0.004,
    "aperture": 2.8,
    "iso": 400,
    "focal_length": 35.0,
}
_PLACE: JsonDict = {"latitude": -33.857, "longitude": 151.215, "altitude": 58.5}


class Shot(Message):
    """How a photograph was taken, as its EXIF says (CIPA DC-008-2019)."""

    model_config = ConfigDict(json_schema_extra={"examples": [_SHOT]})

    make: Annotated[Text | None, Field(description="Who made the camera.")] = None
    model: Annotated[Text | None, Field(description="Which camera it was.")] = None
    lens: Annotated[Text | None, Field(description="Which lens it had.")] = None
    taken_at: Annotated[
        Text | None,
        Field(
            description="When, as ISO 8601; without an offset, in local time. Null for a date that "
            "there is not."
        ),
    ] = None
    exposure: Annotated[Number | None, Field(description="Seconds.")] = None
    aperture: Annotated[Number | None, Field(description="The f-number.")] = None
    iso: Annotated[int | None, Field(ge=0, description="The sensitivity.")] = None
    focal_length: Annotated[Number | None, Field(description="Millimetres.")] = None
    focal_length_35mm: Annotated[
        Number | None, Field(description="Millimetres of a lens that sees as much on 35 mm film.")
    ] = None
    flash: Annotated[bool | None, Field(description="Whether the flash fired.")] = None
    software: Annotated[Text | None, Field(description="What wrote the file.")] = None
    artist: Annotated[Text | None, Field(description="Who took it.")] = None
    copyright: Annotated[Text | None, Field(description="Whose it is.")] = None
    description: Annotated[Text | None, Field(description="What it shows.")] = None


class Place(Message):
    """Where a photograph was taken (WGS 84)."""

    model_config = ConfigDict(json_schema_extra={"examples": [_PLACE]})

    latitude: Annotated[float, Field(ge=-90, le=90, description="Degrees, north of the equator.")]
    longitude: Annotated[float, Field(ge=-180, le=180, description="Degrees, east of Greenwich.")]
    altitude: Annotated[
        float | None, Field(allow_inf_nan=False, description="Metres above the sea.")
    ] = None


class Details(Message):
    """What one decode at a small scale finds out."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "duration": 0,
                    "profile": "Display P3",
                    "shot": _SHOT,
                    "place": _PLACE,
                    "dominant": "#604432",
                    "palette": ["#604432", "#37302d", "#dfb9a3"],
                    "thumbhash": "1DgGDoILwErCm5rIrIpnWomdCMOqYKs=",
                    "dhash": "3c1e0f87c3e1f078",
                }
            ]
        }
    )

    duration: Annotated[
        int | None,
        Field(ge=0, description="Milliseconds of an animation; null where it is too long to ask."),
    ] = None
    profile: Annotated[Text | None, Field(description="The name of its colour profile.")] = None
    shot: Annotated[Shot, Field(description="How it was taken.")] = Shot()
    place: Annotated[Place | None, Field(description="Null unless it is asked for.")] = None
    dominant: Annotated[Hex, Field(description="The colour that most of it has.")]
    palette: Annotated[
        tuple[Hex, ...],
        Field(max_length=8, description="The colours that it has most of, the most first."),
    ]
    thumbhash: Annotated[
        str, Field(max_length=40, description="A blurred placeholder: ThumbHash, in base64.")
    ]
    dhash: Annotated[
        str,
        Field(
            pattern=r"^[0-9a-f]{16}$",
            description="A perceptual hash of 64 bits: like pictures differ in few of them.",
        ),
    ]
