"""The benchmarks' pages: findings computed from `bench/results/*.json`, then the whole report.

No figure is written by hand: a new run of a benchmark changes every sentence that has one.
"""

from typing import Any

from docs.generate.benchmarks import delivery, index
from docs.generate.benchmarks.results import results
from docs.generate.markdown import table

_RPC_OTHERS = {
    "faststream stream": "FastStream with its defaults",
    "taskiq stream": "taskiq",
    "arq sorted set": "arq",
    "celery list": "Celery",
}
_JOB_OTHERS = ("taskiq", "arq", "celery")


def speed() -> str:
    """Return the README's sentence and table of speed."""
    measured_in = [results(name).commit for name in ("rpc", "jobs", "imaging", "delivery")]
    calls = [_calls("darkroom stream", 16), *(_calls(name, 16) for name in _RPC_OTHERS)]
    burst = [_burst("darkroom runtime"), *(_burst(name) for name in _JOB_OTHERS)]
    resized = [_renders(name, "resize") for name in ("darkroom GET", "ipx", "thumbor")]
    named = dict(zip(["FastStream", "taskiq", "arq", "Celery"], calls[1:], strict=True))
    rows = [
        (
            "calls a second over a Redis stream, 16 callers",
            f"**{calls[0]:,.0f}**",
            ", ".join(f"{name} {rate:,.0f}" for name, rate in named.items()),
        ),
        (
            "jobs a second with a small render, 2,000 at once",
            f"**{burst[0]:,.0f}**",
            ", ".join(
                f"{name} {rate:,.0f}"
                for name, rate in zip(["taskiq", "arq", "Celery"], burst[1:], strict=True)
            ),
        ),
        (
            "photographs of 6 megapixels a second to 720 x 588, over HTTP",
            f"**{resized[0]:,.0f}**",
            f"ipx {resized[1]:,.0f}, thumbor {resized[2]:,.0f}",
        ),
        (
            "stored pictures of 13 kB a second, from one process",
            f"**{delivery.rate('darkroom, from memory'):,.0f}**",
            f"thumbor {delivery.rate('thumbor, stored'):,.0f}",
        ),
    ]
    commits = list(dict.fromkeys(measured_in))
    *some, last = commits
    measured = f"commits {', '.join(some)} and {last}" if some else f"commit {last}"
    return (
        f"On two shared cores, Darkroom makes {calls[0] / calls[1]:.1f} times as many calls as "
        f"FastStream with its defaults, does {burst[0] / max(burst[1:]):.1f} times as many jobs as "
        f"the next job queue, and resizes {resized[0] / resized[1]:.1f} times as many photographs "
        f"as ipx (sharp). Measured at {measured}:\n\n" + table(["", "Darkroom", "others"], rows)
    )


def pages() -> dict[str, str]:
    """Return the pages: an overview, and one page per benchmark."""
    return {
        "benchmarks/index.md": index.page(),
        "benchmarks/calls.md": _page("Calls", "rpc", _call_findings(), chart=True),
        "benchmarks/jobs.md": _page("Jobs", "jobs", _job_findings(), chart=True),
        "benchmarks/renders.md": _page("Renders", "imaging", _render_findings()),
        "benchmarks/sizes.md": _page("Sizes at once", "srcset", _srcset_findings(), chart=True),
        "benchmarks/publishing.md": _page(
            "Publishing from a request", "gateway", _publishing_findings(), chart=True
        ),
        "benchmarks/delivery.md": _page("Delivery", "delivery", delivery.findings(), chart=True),
        "benchmarks/storage.md": _page("Stores", "storage", _storage_findings()),
        "benchmarks/failures.md": _page("Failures", "chaos", _failure_findings()),
    }


def _page(title: str, name: str, findings: list[str], *, chart: bool = False) -> str:
    found = results(name)
    target = "chaos" if name == "chaos" else f"bench-{name}"
    lines = [f"# {title}", "", *(f"- {finding}" for finding in findings), ""]
    lines += [f"Measured at commit `{found.commit}`; `make {target}` measures again and writes "]
    lines[-1] += f"`bench/results/{name}.json`, from which this page is generated."
    if chart:
        lines += ["", f"![{title}: the figures of the first table](../../bench/results/{name}.svg)"]
    return "\n".join([*lines, "", "## The whole report", "", found.report()])


