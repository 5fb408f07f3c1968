"""Details of an image beyond its header: colours, a placeholder, a hash, EXIF."""

from typing import Annotated

from pydantic import ConfigDict, Field
from pydantic.config import JsonDict

from contracts.fields import Expected
from contracts.message import Message

Text = Annotated[str, Field(max_length=200)]
Number = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Hex = Annotated[
    str, Field(pattern=r"^#[0-9a-f]{6}$"), Expected("should be a colour such as #ff8800")
]

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
    """Camera, exposure and time of a photograph, from its EXIF (CIPA DC-008-2019)."""

    model_config = ConfigDict(json_schema_extra={"examples": [_SHOT]})

    make: Annotated[Text | None, Field(description="Manufacturer of the camera.")] = None
    model: Annotated[Text | None, Field(description="Model of the camera.")] = None
    lens: Annotated[Text | None, Field(description="Model of the lens.")] = None
    taken_at: Annotated[
        Text | None,
        Field(
            description="Date and time in ISO 8601; without an offset, in local time. Null if the "
            "date is invalid."
        ),
    ] = None
    exposure: Annotated[Number | None, Field(description="Exposure time in seconds.")] = None
    aperture: Annotated[Number | None, Field(description="Aperture as an f-number.")] = None
    iso: Annotated[int | None, Field(ge=0, description="Sensitivity.")] = None
    focal_length: Annotated[Number | None, Field(description="Focal length in millimetres.")] = None
    focal_length_35mm: Annotated[
        Number | None,
        Field(description="Focal length for the same angle of view on 35 mm film, in millimetres."),
    ] = None
    flash: Annotated[bool | None, Field(description="Whether the flash fired.")] = None
    software: Annotated[Text | None, Field(description="Software that wrote the file.")] = None
    artist: Annotated[Text | None, Field(description="Name of the photographer.")] = None
    copyright: Annotated[Text | None, Field(description="Copyright notice.")] = None
    description: Annotated[Text | None, Field(description="Description of the image.")] = None


class Place(Message):
    """Place at which a photograph was taken (WGS 84)."""

    model_config = ConfigDict(json_schema_extra={"examples": [_PLACE]})

    latitude: Annotated[float, Field(ge=-90, le=90, description="Degrees north of the equator.")]
    longitude: Annotated[float, Field(ge=-180, le=180, description="Degrees east of Greenwich.")]
    altitude: Annotated[
        float | None, Field(allow_inf_nan=False, description="Metres above sea level.")
    ] = None


class Details(Message):
    """Details of an image that need its pixels, found by decoding it once at a small scale."""

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
        Field(
            ge=0,
            description="Milliseconds of an animation; 0 for a still. Null if the animation is too "
            "large to measure, or damaged.",
        ),
    ] = None
    profile: Annotated[
        Text | None,
        Field(
            description="Name of the colour profile. Without a profile: `CICP` and the code points "
            "of primaries and transfer, or `gAMA`. Null for sRGB."
        ),
    ] = None
    shot: Annotated[Shot, Field(description="How the photograph was taken.")] = Shot()
    place: Annotated[
        Place | None,
        Field(description="Where the photograph was taken. Null unless the request asks for it."),
    ] = None
    dominant: Annotated[Hex, Field(description="The most frequent colour.")]
    palette: Annotated[
        tuple[Hex, ...],
        Field(max_length=8, description="The most frequent colours, the most frequent first."),
    ]
    thumbhash: Annotated[
        str, Field(max_length=40, description="A blurred placeholder: a ThumbHash in base64.")
    ]
    dhash: Annotated[
        str,
        Field(
            pattern=r"^[0-9a-f]{16}$",
            description="A difference hash of 64 bits in hex. Hashes of similar images differ in "
            "few bits.",
        ),
        Expected("should be 16 digits and lower-case letters a to f"),
    ]
