"""A page of forty pictures in headless Chromium, with nginx in front of the gateway and without."""

import io
from base64 import b64encode
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from hashlib import sha256
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from statistics import median
from threading import Thread
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509 import load_pem_x509_certificate
from PIL import Image, ImageOps
from playwright.sync_api import Browser, Page, sync_playwright

from bench.command_line import progress
from bench.delivery.stage import SLOTS, port_of
from bench.delivery.target import WrongAnswer, upload
from bench.environments import DATA
from bench.exact.chromium import QUIET as QUIET_BROWSER
from bench.exact.needs import CHROMIUM
from bench.imaging.photographs import LARGE, numbered
from bench.imaging.systems.darkroom import QUIET
from bench.markdown import header, row
from bench.servers import Valkey
from tests.deploy.nginx import LOGIN, NGINX, nginx
from tests.processes import faststream

PICTURES = 40
COLD, WARM, KEPT = "nothing rendered", "rendered", "in the browser's cache"
LOADS = (COLD, WARM, KEPT)
DIRECT, BEHIND = "gateway", "nginx"
SCREENSHOT = DATA / "delivery-page.png"

_SIZE = (1600, 1200)  # of the photographs
_WIDTH = 400  # of the pictures
_QUERY = f"op=resize:width={_WIDTH}&format=webp"
_WITHIN = 120_000  # ms for a page
_LOGIN = b64encode(":".join(LOGIN).encode()).decode()
_STYLE = "body{margin:8px;display:grid;grid-template-columns:repeat(8,1fr);gap:8px}img{width:100%}"

_LOOK = """() => {
  const [page] = performance.getEntriesByType("navigation");
  const broken = [...document.images].filter(one => !one.complete || one.naturalWidth !== WIDTH);
  return [page.loadEventStart, document.images.length, broken.length];
}""".replace("WIDTH", str(_WIDTH))


