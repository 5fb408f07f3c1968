"""Makes docs/operations and the README's table of operations anew: `make gallery`.

The engine makes each picture, from what a client writes in a query; the photograph is drawn here.
"""

import hashlib
import html
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import get_args
from urllib.parse import quote

from PIL import Image, ImageDraw

from contracts.message import Message
from contracts.operations.notation import parse_pipeline
from contracts.operations.pipeline import Operation
from docs.make_page_picture import developed, house
from services.imaging.engine import pipeline

README = Path(__file__).parents[1] / "README.md"
PICTURES = Path(__file__).with_name("operations")
SOURCES = PICTURES / "sources"
BEGIN, END = "<!-- operations -->", "<!-- /operations -->"

LARGE, SMALL = (720, 480), (240, 160)
SHOWN = ("photograph", "haze", "scan", "logo")

MODELS: dict[str, type[Message]] = {
    model.model_fields["op"].default: model for model in get_args(get_args(Operation)[0])
}


@dataclass(frozen=True)
class Example:
    """What a client writes to show an operation, and the source that shows it best.

    LOGO stands for the id under which the logo was uploaded.
    """

    operations: tuple[str, ...]
    source: str = "photograph"

    @property
    def query(self) -> str:
        """As it stands in a URL."""
        return "&".join(f"op={quote(text, safe=':=,')}" for text in self.operations)


EXAMPLES = {
    "resize": Example(("resize:width=240,height=240,gravity=smart",), "enlargement"),
    "crop": Example(("crop:width=240,height=160,gravity=smart",), "enlargement"),
    "extract": Example(("extract:left=300,top=180,width=240,height=160",), "enlargement"),
    "trim": Example(("trim:20",), "scan"),
    "pad": Example(("pad:width=240,height=240,blurred=true",)),
    "rotate": Example(("rotate:degrees=8,background=indigo",)),
    "flip": Example(("flip:vertical",)),
    "flop": Example(("flop",)),
    "grayscale": Example(("grayscale",)),
    "sepia": Example(("sepia",)),
    "duotone": Example(("duotone:shadows=1a1446,highlights=ffd8a0",)),
    "tint": Example(("tint:colour=teal,amount=0.8",)),
    "negate": Example(("negate",)),
    "adjust": Example(("adjust:brightness=1.4,contrast=1.2,hue=-30",)),
    "autocontrast": Example(("autocontrast:cutoff=1",), "haze"),
    "equalize": Example(("equalize",), "haze"),
    "posterize": Example(("posterize:4",)),
    "blur": Example(("blur:4",)),
    "sharpen": Example(("sharpen:amount=2.5,radius=1",)),
    "pixelate": Example(("pixelate:10",)),
    "vignette": Example(("vignette:amount=0.9,colour=white",)),
    "round": Example(("round:30",)),
    "border": Example(("border:width=12,colour=peru",)),
    "background": Example(("round:circle", "background:gold")),
    "watermark": Example(("watermark:image=LOGO,scale=0.25,x=8,y=8,opacity=0.8",)),
    "text": Example(("text:text=12 Rose Lane,size=24,stroke=2,position=bottom,y=10",)),
}


def photograph() -> Image.Image:
    """The house on a hill of the page's picture, as a camera would give it."""
    taken = developed(house(), seed=19)
    return taken.resize(LARGE, Image.Resampling.LANCZOS)


def haze(picture: Image.Image) -> Image.Image:
    """The same on a dull day: all its tones near one another."""
    return Image.blend(picture, Image.new("RGB", picture.size, (168, 172, 178)), 0.65)


def scan(picture: Image.Image) -> Image.Image:
    """The same as a print on the glass of a scanner, which is not evenly white."""
    glass = Image.new("RGB", SMALL, (246, 245, 242))
    ImageDraw.Draw(glass).rectangle((0, 110, SMALL[0], SMALL[1]), (242, 242, 240))
    glass.paste(picture.resize((150, 100), Image.Resampling.LANCZOS), (22, 36))
    return glass


def logo() -> Image.Image:
    """A white house in a ring; around it nothing."""
    drawn = Image.new("RGBA", (480, 480))
    draw = ImageDraw.Draw(drawn)
    draw.ellipse((8, 8, 472, 472), (20, 18, 40, 200), (255, 255, 255), 26)
    draw.polygon([(240, 92), (398, 240), (82, 240)], (255, 255, 255))
    draw.rectangle((130, 240, 350, 366), (255, 255, 255))
    draw.rectangle((210, 276, 270, 366), (20, 18, 40))
    return drawn.resize((120, 120), Image.Resampling.LANCZOS)


