"""Files of signing keys and of presets, and scopes of requests, for tests of access."""

from pathlib import Path
from typing import Any

from services.gateway.access.presets.presets import Presets
from services.gateway.access.presets.table import parse_presets
from services.gateway.access.signatures import Signatures
from services.gateway.access.signing_keys import parse_signing_keys
from services.gateway.reloading import ReloadedFile

SECRET = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
RENDER = f"/v1/images/{'ab' * 32}/render"
KEYS = f"""
[keys.web-1]
secret = "{SECRET}"

[keys.old]
secret = "{SECRET}"
state = "verify-only"

[keys.gone]
secret = "{SECRET}"
state = "revoked"

[keys.shop]
secret = "{SECRET}"
project = "shop"
"""
PRESETS = """
[presets.card]
op = ["resize:width=$w,height=$h,fit=cover", "sharpen"]
format = "auto"
vary.w = [320, 640]
vary.h = [240, 480]
version = 3
max_age = 900
public = true

[presets.gray]
op = ["grayscale"]
format = "png"

[presets.window]
op = ["grayscale"]
sources = ["window"]
public = true

[presets.sale]
op = ["text:text=$$ $label_text", "resize:width=$w"]
quality = 70
vary.label_text = ["Sale, today", "new"]
vary.w = [320]
project = "shop"
"""


class Site:
    """A file of signing keys and one of presets, in a folder."""

    def __init__(self, folder: Path) -> None:
        self.keys = folder / "keys.toml"
        self.presets = folder / "presets.toml"
        self.keys.write_text(KEYS)
        self.presets.write_text(PRESETS)
        self.key_file = ReloadedFile("DARKROOM_SIGNING_KEYS", self.keys, parse_signing_keys)
        self.preset_file = ReloadedFile("DARKROOM_PRESETS", self.presets, parse_presets)
        self.table = Presets(self.preset_file)
        self.signatures = Signatures(self.key_file, self.table)


def scope_of(
    url: str, *, method: str = "GET", kind: str = "http", path: str = ""
) -> dict[str, Any]:
    """Return the scope of a request, as uvicorn makes it of a URL."""
    raw, _, query = url.partition("?")
    return {
        "type": kind,
        "method": method,
        "path": path or raw,
        "raw_path": raw.encode(),
        "query_string": query.encode(),
        "headers": [],
    }
