"""Read exchanges from standard input, and write httplint's complaints about each, one line each.

An exchange has the strings `method`, `target`, `request` (pairs of names and values), `content`
(base64), `status`, `phrase`, `response` (pairs) and `body` (base64).
"""

import json
import sys
import time
from base64 import b64decode
from typing import Any

from httplint import (
    HttpRequestLinter,
    HttpResponseLinter,
    levels,
)

_COMPLAINTS = (levels.BAD, levels.WARN)


def complaints(exchange: dict[str, Any], now: float) -> list[str]:
    """Return the summaries of the notes about both messages that are no praise or information."""
    request = HttpRequestLinter(start_time=now)
    request.process_request_topline(
        exchange["method"].encode(), exchange["target"].encode(), b"1.1"
    )
    request.process_headers(_fields(exchange["request"]))
    request.feed_content(b64decode(exchange["content"]))
    request.finish_content(True)
    response = HttpResponseLinter(start_time=now, no_content=exchange["method"] == "HEAD")
    response.is_head_response = exchange["method"] == "HEAD"
    response.request = request
    response.process_response_topline(
        b"1.1", exchange["status"].encode(), exchange["phrase"].encode()
    )
    response.process_headers(_fields(exchange["response"]))
    response.feed_content(b64decode(exchange["body"]))
    response.finish_content(True)
    notes = [*request.notes, *response.notes]
    return [str(note.summary) for note in notes if note.level in _COMPLAINTS]


def _fields(pairs: list[list[str]]) -> list[tuple[bytes, bytes]]:
    return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in pairs]


for line in sys.stdin:
    sys.stdout.write(json.dumps(complaints(json.loads(line), time.time())) + "\n")
