"""`darkroom render`: files written, files kept, failures, interruptions, mistakes of usage."""

import itertools
import signal
from pathlib import Path

import pytest
from PIL import Image
from redis import Redis

from tests.attempts import attempts
from tests.darkroom.command import (
    LARGE,
    count_jobs,
    files_in,
    run_darkroom,
    started,
    write_photograph,
)

GRAY = ("--op", "grayscale", "--op", "resize:width=120", "--format", "webp")

_seeds = itertools.count(1000)


def write_photographs(folder: Path, *names: str) -> Path:
    """Write photographs that no other test has into a folder; return the folder."""
    for name in names:
        write_photograph(folder / name, seed=next(_seeds))
    return folder


def test_a_folder_is_rendered_and_keeps_its_names(gateway_url: str, tmp_path: Path) -> None:
    write_photographs(
        tmp_path / "in", "kitchen.jpg", "garden.JPEG", "notes.txt", ".hidden.jpg", "more/hall.jpg"
    )
    ran = run_darkroom(gateway_url, "render", tmp_path / "in", *GRAY, "--out", tmp_path / "out")
    assert files_in(tmp_path / "out") == ["garden.webp", "kitchen.webp"]
    with Image.open(tmp_path / "out" / "kitchen.webp") as image:
        assert (image.format, image.size) == ("WEBP", (120, 90))
    assert "2 done, 0 kept, 0 failed" in ran.stdout


def test_recursive_rendering_keeps_the_folders(gateway_url: str, tmp_path: Path) -> None:
    write_photographs(tmp_path, "hall.jpg", "first/hall.jpg", "second/hall.jpg")
    render = ("render", tmp_path, "--recursive", *GRAY, "--out", tmp_path / "web")
    run_darkroom(gateway_url, *render)
    results = ["first/hall.webp", "hall.webp", "second/hall.webp"]
    assert files_in(tmp_path / "web") == results
    again = run_darkroom(gateway_url, *render)
    assert "0 done, 3 kept" in again.stdout, "results are not sources"
    assert files_in(tmp_path / "web") == results


def test_a_second_run_makes_no_jobs_and_fetches_missing_results(
    gateway_url: str, redis_url: str, tmp_path: Path
) -> None:
    write_photographs(tmp_path / "in", "a.jpg", "b.jpg", "c.jpg")
    render = ("render", tmp_path / "in", *GRAY, "--out", tmp_path / "out")
    run_darkroom(gateway_url, *render)
    jobs = count_jobs(redis_url)
    (tmp_path / "out" / "a.webp").unlink()
    whole = (tmp_path / "out" / "b.webp").read_bytes()
    (tmp_path / "out" / "b.webp").write_bytes(whole[:100])
    again = run_darkroom(gateway_url, *render)
    assert "2 done, 1 kept, 0 failed" in again.stdout
    assert (tmp_path / "out" / "b.webp").read_bytes() == whole
    assert count_jobs(redis_url) == jobs


def test_an_expired_result_is_rendered_again(
    gateway_url: str, redis_url: str, tmp_path: Path
) -> None:
    write_photographs(tmp_path / "in", "a.jpg")
    render = ("render", tmp_path / "in", *GRAY, "--out", tmp_path / "out")
    run_darkroom(gateway_url, *render)
    with Redis.from_url(redis_url) as redis:
        redis.delete(*redis.keys("darkroom:rendition:*"))
    (tmp_path / "out" / "a.webp").unlink()
    jobs = count_jobs(redis_url)
    assert "1 done" in run_darkroom(gateway_url, *render).stdout
    assert count_jobs(redis_url) == jobs + 1


def test_another_pipeline_replaces_the_results_of_the_first(
    gateway_url: str, tmp_path: Path
) -> None:
    write_photographs(tmp_path / "in", "a.jpg")
    out = tmp_path / "out"
    for width in (100, 50):
        resize = ("--op", f"resize:width={width}", "--format", "png")
        run_darkroom(gateway_url, "render", tmp_path / "in", *resize, "--out", out)
        with Image.open(out / "a.png") as image:
            assert image.width == width
    assert files_in(out) == ["a.png"]


def test_sources_with_the_same_stem_keep_their_own_results_in_later_runs(
    gateway_url: str, tmp_path: Path
) -> None:
    folder = write_photographs(tmp_path / "in", "a.jpg", "a.jpeg", "A.webp")
    render = ("render", folder, "--op", "grayscale", "--format", "png", "--out", tmp_path / "out")
    run_darkroom(gateway_url, *render)
    first = {path.name: path.read_bytes() for path in (tmp_path / "out").glob("*.png")}
    assert len(set(first.values())) == len(first) == 3
    write_photographs(folder, "a.gif")
    assert "1 done, 3 kept" in run_darkroom(gateway_url, *render).stdout
    second = {path.name: path.read_bytes() for path in (tmp_path / "out").glob("*.png")}
    assert len(second) == 4
    assert second.items() > first.items()