def _call_findings() -> list[str]:
    levels = sorted({row["callers"] for row in results("rpc").rows})
    others = ", ".join(f"{name} {_calls(key, 16):,.0f}" for key, name in _RPC_OTHERS.items())
    ours = [f"darkroom {transport}" for transport in ("channel", "list", "stream")]
    failing = [row for row in results("rpc").rows if row["failures"]]
    systems = sorted({row["contender"] for row in failing})
    busy = [level for level in levels if level >= 16]
    plain = [_calls(name, level) / _calls("plain list", level) for name in ours for level in busy]
    cpu = [
        results("rpc").one(contender=name, callers=n)["worker_cpu"] for name in ours for n in busy
    ]
    alone = [f"{_call(name, 1)['p50']:.2f} ms ({name.split()[1]})" for name in ours]
    found = [
        f"With 16 callers over a stream, Darkroom answers {_calls(ours[2], 16):,.0f} calls a "
        f"second; {others}.",
        f"With one caller, half of the calls take at most {', '.join(alone)}; plain redis-py "
        f"{_call('plain list', 1)['p50']:.2f} ms, FastStream "
        f"{_call('faststream stream', 1)['p50']:.2f} ms (stream).",
        f"From 16 callers on, Darkroom makes {_span(plain)} times the calls of plain redis-py. "
        "Concurrent calls share round trips to Redis.",
        f"From 16 callers on, a worker spends {min(cpu):,.0f} to {max(cpu):,.0f} microseconds of "
        "CPU per call.",
        f"Calls failed with: {', '.join(systems)}." if systems else "No call failed.",
    ]
    nats = [row for row in results("rpc").rows if row["contender"].startswith("nats")]
    if nats:
        best = [max(_calls(name, level) for name in ours) for level in levels]
        ratios = [_calls("nats subject", n) / b for n, b in zip(levels, best, strict=True)]
        found.append(
            f"NATS, which is built for such calls, is {_span(ratios)} times as fast as the fastest "
            "of Darkroom's transports. Darkroom needs Redis for its jobs in any case."
        )
    return found


def _job_findings() -> list[str]:
    found = results("jobs")
    ours, http = (found.one(contender=f"darkroom {kind}") for kind in ("runtime", "HTTP"))
    others = [found.one(contender=name) for name in _JOB_OTHERS]
    lines = []
    for size in ours["rates"]:
        best = max(others, key=lambda one: one["rates"][size])
        lines.append(
            f"In a burst of {int(size):,} jobs, Darkroom does {ours['rates'][size]:,.0f} a second, "
            f"{ours['rates'][size] / best['rates'][size]:.2f} times as many as the fastest other "
            f"system ({best['contender']}, {best['rates'][size]:,.0f})."
        )
    lines.append(
        f"Over HTTP, with ends pushed over a WebSocket, it does {http['rates']['2000']:,.0f} a "
        f"second; taskiq behind a FastAPI application of two dozen lines does "
        f"{found.one(contender='taskiq HTTP')['rates']['2000']:,.0f}."
    )
    latencies = ", ".join(
        f"{one['contender']} {one['half_rate'][0]:.1f} ms ({one['half']:,.0f} jobs a second)"
        for one in others
    )
    lines.append(
        f"At half of its maximum rate ({ours['half']:,.0f} jobs a second), half of Darkroom's jobs "
        f"end within {ours['half_rate'][0]:.1f} ms; {latencies}. Darkroom gathers more jobs per "
        "round trip as load grows, which costs latency."
    )
    lines.append(
        f"One job at a time takes {ours['sequential'][0]:.1f} ms (median) and "
        f"{ours['sequential'][1]:.1f} ms (p99)."
    )
    return lines


