"""The overview of the benchmarks: what each measures, and the commit of its results."""

from docs.generate.benchmarks.results import results
from docs.generate.markdown import table

_LISTED = {
    "rpc": (
        "[Calls](calls.md)",
        "round trips between two processes",
        "FastStream, taskiq, arq, Celery, NATS, plain redis-py",
        "`make bench-rpc`",
    ),
    "jobs": (
        "[Jobs](jobs.md)",
        "durable jobs with a small render",
        "taskiq, arq, Celery",
        "`make bench-jobs`",
    ),
    "imaging": (
        "[Renders](renders.md)",
        "whole image servers over HTTP",
        "ipx (sharp), thumbor",
        "`make bench-imaging`",
    ),
    "srcset": (
        "[Sizes at once](sizes.md)",
        "five sizes of one image, asked for at once",
        "the same sizes one after another",
        "`make bench-srcset`",
    ),
    "gateway": (
        "[Publishing](publishing.md)",
        "the cost of a message in an HTTP request",
        "an endpoint without one",
        "`make bench-gateway`",
    ),
    "delivery": (
        "[Delivery](delivery.md)",
        "stored pictures, thumbnails, and a page in Chromium",
        "a bare uvicorn, thumbor, ipx",
        "`make bench-delivery`",
    ),
    "storage": (
        "[Stores](storage.md)",
        "uploads, fetches and renders by where bytes lie",
        "Redis, a disk, S3",
        "`make bench-storage`",
    ),
    "chaos": (
        "[Failures](failures.md)",
        "accepted jobs while processes are killed",
        "",
        "`make chaos`",
    ),
    "attacks": (
        "[Attacks](attacks.md)",
        "the effect of hostile clients and files",
        "version 0.6.0",
        "`make adversary`",
    ),
    "exact": (
        "[Exactness](exact.md)",
        "pixels and protocols, as independent judges see them",
        "sharp, Chromium, FFmpeg, SciPy and others",
        "`make exact`",
    ),
}

_METHOD = """\
Every comparison runs in one go on one machine, with the same work for every system. On a machine of
two shared cores, ratios mean more than absolute figures. Figures are medians of several rounds.
Every second round runs backwards, so that a slow minute of the machine hits different systems."""

_AGAIN = """\
Each command writes its results to `bench/results`. `make generate` then writes these pages and the
README's table. A result names the commit that was measured."""


def page() -> str:
    """Return the page."""
    listed = [(*cells, f"`{results(name).commit}`") for name, cells in _LISTED.items()]
    heads = ["page", "measures", "compared with", "command", "commit"]
    return f"# Benchmarks\n\n{_METHOD}\n\n{table(heads, listed)}\n\n{_AGAIN}"
