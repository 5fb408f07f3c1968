"""What the suite says of itself: workers, queues, metrics."""

import httpx

from tests.e2e.pictures import photograph


def test_the_system_shows_its_workers_and_what_waits_for_them(gateway_url: str) -> None:
    system = httpx.get(f"{gateway_url}/v1/system").json()
    (worker,) = system["workers"].values()
    assert {"host", "pid", "slots", "busy", "started", "pillow", "faststream"} <= set(worker)
    assert system["queues"]["imaging.render:stream"] == {"waiting": 0, "age": 0.0}
    assert "imaging.jobs" in system["queues"]


def test_metrics_count_the_calls(gateway_url: str) -> None:
    httpx.post(f"{gateway_url}/v1/render?op=grayscale&transport=list", content=photograph())
    answer = httpx.get(f"{gateway_url}/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    counted = 'outcome="ok",side="client",transport="list"'
    assert f'darkroom_call_seconds_count{{method="imaging.render",{counted}}}' in answer.text
    assert 'darkroom_queue_age_seconds{address="imaging.jobs"}' in answer.text
