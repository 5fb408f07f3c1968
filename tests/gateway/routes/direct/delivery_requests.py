"""Requests for stored images, well-formed and not."""

from typing import Any

from contracts.imaging import RENDER_VERSION

CURRENT = f"v={RENDER_VERSION}"

CONDITIONS: tuple[Any, ...] = (
    {}, {"Accept": "image/webp,*/*"}, {"Accept": "image/avif"}, {"Range": "bytes=2-5"},
    {"Range": "bytes=-4"}, {"Range": "bytes=5-2"}, {"Range": "bytes=0-1,4-5"},
    {"Range": "bytes=999999-"}, {"Range": "bytes=0-3", "If-Range": "TAG"},
    {"Range": "bytes=0-3", "If-Range": '"x"'}, {"If-None-Match": "TAG"},
    {"If-None-Match": 'W/TAG, "x"'}, {"If-None-Match": "*"}, {"If-None-Match": '"x"'},
    [("If-None-Match", '"x"'), ("If-None-Match", "TAG")], {"If-Match": "TAG"},
    {"If-Match": '"x"'}, {"If-Match": "*", "If-None-Match": "TAG"}, {"Prefer": "wait=3"},
    {"Prefer": "respond-async"}, {"Prefer": "wait=x, ,"}, {"Cookie": "a=b"},
    {"Cache-Control": "max-age=0"}, {"Cache-Control": "no-cache"},
    {"Cache-Control": "No-Cache", "If-None-Match": "TAG"},
    {"If-Modified-Since": "Sun, 29 Nov 2026 00:43:55 GMT"}, {"Origin": "https://example.com"},
    {"Host": "elsewhere.example.com"}, {"Content-Length": "0"}, {"Connection": "close"},
    {"Authorization": "Bearer x"}, [("Accept", "image/webp;q=0.5"), ("Accept", "image/jpeg")],
)  # fmt: skip
"""Header fields. `TAG` stands for the entity tag of the answer."""

QUERIES = (
    "op=melt", "op=", "op", "op=flip&op=flop", "op=flip&op=flip", "op=crop:left=999",
    "op=rotate:90", "op=rotate%3A90", "op=rotate:%39%30", "op=resize:width=20,height=",
    "op=resize:width=20,width=2", "op=resize:width=1e9", "op=text:caf%C3%A9", "op=text:%FF",
    "op=%", "op=flip;op=flop", "op=flip&", "&op=flip", "op=flip&&format=png",
    "format=png&format=jpeg", "format=jpg", "format=", "format=%61uto", "format=AUTO",
    "format=webp&quality=200", "format=webp&lossless=true&palette=4", "format=auto&lossless=true",
    "quality=auto&format=jpeg", "among=webp&format=auto", "width=20", "no=parameter", "no",
    "timeout=5", "timeout=0", "timeout=-1", "timeout=nan", "timeout=inf", "timeout=",
    "timeout=1&timeout=x", "timeout=x&timeout=1", "timeout=%31", "timeout=1e1", "v=5", CURRENT,
    "v=", "v=6&" + CURRENT, CURRENT + "&format=auto", "op=watermark:" + "0" * 64, "op=watermark:x",
    "max_bytes=900", "max_bytes=1&format=jpeg", "op=flip&" * 40, "op=text:" + "a" * 3000,
    "op=text:" + "a" * 9000, "?", "op=flip%26format=png", "op=flip+", "%6Fp=flip", "op=flip#x",
    "animated=no", "animated=2",
)  # fmt: skip
"""Queries of a render."""

TARGETS = (
    "IMAGE/", "IMAGE/render/", "IMAGE//render", "/IMAGE/render", "IMAGE/render%0A",
    "/v1/images/FIRSTREST", "IMAGE/rende%72", "IMAGE%2Frender", "/v1/images/UPPER",
    "/v1/images/REST", "/v1/images/KEY0/render", "IMAGE?", "/v1/images/NONE",
    "/v1/images/NONE/render?op=flip", "IMAGE/render?", "/v1/images/NONE/render?op=melt",
    "/v1/images//render", "IMAGE/Render", "IMAGE%00", "http://127.0.0.1IMAGE",
)  # fmt: skip
"""Targets: `IMAGE` is the path of an image, `KEY` its key, `FIRST` and `REST` its characters."""
