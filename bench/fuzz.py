"""Damage real files of every format, and see that the engine ends with a named error: `make fuzz`.

The cases run in processes with little memory and time, so that a crash and a hang are found, too.
The file that caused one is kept.
"""

import argparse
import json
import random
import resource
import signal
import subprocess
import sys
import time
import traceback
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from PIL import Image
from PIL.ExifTags import Base
from PIL.PngImagePlugin import PngInfo

from contracts.errors import ImageTooBig, ImageUnreadable, InvalidOperation, UnsupportedFormat
from contracts.operations.pipeline import Pipeline
from services.imaging.engine import pipeline
from services.imaging.engine.decoding import decode
from services.imaging.engine.formats import avif
from services.imaging.engine.inspection import inspect
from services.imaging.engine.safety.limits import Limits
from tests.imaging.coloured import (
    DISPLAY_P3,
    chrm,
    cicp,
    clli,
    gama,
    png_with,
    with_code_points,
    with_profile_code_points,
)
from tests.imaging.pictures import SRGB, encoded, exif_of, scenery

NAMED_ERRORS = (ImageUnreadable, UnsupportedFormat, ImageTooBig, InvalidOperation)

# Far below the default limits: a decoder's faults show with few pixels, too.
SMALL = Limits(frame_pixels=4_000_000, frames=50, total_pixels=8_000_000, result_pixels=4_000_000)

PIPELINES = tuple(
    Pipeline.model_validate(fields)
    for fields in (
        {
            "operations": [{"op": "resize", "width": 20, "height": 20}],
            "output": {"format": "jpeg", "metadata": "keep"},
        },
        {"output": {"metadata": "keep", "icc": "keep"}},
        {
            "operations": [{"op": "grayscale"}, {"op": "resize", "width": 16}, {"op": "flip"}],
            "output": {"format": "png", "metadata": "keep"},
        },
        {
            "operations": [
                {"op": "crop", "width": 20, "height": 16, "gravity": "smart"},
                {"op": "trim"},
                {"op": "autocontrast"},
                {"op": "text", "text": "a"},
            ],
            "output": {"format": "gif", "palette": 16},
        },
        {
            "operations": [{"op": "rotate", "degrees": 30}, {"op": "sepia"}],
            "output": {"format": "webp", "metadata": "copyright", "quality": "auto"},
        },
        {"operations": [{"op": "blur", "radius": 2}], "output": {"format": "tiff", "icc": "keep"}},
    )
)