def test_files_that_are_not_results_are_never_overwritten(gateway_url: str, tmp_path: Path) -> None:
    photo = write_photograph(tmp_path / "a.jpg", seed=next(_seeds))
    before = photo.read_bytes()
    foreign = tmp_path / "b.jpg"
    foreign.write_text("notes")
    other = write_photograph(tmp_path / "in" / "b.jpg", seed=next(_seeds))
    render = ("render", photo, other, "--op", "grayscale", "--out", tmp_path)
    run_darkroom(gateway_url, *render)
    assert photo.read_bytes() == before
    assert foreign.read_text() == "notes"
    assert files_in(tmp_path) == ["a-2.jpg", "a.jpg", "b-2.jpg", "b.jpg", "in/b.jpg"]
    assert "2 kept" in run_darkroom(gateway_url, *render).stdout


def test_a_result_that_is_now_a_source_is_not_overwritten(gateway_url: str, tmp_path: Path) -> None:
    photo = write_photograph(tmp_path / "in" / "a.png", seed=next(_seeds))
    out = tmp_path / "out"
    options = ("--format", "png", "--out", out)
    run_darkroom(gateway_url, "render", photo, "--op", "grayscale", *options)
    result = (out / "a.png").read_bytes()
    run_darkroom(gateway_url, "render", photo, out / "a.png", "--op", "blur:2", *options)
    assert (out / "a.png").read_bytes() == result
    assert files_in(out) == ["a-2.png", "a-3.png", "a.png"]


def test_the_suffix_follows_the_format_of_the_bytes(gateway_url: str, tmp_path: Path) -> None:
    photo = write_photograph(tmp_path / "really-a-jpeg.png", seed=next(_seeds))
    run_darkroom(gateway_url, "render", photo, "--op", "grayscale", "--out", tmp_path / "out")
    assert files_in(tmp_path / "out") == ["really-a-jpeg.jpg"]


def test_failures_are_listed_with_their_reason_and_the_rest_is_rendered(
    gateway_url: str, tmp_path: Path
) -> None:
    folder = write_photographs(tmp_path / "in", "a.jpg", "c.jpg")
    (folder / "b.jpg").write_bytes(b"no image" * 100)
    (folder / "d [red].jpg").write_bytes(b"%PDF-1.7" + bytes(200))
    render = ("render", folder, *GRAY, "--out", tmp_path / "out")
    for done in ("2 done, 0 kept", "0 done, 2 kept"):
        ran = run_darkroom(gateway_url, *render, code=1)
        assert f"{done}, 2 failed" in ran.stdout
        first, second = ran.stderr.splitlines()
        assert {"b.jpg: image_unreadable:" in line for line in (first, second)} == {True, False}
        assert "d [red].jpg: unsupported_format: " in ran.stderr
    assert files_in(tmp_path / "out") == ["a.webp", "c.webp"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_run_continues_and_renders_nothing_twice(
    number: signal.Signals, gateway_url: str, redis_url: str, tmp_path: Path
) -> None:
    for turn, attempt in enumerate(attempts()):
        folder, out = tmp_path / f"in-{turn}", tmp_path / f"out-{turn}"
        for index in range(12):
            write_photograph(folder / f"{index}.jpg", seed=next(_seeds), size=LARGE)
        render = ("render", folder, "--op", "blur:20", "--jobs", "4", "--out", out)
        jobs = count_jobs(redis_url)
        with started(gateway_url, *render) as process:
            assert process.stdout is not None
            assert process.stdout.readline().startswith("done")
            process.send_signal(number)
            _, stderr = process.communicate(timeout=40)
        with attempt:  # a busy machine may have rendered all before the signal
            assert process.returncode == (130 if number is signal.SIGINT else -number)
            assert 1 <= len(files_in(out)) < 12
    if number is signal.SIGINT:
        assert "Run the same command again to continue." in stderr
        assert not [name for name in files_in(out) if name.endswith(".part")]
    ran = run_darkroom(gateway_url, *render)
    assert "0 failed" in ran.stdout
    assert "0 kept" not in ran.stdout
    assert files_in(out) == sorted(f"{index}.jpg" for index in range(12))
    assert count_jobs(redis_url) - jobs == 12


@pytest.mark.parametrize(
    "arguments",
    [
        ("missing.jpg", "--out", "out"),
        (".", "--out", "out"),
        ("a.jpg",),
        ("a.jpg", "--out", "out", "--op", "resize:widht=720"),
        ("a.jpg", "--out", "out", "--gateway", "localhost:8000"),
        ("a.jpg", "--out", "out", "--submitter", "no spaces"),
    ],
)
def test_a_mistake_of_usage_is_reported_before_anything_is_done(
    arguments: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = ("missing.jpg", "a.jpg", "out", ".")
    here = tmp_path / "here"
    here.mkdir()
    if "a.jpg" in arguments:
        write_photograph(here / "a.jpg", seed=1)
    run_darkroom(
        "http://127.0.0.1:9", "render", *(here / a if a in paths else a for a in arguments), code=2
    )
    assert not (here / "out").exists()