def _render_findings() -> list[str]:
    lines = []
    cases = list(dict.fromkeys(row["case"] for row in results("imaging").rows))
    for other in ("ipx", "thumbor"):
        ratios = {case: _renders("darkroom GET", case) / _renders(other, case) for case in cases}
        faster = [f"{case} {ratio:.2f}" for case, ratio in ratios.items() if ratio >= 1]
        slower = [f"{case} {ratio:.2f}" for case, ratio in ratios.items() if ratio < 1]
        lines.append(
            f"Results a second, for an uploaded image, as a multiple of {other}'s: "
            f"{', '.join(faster)}." + (f" Slower: {', '.join(slower)}." if slower else "")
        )
    found = results("imaging")
    disturbed = [
        f"{row['contender']} {row['case']}" for row in found.rows if (row["others"] or 0) > 0.2
    ]
    if disturbed:
        lines.append(
            "Other programs used more than a fifth of a core while these were measured, so these "
            f"figures are too low: {', '.join(disturbed)}."
        )
    psnr = {
        name: found.one(contender=name, case="resize")["psnr"]
        for name in ("darkroom GET", "ipx", "thumbor")
    }
    lines.append(
        f"Quality of the resized JPEG, against a Lanczos over all pixels: Darkroom "
        f"{psnr['darkroom GET']:.1f} dB, ipx {psnr['ipx']:.1f}, thumbor {psnr['thumbor']:.1f}."
    )
    pairs = [
        _renders("darkroom GET, one process", case) / _renders("engine, one process", case)
        for case in cases
        if case != "small"
    ]
    lines.append(
        f"With one pool process, HTTP, Redis and the gateway included, the suite reaches "
        f"{_span(pairs)} times the rate of its engine alone, except for the smallest picture."
    )
    lines.append(
        "ipx and thumbor read the picture from a folder and use no store, which decides for very "
        "small pictures. ipx writes larger PNGs."
    )
    return lines


def _srcset_findings() -> list[str]:
    lines = []
    for source in dict.fromkeys(row["source"] for row in results("srcset").rows):
        together, apart, largest = (
            results("srcset").one(source=source, way=way)["cpu"]
            for way in ("five sizes at once", "one after another", "the largest alone")
        )
        lines.append(
            f"{source}: five sizes at once take {together / apart:.2f} of the CPU that they take "
            f"one after another, and {together / largest:.1f} times that of the largest size alone."
        )
    return [
        *lines,
        "Each of the two pool processes decodes the source once. A JPEG is decoded at the scale "
        "that its size needs, and only sizes of the same scale share it.",
    ]


def _publishing_findings() -> list[str]:
    found = results("gateway")
    most = max(row["users"] for row in found.rows)
    base = found.one(endpoint="no-op", users=most)["rate"]
    shares = ", ".join(
        f"{name} {found.one(endpoint=name, users=most)['rate'] / base:.0%}"
        for name in dict.fromkeys(row["endpoint"] for row in found.rows)
        if name != "no-op"
    )
    lost = sum(row["undelivered"] for row in found.rows)
    return [
        f"With {most} users, as a share of an endpoint that publishes nothing: {shares}.",
        f"Records lost in all runs: {lost}.",
    ]


def _storage_findings() -> list[str]:
    found = results("storage")
    lines = found.goals()
    others = max(row["others"] for row in found.rows)
    if others > 0.2:
        lines.append(
            f"Other programs used up to {others:.1f} cores while this was measured, so no rate or "
            "ratio means anything."
        )
    return lines


def _failure_findings() -> list[str]:
    found = results("chaos")
    jobs = sum(row["jobs"] for row in found.rows)
    kills = sum(row["kills"] for row in found.rows)
    stall = max(row["stall"] for row in found.rows)
    return [
        f"Every accepted job ended once: {jobs:,} jobs in {len(found.rows)} scenarios, with "
        f"{kills} kills by SIGKILL.",
        f"The longest time in which no job ended although some were open was {stall:.1f} s.",
        "A short form of each scenario is a test (`tests/e2e/test_chaos.py`).",
    ]


def _call(name: str, callers: int) -> dict[str, Any]:
    return results("rpc").one(contender=name, callers=callers)


def _calls(name: str, callers: int) -> float:
    return float(_call(name, callers)["rate"])


def _burst(name: str) -> float:
    return float(results("jobs").one(contender=name)["rates"]["2000"])


def _renders(name: str, case: str) -> float:
    return float(results("imaging").one(contender=name, case=case)["rate"])


def _span(ratios: list[float]) -> str:
    return f"{min(ratios):.1f} to {max(ratios):.1f}"