_MEMORY = 2 << 30  # bytes of address space; the libraries alone take a third of it
_CPU_SECONDS = 8.0  # a case
_REAL_SECONDS = 60.0  # a case, to catch one that waits without using the CPU
_CASES_A_PROCESS = 2000  # so that a leak does not look like a case that needs much memory
_CURRENT = "in-hand"  # the file of the case that runs
_EXTREMES = (b"\0", b"\xff", b"\x7f\xff\xff\xff", b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x80\0\0\0")


def corpus() -> dict[str, bytes]:
    """Undamaged files by a name: every format that is read, in its variants."""
    picture = scenery(48, 36)
    alpha = picture.copy()
    alpha.putalpha(Image.linear_gradient("L").resize(picture.size))
    table = picture.quantize(16)
    deep = Image.radial_gradient("L").resize(picture.size).convert("I").convert("I;16")
    others = [picture.rotate(angle) for angle in (90, 180)]
    transparent = [alpha, alpha.rotate(180), alpha.rotate(90)]
    moving = {"save_all": True, "append_images": others, "duration": [40, 80, 120], "loop": 2}
    notes = {"exif": exif_of(6).tobytes(), "icc_profile": SRGB}
    # More than the segments of a JPEG hold.
    long = exif_of(6)
    long[Base.Copyright], long[Base.ImageDescription] = "c" * 40_000, "d" * 70_000
    packet = PngInfo()
    packet.add_itxt("XML:com.adobe.xmp", "<a>" + "x" * 70_000 + "</a>")
    files = {
        "jpeg": encoded(picture, "JPEG"),
        "jpeg progressive": encoded(picture, "JPEG", progressive=True, quality=95),
        "jpeg gray": encoded(picture.convert("L"), "JPEG"),
        "jpeg cmyk": encoded(picture.convert("CMYK"), "JPEG"),
        "jpeg notes": encoded(picture, "JPEG", **notes, xmp=b"<x:xmpmeta/>", comment=b"words"),
        "mpo": encoded(picture, "MPO", save_all=True, append_images=others),
        "png": encoded(picture, "PNG", **notes),
        "png long notes": encoded(picture, "PNG", exif=long, pnginfo=packet),
        "webp long notes": encoded(picture, "WEBP", exif=long, xmp=b"x" * 70_000),
        "png palette": encoded(table, "PNG", transparency=3),
        "png one bit": encoded(picture.convert("1"), "PNG"),
        "png gray and alpha": encoded(alpha.convert("LA"), "PNG"),
        "png 16 bits": encoded(deep, "PNG"),
        "png code points": png_with(picture, cicp(9, 16), clli(600), gama(1), chrm(*DISPLAY_P3)),
        "png gamma": png_with(picture, gama(1), chrm(*DISPLAY_P3)),
        "png profile with code points": encoded(
            picture, "PNG", icc_profile=with_profile_code_points(SRGB, 9, 18)
        ),
        "png moving": encoded(picture, "PNG", **moving),
        "png moving alpha": encoded(
            transparent[0], "PNG", save_all=True, append_images=transparent[1:], disposal=1, blend=1
        ),
        "webp": encoded(picture, "WEBP", quality=70, **notes),
        "webp alpha": encoded(alpha, "WEBP", quality=70),
        "webp lossless": encoded(alpha, "WEBP", lossless=True),
        "webp moving": encoded(picture, "WEBP", **moving),
        "avif": encoded(picture, "AVIF", speed=10, **notes),
        "avif code points": with_code_points(encoded(picture, "AVIF", speed=10), 9, 16),
        "avif alpha": encoded(alpha, "AVIF", speed=10),
        # Without the time of encoding, so that a case has the same bytes each time.
        "avif moving": avif.finished(encoded(picture, "AVIF", speed=10, **moving), plays=2),
        "gif": encoded(table, "GIF", transparency=2),
        "gif moving": encoded(picture, "GIF", disposal=2, **moving),
        "gif moving alpha": encoded(alpha, "GIF", save_all=True, append_images=transparent[1:]),
        "tiff": encoded(picture, "TIFF", **notes),
        "tiff palette": encoded(table, "TIFF"),
        "tiff 16 bits": encoded(deep, "TIFF"),
        "tiff cmyk": encoded(picture.convert("CMYK"), "TIFF"),
        "tiff float": encoded(picture.convert("F"), "TIFF"),
        # Copies: an image saved as a JPEG keeps its encoder's settings, which TIFF would use.
        "tiff pages": encoded(
            picture.copy(), "TIFF", save_all=True, append_images=[one.copy() for one in others]
        ),
        "tiff group4": encoded(picture.convert("1"), "TIFF", compression="group4"),
    }
    for compression in ("lzw", "adobe_deflate", "jpeg"):
        files[f"tiff {compression}"] = encoded(picture, "TIFF", compression=f"tiff_{compression}")
    for compression in ("packbits", "lzma", "zstd"):
        files[f"tiff {compression}"] = encoded(picture, "TIFF", compression=compression)
    for name, format in (("heif", "HEIF"), ("jxl", "JXL")):
        if format in Image.SAVE:
            files[name] = encoded(picture, format, **notes)
            files[f"{name} alpha"] = encoded(alpha, format)
    return files


def damaged(files: dict[str, bytes], number: int) -> tuple[str, bytes]:
    """Return the damaged file of case `number`, with the undamaged file's name first.

    The same number gives the same bytes.
    """
    dice = random.Random(number)
    names = sorted(files)
    name = names[number % len(names)]
    body = bytearray(files[name])
    for _ in range(dice.choice((1, 1, 2, 4, 12))):
        # Half of the damage goes to the first 400 bytes, where the headers are.
        at = dice.randrange(dice.choice((len(body), min(len(body), 400))))
        match dice.choice(("byte", "byte", "bit", "extreme", "cut", "twice", "splice", "end")):
            case "byte":
                body[at] = dice.randrange(256)
            case "bit":
                body[at] ^= 1 << dice.randrange(8)
            case "extreme":
                extreme = dice.choice(_EXTREMES)
                body[at : at + len(extreme)] = extreme
            case "cut":
                del body[at : at + dice.randrange(1, 60)]
            case "twice":
                body[at:at] = body[at : at + dice.randrange(1, 200)] * dice.choice((1, 1, 5))
            case "splice":
                other = files[dice.choice([name, dice.choice(names)])]
                start = dice.randrange(len(other))
                part = other[start : start + dice.randrange(1, 300)]
                body[at : at + dice.choice((0, len(part)))] = part
            case _ if dice.random() < 0.3:
                del body[at:]
        body = body or bytearray(b"\0")
    data = bytes(body)
    # Without this, a wrong checksum would end nearly every case of a PNG.
    return name, _with_checksums(data) if dice.random() < 0.8 else data


def attempts(data: bytes, number: int) -> Iterator[Callable[[], object]]:
    """Yield what is tried with a file: inspect the header, inspect the pixels, render."""
    chosen = PIPELINES[(number // 7) % len(PIPELINES)]
    yield lambda: decode.inspect(data, SMALL)
    yield lambda: inspect.inspect_pixels(data, SMALL, place=True)
    yield lambda: pipeline.run(data, chosen, SMALL)


def outcome(attempt: Callable[[], object]) -> str:
    """Return "done" or the code of a named error. Raises any other exception."""
    try:
        attempt()
    except NAMED_ERRORS as exc:
        return exc.code.value
    return "done"


def _with_checksums(data: bytes) -> bytes:
    """Return a PNG with the checksums that its chunks need; other files as they are."""
    if data[:8] != b"\x89PNG\r\n\x1a\n":
        return data
    body, at = bytearray(data), 8
    while at + 12 <= len(body):
        end = at + 8 + int.from_bytes(body[at : at + 4], "big")
        if end + 4 > len(body):
            break
        body[end : end + 4] = zlib.crc32(body[at + 4 : end]).to_bytes(4, "big")
        at = end + 4
    return bytes(body)


def _work(first: int, until: float, kept: Path) -> None:
    """Run cases from number `first` until a time; print the next number and the outcomes as JSON.

    Each case's number and bytes are in `kept` before the case runs.
    """
    files = corpus()
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    current, tally = kept / _CURRENT, Counter[str]()
    for number in range(first, first + _CASES_A_PROCESS):
        if time.time() > until:
            break
        name, data = damaged(files, number)
        current.write_bytes(data)
        current.with_suffix(".json").write_text(json.dumps({"number": number, "file": name}))
        # Either signal ends the process, even within a decoder.
        signal.setitimer(signal.ITIMER_PROF, _CPU_SECONDS)
        signal.setitimer(signal.ITIMER_REAL, _REAL_SECONDS)
        for attempt in attempts(data, number):
            try:
                tally[outcome(attempt)] += 1
            except Exception:
                tally["unnamed"] += 1
                (kept / f"unnamed-{number}").write_bytes(data)
                report = f"{name}\n{traceback.format_exc()}"
                (kept / f"unnamed-{number}.txt").write_text(report)
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.setitimer(signal.ITIMER_REAL, 0)
    print(json.dumps({"next": number + 1, "tally": tally}))  # noqa: T201


def _oversee(start: int, until: float, kept: Path) -> Counter[str]:
    """Run cases in one process after another until a time, and return how many ended how."""
    tally, number = Counter[str](), start
    current = kept / _CURRENT
    while time.time() < until:
        command = [sys.executable, "-m", "bench.fuzz", "--work"]
        command += [str(number), str(until), str(kept)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            report = json.loads(done.stdout.splitlines()[-1])
            number = report["next"]
            tally.update(report["tally"])
            continue
        if not current.with_suffix(".json").exists():
            raise RuntimeError(f"No case was run: {done.stderr[-2000:]}")
        case = json.loads(current.with_suffix(".json").read_text())
        slow = done.returncode in (-signal.SIGPROF, -signal.SIGALRM)
        kind = "hang" if slow else "crash"
        tally[kind] += 1
        tally["done before a crash or a hang"] += 3 * (case["number"] - number)
        (kept / f"{kind}-{case['number']}").write_bytes(current.read_bytes())
        details = f"{case['file']}\nexit {done.returncode}\n{done.stderr[-2000:]}"
        (kept / f"{kind}-{case['number']}.txt").write_text(details)
        number = case["number"] + 1
    current.unlink(missing_ok=True)
    current.with_suffix(".json").unlink(missing_ok=True)
    return tally


def main() -> int:
    """Fuzz for `--seconds`; return 1 after an unnamed exception, a crash or a hang."""
    if sys.argv[1:2] == ["--work"]:
        first, until, kept = sys.argv[2:]
        _work(int(first), float(until), Path(kept))
        return 0
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=300)
    parser.add_argument("--start", type=int, default=0, help="the first case's number")
    parser.add_argument(
        "--kept", type=Path, default=Path(".data/fuzz"), help="the folder for files that fail"
    )
    options = parser.parse_args()
    options.kept.mkdir(parents=True, exist_ok=True)
    tally = _oversee(options.start, time.time() + options.seconds, options.kept)
    for kind, count in tally.most_common():
        print(f"{count:8}  {kind}")  # noqa: T201
    found = tally["unnamed"] + tally["hang"] + tally["crash"]
    if found:
        print(f"{found} files kept in {options.kept}")  # noqa: T201
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