@dataclass(frozen=True)
class Loaded:
    """Loads of the page in one state: the median, and each, in ms until all pictures are there."""

    front: str
    load: str
    ms: float
    each: list[float]
    missing: list[int]  # pictures that were not shown, of each load
    reasons: str  # of the last load in which some were missing
    browser: int  # pictures of the last load from the browser's cache
    proxy: int  # pictures of the last load that nginx had kept

    def to_dict(self) -> dict[str, Any]:
        """Return the figures for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class _Load:
    ms: float
    missing: int
    reasons: str
    browser: int
    proxy: int


def measure(folder: Path, rounds: int) -> list[Loaded]:
    """Load the page in each round and state; nginx is left out where it is not installed.

    Raises RuntimeError without Chromium.
    """
    if reason := CHROMIUM.missing():
        raise RuntimeError(reason)
    fronts = [DIRECT, BEHIND] if NGINX else [DIRECT]
    for name in ("store", "site", "nginx"):
        (folder / name).mkdir(parents=True)
    found: defaultdict[tuple[str, str], list[_Load]] = defaultdict(list)
    photos = list(_photographs())
    with ExitStack() as running:
        valkey = running.enter_context(Valkey())
        env = {
            **QUIET,
            "DARKROOM_STORE": f"file://{folder / 'store'}",
            "DARKROOM_SLOTS": str(SLOTS),
        }
        running.enter_context(faststream("imaging", valkey.url, env=env))
        gateway = running.enter_context(faststream("gateway", valkey.url, env=env))
        addresses = {DIRECT: gateway.url}
        if NGINX:
            proxy = running.enter_context(nginx(gateway.url, folder / "nginx"))
            addresses[BEHIND] = proxy.url
        site = running.enter_context(_site(folder / "site"))
        browser = running.enter_context(_chromium(folder / "nginx" / "certificate.pem"))
        number = 0
        for turn in range(rounds):
            for front in fronts[:: -1 if turn % 2 else 1]:
                images = []
                for photo in photos:
                    # New bytes, of which nothing is rendered yet.
                    images.append(upload(port_of(gateway), numbered(photo, number)))
                    number += 1
                page = f"{front}-{turn}.html"
                (folder / "site" / page).write_text(_page(addresses[front], images))
                for state, load in _loads(browser, f"{site}/{page}", login=front == BEHIND):
                    found[front, state].append(load)
                    progress(f"  {front}, {state}: {load.ms:,.0f} ms {load.reasons}")
    return [_loaded(front, state, found[front, state]) for front in fronts for state in LOADS]


def table(pages: Sequence[Loaded]) -> list[str]:
    """Return the section of the report."""
    missing = [] if NGINX else ["nginx is not installed here.", ""]
    lines = [
        "## A page of forty pictures",
        "",
        f"{PICTURES} photographs of {_SIZE[0]} x {_SIZE[1]} pixels as WebP of {_WIDTH} pixels of "
        "width, in headless Chromium: milliseconds from the start of the navigation to the load "
        "event, when all pictures are complete; medians of the rounds. The gateway is asked by "
        "HTTP/1.1, over six connections; nginx, with `deploy/nginx.conf`, by HTTP/2 and TLS.",
        "",
        f"- {COLD}: uploaded a moment ago, and asked for by nobody.",
        f"- {WARM}: the third load, with an empty browser; nginx keeps a picture from the second.",
        f"- {KEPT}: once more, in a new tab of the same browser.",
        "",
        *missing,
    ]
    heads = ["ms", "each", "from the browser's cache", "from nginx's", "missing"]
    lines += header("", *heads)
    for one in pages:
        each = ", ".join(f"{ms:,.0f}" for ms in one.each)
        name = f"{one.front}, {one.load}"
        lost = ", ".join(map(str, one.missing)) + f": {one.reasons}" if any(one.missing) else "0"
        lines.append(row(name, f"{one.ms:,.0f}", each, str(one.browser), str(one.proxy), lost))
    return [*lines, ""]


def _loads(browser: Browser, url: str, *, login: bool) -> Iterator[tuple[str, _Load]]:
    """Load a page that nobody has asked for, in all states."""
    # Not `http_credentials`, with which Playwright turns the browser's cache off.
    headers = {"Authorization": f"Basic {_LOGIN}"} if login else {}
    for state in (COLD, None, WARM):
        context = browser.new_context(
            viewport={"width": 1600, "height": 1000},
            extra_http_headers=headers,
        )
        try:
            load = _load(context.new_page(), url)
            if state:
                yield state, load
            if state == WARM:
                yield KEPT, _load(context.new_page(), url)
        finally:
            context.close()


def _load(page: Page, url: str) -> _Load:
    """Load a page once, and count the pictures that are missing, or have another width."""
    stored, statuses = set[str](), dict[str, int]()
    found, failed = Counter[str](), dict[str, str]()

    def received(event: dict[str, Any]) -> None:
        response = event["response"]
        headers = {name.lower(): value for name, value in response["headers"].items()}
        if event["type"] != "Image":
            return
        if response["fromDiskCache"] or event["requestId"] in stored:
            found["browser"] += 1
        elif headers.get("x-cache") == "HIT":
            found["proxy"] += 1

    def lost(event: dict[str, Any]) -> None:
        failed[event["requestId"]] = event["errorText"]

    network = page.context.new_cdp_session(page)
    network.on("Network.requestServedFromCache", lambda event: stored.add(event["requestId"]))
    network.on("Network.responseReceived", received)
    network.on(
        "Network.responseReceivedExtraInfo",
        lambda event: statuses.update({event["requestId"]: event["statusCode"]}),
    )
    network.on("Network.loadingFailed", lost)
    network.send("Network.enable")
    page.goto(url, wait_until="load", timeout=_WITHIN)
    ms, pictures, broken = page.evaluate(_LOOK)
    page.screenshot(path=SCREENSHOT)
    if pictures != PICTURES:
        raise WrongAnswer(f"the page has {pictures} pictures")
    # Chromium hides the body of a refusal, and says that it has blocked it.
    causes = Counter(
        f"status {statuses[one]}" if one in statuses else text for one, text in failed.items()
    )
    reasons = ", ".join(f"{why} ({n})" for why, n in causes.most_common())
    return _Load(ms, broken, reasons, found["browser"], found["proxy"])


def _loaded(front: str, state: str, loads: Sequence[_Load]) -> Loaded:
    return Loaded(
        front,
        state,
        ms=median(one.ms for one in loads),
        each=[one.ms for one in loads],
        missing=[one.missing for one in loads],
        reasons=next((one.reasons for one in reversed(loads) if one.missing), ""),
        browser=loads[-1].browser,
        proxy=loads[-1].proxy,
    )


def _photographs() -> Iterator[bytes]:
    """Yield forty photographs: windows of one, turned and coloured in different ways."""
    with Image.open(io.BytesIO(LARGE.read())) as whole:
        whole.load()
    for number in range(PICTURES):
        left = number * 53 % (whole.width - _SIZE[0])
        upper = number * 97 % (whole.height - _SIZE[1])
        window = whole.crop((left, upper, left + _SIZE[0], upper + _SIZE[1]))
        tint = Image.new("HSV", _SIZE, (number * 255 // PICTURES, 200, 230)).convert("RGB")
        if number % 2:
            window = ImageOps.mirror(window)
        file = io.BytesIO()
        Image.blend(window, tint, 0.35).save(file, "JPEG", quality=90)
        yield file.getvalue()


def _page(address: str, images: Sequence[str]) -> str:
    pictures = "\n".join(f'<img src="{address}{image}/render?{_QUERY}">' for image in images)
    return f"<!doctype html><title>Pictures</title><style>{_STYLE}</style>\n{pictures}\n"


@contextmanager
def _site(folder: Path) -> Iterator[str]:
    """Serve the files of a folder, and yield the address."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def _chromium(certificate: Path) -> Iterator[Browser]:
    """Run a browser that trusts a certificate: it keeps nothing of a server that it distrusts."""
    arguments = list(QUIET_BROWSER)
    if certificate.exists():
        read = load_pem_x509_certificate(certificate.read_bytes())
        key = read.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        trusted = b64encode(sha256(key).digest()).decode()
        arguments.append(f"--ignore-certificate-errors-spki-list={trusted}")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM.path, args=arguments)
        try:
            yield browser
        finally:
            browser.close()
