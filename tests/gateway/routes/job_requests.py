"""Submit jobs with one small picture, and wait for their ends."""

from typing import Any

import httpx

from tests.imaging.pictures import encoded, scenery
from tests.processes import wait_until

PICTURE = scenery(90, 60)
PNG = encoded(PICTURE, "PNG")
TURN = {"operations": [{"op": "rotate", "degrees": 90}], "output": {"format": "png"}}
GRAY = {"operations": [{"op": "grayscale"}], "output": {"format": "png"}}
CROP_OUTSIDE = {"operations": [{"op": "crop", "left": 80, "top": 0, "width": 90, "height": 9}]}


def submitted(client: httpx.Client, image: str, *variants: dict[str, Any]) -> httpx.Response:
    return client.post("/v1/jobs", json={"source": {"image": image}, "variants": variants})


def ended(client: httpx.Client, accepted: httpx.Response) -> httpx.Response:
    """Wait until a job ends; return its status."""
    address = accepted.headers["location"]
    wait_until(lambda: client.get(address).status_code != 202)
    return client.get(address)