def sources() -> dict[str, bytes]:
    """What the examples begin with, by name, and the logo; every pixel as it was drawn."""
    large = photograph()
    small = large.resize(SMALL, Image.Resampling.LANCZOS)
    drawn = {
        "photograph": small,
        "enlargement": large,
        "haze": haze(small),
        "scan": scan(large),
        "logo": logo(),
    }
    return {name: _png(image) for name, image in drawn.items()}


def gallery(originals: Mapping[str, bytes]) -> dict[str, bytes]:
    """The picture of each operation, as the engine makes it of these sources, by its name."""
    key = hashlib.sha256(originals["logo"]).hexdigest()
    render = partial(pipeline.run, images={key: originals["logo"]})
    pictures = {}
    for name, example in examples(MODELS).items():
        written = [text.replace("LOGO", key) for text in example.operations]
        asked = parse_pipeline(written, format="webp", quality="80")
        pictures[name] = render(originals[example.source], asked).data
    return pictures


def examples(operations: Iterable[str]) -> dict[str, Example]:
    """The example of each of these operations. Raises LookupError, naming those without one."""
    names = list(operations)
    without = ", ".join(name for name in names if name not in EXAMPLES)
    if without:
        raise LookupError(f"Give these an example in EXAMPLES of docs/make_gallery.py: {without}.")
    return {name: EXAMPLES[name] for name in names}


def table() -> str:
    """The README's part between the markers."""
    chosen = examples(MODELS)

    def made_from(source: str) -> str:
        return ", ".join(f"`{name}`" for name, one in chosen.items() if one.source == source)

    large, small = (f"{width} x {height}" for width, height in (LARGE, SMALL))
    lines = [
        f"The photograph has {small} pixels, and {large} for {made_from('enlargement')}.",
        "`LOGO` is the id under which the logo was uploaded.",
        "",
        f"| the photograph | of {made_from('haze')} | of {made_from('scan')} | the logo |",
        "|---|---|---|---|",
        f"| {_shown(SOURCES / 'photograph.webp')} | {_shown(SOURCES / 'haze.webp')} "
        f"| {_shown(SOURCES / 'scan.webp')} | {_shown(SOURCES / 'logo.webp', 80)} |",
        "",
        "| operation | what it does | what a client writes | |",
        "|---|---|---|---|",
    ]
    for name, example in chosen.items():
        does = " ".join((MODELS[name].__doc__ or "").split()).replace("|", "\\|")
        picture = _shown(PICTURES / f"{name}.webp")
        # Markdown's own code has nowhere to break, and would push the pictures out of sight.
        breakable = html.escape(example.query).replace(",", ",<wbr>").replace("&amp;", "<wbr>&amp;")
        lines.append(f"| `{name}` | {does} | <code>{breakable}</code> | {picture} |")
    return "\n".join(lines)


def replaced(readme: str, part: str) -> str:
    """The README with this part between the markers."""
    before, begin, rest = readme.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise LookupError(f"README.md has no {BEGIN} before {END}.")
    return f"{before}{BEGIN}\n\n{part}\n\n{END}{after}"


def _png(image: Image.Image) -> bytes:
    written = io.BytesIO()
    image.save(written, "PNG")
    return written.getvalue()


def _shown(picture: Path, width: int = 160) -> str:
    place = picture.relative_to(README.parent).as_posix()
    return f'<img src="{place}" width="{width}" alt="{picture.stem}">'


def _write(folder: Path, pictures: Mapping[str, bytes]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.webp"):
        if old.stem not in pictures:
            old.unlink()
    for name, data in pictures.items():
        (folder / f"{name}.webp").write_bytes(data)


def main() -> None:
    try:
        part = table()
        readme = replaced(README.read_text("utf-8"), part)
    except LookupError as exc:
        raise SystemExit(str(exc)) from exc
    originals = sources()
    _write(PICTURES, gallery(originals))
    as_is = parse_pipeline([], format="webp", quality="80")
    shown = {name: pipeline.run(originals[name], as_is).data for name in SHOWN}
    _write(SOURCES, shown)
    README.write_text(readme, "utf-8")


if __name__ == "__main__":
    main()
