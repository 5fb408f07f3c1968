"""A website with pictures of two gateways, behind nginx with deploy/website.conf."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from html import escape
from pathlib import Path

from contracts.imaging import RENDER_VERSION
from darkroom.signing import sign
from tests.deploy.nginx import WEBSITE, Proxy, serve
from tests.e2e.pictures import photograph
from tests.processes import Service, faststream

PREFIX = "/images"
FETCH = f"{PREFIX}/v1/fetch"
ADMIN_KEY = "the-key-of-the-website's-operator"
SECRET = "5e" * 32
OTHER_SECRET = "07" * 32
ROOMS = ("kitchen", "garden", "hall")

SIGNING_KEYS = f"""
[keys.web-1]
secret = "{SECRET}"
project = "website"

[keys.other-1]
secret = "{OTHER_SECRET}"
project = "other"
"""
PRESETS = """
[presets.card]
op = ["resize:width=$w"]
format = "auto"
vary.w = [320, 640]
version = 1
project = "website"
sources = ["photos", "today"]
public = true

[presets.banner]
op = ["resize:width=$w,height=240,fit=cover", "sharpen"]
format = "auto"
vary.w = [400, 800]
project = "website"
"""
SOURCES = """
[sources.photos]
kind = "folder"
root = "{folder}/photos"
projects = ["website"]

[sources.today]
kind = "folder"
root = "{folder}/today"
projects = ["website"]
fresh = 1
"""
PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>{title}</title>
<link rel="icon" href="data:,">
<style>body {{ font: 16px sans-serif; margin: 20px }} img {{ margin: 4px }}</style>
<h1>{title}</h1>
{pictures}
</html>
"""
SHOWN = """() => Promise.all([...document.images].map(async image => {
    await image.decode().catch(() => null);
    return {
        src: image.currentSrc,
        promised: Number(image.dataset.width),
        width: image.naturalWidth,
        height: image.naturalHeight,
    };
}))"""
"""Tell of each picture of a page what it should be and what is shown: 0 for nothing."""


@dataclass(frozen=True)
class Website:
    """The running website, and the folder with its pictures, pages and files of configuration."""

    proxy: Proxy
    gateways: Sequence[Service]
    folder: Path

    @property
    def pages(self) -> list[str]:
        """The URLs of all pages."""
        return [f"{self.proxy.url}/{path.name}" for path in sorted(self.html.glob("*.html"))]

    @property
    def html(self) -> Path:
        return self.folder / "pages"

    def write_page(self, name: str, *pictures: str) -> str:
        """Write a page with these elements; return its URL."""
        text = PAGE.format(title=name.capitalize(), pictures="\n".join(pictures))
        (self.html / f"{name}.html").write_text(text)
        return f"{self.proxy.url}/{name}.html"

    def make_key(self, project: str, *scopes: str) -> tuple[str, dict[str, str]]:
        """Have the operator make a key; return its id, and the header field with it."""
        new = {"name": "key of a test", "project": project, "scopes": scopes}
        made = self.proxy.http.post(f"{PREFIX}/v1/keys", json=new, headers=bearer(ADMIN_KEY))
        assert made.status_code == 201, made.text
        return made.json()["id"], bearer(made.json()["key"])


def bearer(key: str) -> dict[str, str]:
    """Return the header field with a key."""
    return {"Authorization": f"Bearer {key}"}


def signed(path: str, *free: str, kid: str = "web-1", secret: str = SECRET) -> str:
    """Sign a path below the prefix for a day, as the program does that makes the pages."""
    return sign(path, kid=kid, secret=secret, expires=86_400, free=free, prefix=PREFIX)


def picture(src: str, width: int, srcset: Mapping[str, str] | None = None) -> str:
    """Return an `<img>` that is `width` CSS pixels wide; `srcset` has a URL for each width."""
    sizes = ""
    if srcset:
        listed = ", ".join(f"{url} {descriptor}" for descriptor, url in srcset.items())
        sizes = f' srcset="{escape(listed)}" sizes="{width}px"'
    return f'<img src="{escape(src)}"{sizes} data-width="{width}" alt="">'


def responsive(url: str, small: int) -> str:
    """Return an `<img>` for a URL with `w={small}`; finer screens ask for twice the width."""
    large = url.replace(f"w={small}", f"w={2 * small}")
    return picture(url, small, {f"{small}w": url, f"{2 * small}w": large})


def write_pages(site: Website) -> None:
    """Write the five pages whose pictures come from the folders."""
    v = f"1.{RENDER_VERSION}"
    cards = [f"{FETCH}?src=photos:{room}.jpg&preset=card&w=320" for room in ROOMS]
    site.write_page("index", *(responsive(url, 320) for url in cards))
    site.write_page("versions", *(responsive(f"{url}&v={v}", 320) for url in cards))
    banners = [signed(f"{FETCH}?src=photos:{room}.jpg&preset=banner&w=400", "w") for room in ROOMS]
    site.write_page("rooms", *(responsive(url, 400) for url in banners))
    looks = ["op=grayscale&op=resize:width=300", "op=resize:width=300&op=text:text=12+Rose%20Lane"]
    free_hand = [signed(f"{FETCH}?src=photos:hall.jpg&{look}&format=auto") for look in looks]
    site.write_page("looks", *(picture(url, 300) for url in free_hand))
    site.write_page("today", responsive(f"{FETCH}?src=today:menu.jpg&preset=card&w=320", 320))


@contextmanager
def website(redis_url: str, folder: Path) -> Iterator[Website]:
    """Run two gateways and nginx, with five of the pages."""
    for name in ("photos", "today", "pages"):
        (folder / name).mkdir()
    for seed, room in enumerate(ROOMS):
        (folder / f"photos/{room}.jpg").write_bytes(photograph(1200, 900, seed=80 + seed))
    (folder / "today/menu.jpg").write_bytes(photograph(1200, 900, seed=90))
    files = {"SIGNING_KEYS": SIGNING_KEYS, "PRESETS": PRESETS, "SOURCES": SOURCES}
    env = {
        "DARKROOM_ACCESS": "keys",
        "DARKROOM_ANONYMOUS": "presets",
        "DARKROOM_ADMIN_KEY": ADMIN_KEY,
        "DARKROOM_ROOT_PATH": PREFIX,
    }
    for name, text in files.items():
        path = folder / f"{name.lower()}.toml"
        path.write_text(text.replace("{folder}", str(folder)))
        env[f"DARKROOM_{name}"] = str(path)
    with ExitStack() as running:
        gateways = [
            running.enter_context(faststream("gateway", redis_url, env=env, ready=False))
            for _ in range(2)
        ]
        for gateway in gateways:
            gateway.wait_ready()
        servers = " ".join(f"server {one.url.removeprefix('http://')};" for one in gateways)
        changes = {"server 127.0.0.1:8000;": servers, "/var/www/website": str(folder / "pages")}
        proxy = running.enter_context(serve(WEBSITE, "www.example.com", changes, folder))
        site = Website(proxy, gateways, folder)
        write_pages(site)
        yield site
