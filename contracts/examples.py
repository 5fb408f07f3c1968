"""Values that the examples of several messages share."""

from pydantic.config import JsonDict

BLOB: JsonDict = {
    "key": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "media_type": "image/jpeg",
    "bytes": 829183,
}
PIPELINE: JsonDict = {
    "operations": [{"op": "grayscale"}],
    "output": {"format": "webp", "quality": 80},
}
JOB_ID = "0196f7a3c5d87b1e9a4c2f60d1e8b357"
TIME = "2026-01-31T12:00:00Z"
REPLY_TO = "darkroom.replies.5f3c9a1e77d24b6c8f0e1d2c3b4a5968.2a"
EVENT_ID = "1798799400000-0"
