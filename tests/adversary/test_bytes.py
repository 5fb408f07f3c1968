"""Attacks on the memory of the gateway and of Redis: large bodies, slow readers, large results."""

import os
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import httpx
import pytest
from PIL import Image

from services.runtime.redis import keys
from services.runtime.storage.records import Kind
from tests.adversary.conftest import Record
from tests.adversary.watched_gateway import (
    HELD,
    LIMITS,
    MB,
    MIB,
    HealthCheck,
    Suite,
    asking,
    noise,
    rest_of,
    started,
)
from tests.attempts import attempts
from tests.gateway.refusals import assert_problem
from tests.imaging.pictures import encoded
from tests.processes import HTTP, wait_until


@pytest.fixture(scope="module")
def suite() -> Iterator[Suite]:
    """A suite with small limits."""
    yield from started(LIMITS)


@pytest.fixture(scope="module")
def large() -> Iterator[Suite]:
    """A suite with the limits that users have, but for those of one address."""
    yield from started({"DARKROOM_MAX_CONNECTIONS_PER_ADDRESS": "1000"})


def read_slowly(suite: Suite, paths: Sequence[str], *, readers: int, cut_after: float) -> str:
    """Attack with readers that read nothing; return the effect. `paths` are asked in turn."""
    cuts, before = suite.cuts(), suite.memory()
    with ExitStack() as stack:
        sockets = [asking(stack, suite, paths[i % len(paths)]) for i in range(readers)]
        time.sleep(1)
        held = max(0, suite.memory() - before)
        began = time.monotonic()
        one_more = HTTP.get(suite.gateway.url + paths[0])
        took = time.monotonic() - began
        wait_until(lambda: suite.cuts() == cuts + readers, seconds=cut_after)
        most = max(map(rest_of, sockets))

    assert one_more.status_code == 200
    assert took < 5
    assert most < len(one_more.content)
    assert held < readers * HELD + 20 * MB
    return (
        f"{held / MB:.0f} MB; the next reader has its image after {took:.1f} s; "
        f"all others are disconnected"
    )


def test_clients_that_read_nothing_hold_little_and_are_cut(
    suite: Suite, record_attack: Record
) -> None:
    paths = [suite.upload(8 * MB) for _ in range(3)]

    after = read_slowly(suite, paths, readers=40, cut_after=15)

    record_attack("40 clients ask for images of 8 MB and read nothing", "0.37 GB, for ever", after)


@pytest.mark.long
@pytest.mark.timeout(180)
def test_300_clients_that_read_nothing_of_5_mb(large: Suite, record_attack: Record) -> None:
    paths = [large.upload(5 * MB)]

    after = read_slowly(large, paths, readers=300, cut_after=90)

    record_attack(
        "300 clients ask for an image of 5 MB and read nothing", "1.6 GB, for ever", after
    )


@pytest.mark.long
@pytest.mark.timeout(180)
def test_30_clients_that_read_nothing_of_60_mb(large: Suite, record_attack: Record) -> None:
    paths = [large.upload(60 * MB) for _ in range(4)]

    after = read_slowly(large, paths, readers=30, cut_after=90)

    record_attack("30 clients ask for images of 60 MB and read nothing", "2.0 GB, for ever", after)


def test_a_client_that_reads_slowly_gets_all_of_its_image(suite: Suite) -> None:
    """At several times the least rate; the kernel's buffers hold some of the bytes at first."""
    path = suite.upload(7 * MB)
    with ExitStack() as stack:
        sock = asking(stack, suite, path, buffer=1 << 18)
        came, began = 0, time.monotonic()
        sock.settimeout(10)
        while came < 7 * MB - 100_000 and (data := sock.recv(1 << 16)):
            came += len(data)
            time.sleep(0.05)
        took = time.monotonic() - began

    assert came >= 7 * MB - 100_000
    assert took > float(LIMITS["DARKROOM_READER_PATIENCE"])


def test_an_image_that_is_deleted_while_it_is_sent_ends_the_connection(suite: Suite) -> None:
    path = suite.upload(8 * MB)
    with ExitStack() as stack:
        sock = asking(stack, suite, path, buffer=1 << 18)
        assert sock.recv(1000).startswith(b"HTTP/1.1 200")
        suite.redis.delete(keys.blob(Kind.IMAGE, path.rpartition("/")[2]))
        came = rest_of(sock)

    assert came < 7 * MB
    assert "Traceback" not in suite.gateway.output()


def test_answers_beyond_the_limit_of_all_are_refused_and_small_ones_are_not(
    suite: Suite, record_attack: Record
) -> None:
    path, small = suite.upload(8 * MB), suite.upload(20_000)
    with ExitStack() as stack:
        for _ in range(50):
            asking(stack, suite, path)
        answers: list[httpx.Response] = []

        def is_refused() -> bool:
            answers.append(HTTP.get(suite.gateway.url + path))
            return answers[-1].status_code != 200

        wait_until(is_refused, seconds=3, every=0.01)
        refused = answers[-1]
        served = HTTP.get(suite.gateway.url + small)

    assert_problem(refused, 503, "overloaded")
    assert served.status_code == 200
    wait_until(lambda: HTTP.get(suite.gateway.url + path).status_code == 200, seconds=10)
    record_attack(
        "As many clients read nothing as the limit of all answers allows",
        "no limit: 9 MB for each client",
        "503 overloaded for further images of more than 64 KiB, until the clients are cut",
    )


def upload_at_once(suite: Suite, *, bodies: int, size: int, limit: int) -> str:
    """Send different bodies at once, beyond the `limit` of all bodies; return the effect."""
    picture = noise(size)

    def send(number: int) -> int | str:
        # The same pixels and another checksum: another image.
        body = picture[:-4] + number.to_bytes(4)
        answer = httpx.post(f"{suite.gateway.url}/v1/images", content=body, timeout=120)
        return answer.status_code

    for turn, attempt in enumerate(attempts()):
        suite.forget_peak()
        before = suite.memory()
        new = range(turn * bodies, (turn + 1) * bodies)
        with HealthCheck(suite.gateway.url) as health, ThreadPoolExecutor(bodies) as threads:
            statuses = Counter(threads.map(send, new))
        grown = suite.peak() - before

        # In memory are 8 MiB of all bodies, and 256 KiB more of each.
        assert grown < 8 * MIB + bodies * (256 << 10) + 12 * MB
        assert set(statuses) == {201, 503}
        with attempt:
            assert health.longest < 1
    return (
        f"{grown / MB:.0f} MB more at a limit of {limit / MB:.0f} MB; {statuses[201]} stored, "
        f"{statuses[503]} refused; health within {health.longest * 1000:.0f} ms"
    )


@pytest.mark.serial
def test_a_form_chooses_no_slow_codec(suite: Suite, record_attack: Record) -> None:
    """Python decodes Punycode in quadratic time."""
    part = b'--b\r\nContent-Disposition: form-data; name="note"\r\n\r\n'
    for attempt in attempts():
        began = time.monotonic()
        answer = HTTP.post(
            f"{suite.gateway.url}/v1/images",
            content=part + b"x-" + b"9" * 400_000 + b"\r\n--b--\r\n",
            headers={"Content-Type": "multipart/form-data; boundary=b; charset=punycode"},
        )
        took = time.monotonic() - began

        assert "charset" in assert_problem(answer, 422, "invalid_request")
        with attempt:
            assert took < 1
    record_attack(
        "one form with 400 KB of text and `charset=punycode`",
        "the gateway answered nobody for 29 s, and then 500",
        f"refused with 422 after {took * 1000:.0f} ms",
    )


@pytest.mark.serial
def test_uploads_at_once_stay_within_the_limit(suite: Suite, record_attack: Record) -> None:
    limit = int(LIMITS["DARKROOM_MAX_BODIES"])

    after = upload_at_once(suite, bodies=16, size=8 * MB, limit=limit)

    record_attack("16 uploads of 8 MB at once", "0.11 GB at a limit of 32 MB", after)


@pytest.mark.long
@pytest.mark.serial
@pytest.mark.timeout(240)
def test_32_uploads_of_60_mb_at_once(large: Suite, record_attack: Record) -> None:
    after = upload_at_once(large, bodies=32, size=60 * MB, limit=1 << 30)

    record_attack(
        "32 uploads of 60 MB at once",
        "2.0 GB at a limit of 1.1 GB; health after 1.8 s",
        after,
    )


def test_head_fetches_no_bytes(suite: Suite, record_attack: Record) -> None:
    path = suite.upload(8 * MB)
    sent = suite.redis.info("stats")["total_net_output_bytes"]

    for _ in range(10):
        head = HTTP.head(suite.gateway.url + path)
        assert head.status_code == 200
        assert abs(int(head.headers["content-length"]) - 8 * MB) < 100_000

    fetched = suite.redis.info("stats")["total_net_output_bytes"] - sent
    assert fetched < 1 * MB
    record_attack("10 HEADs of an image of 8 MB", "80 MB fetched", f"{fetched / 1000:.0f} kB")


def test_a_result_of_too_many_bytes_is_refused_and_not_stored(
    suite: Suite, record_attack: Record
) -> None:
    """A noisy photograph is much larger without loss."""
    pixels = Image.frombytes("RGB", (1600, 1200), os.urandom(3 * 1600 * 1200))
    photo = encoded(pixels, "JPEG", quality=80)
    path = HTTP.post(f"{suite.gateway.url}/v1/images", content=photo).headers["location"]
    before = suite.redis.info("memory")["used_memory"]

    for angle in range(4):
        address = f"{suite.gateway.url}{path}/render?op=rotate:{90 * angle}&format=tiff"
        assert HTTP.head(address).status_code == 422
        assert "4,000,000 bytes" in assert_problem(HTTP.get(address), 422, "image_too_big")

    grown = suite.redis.info("memory")["used_memory"] - before
    assert grown < 1 * MB
    assert HTTP.get(f"{suite.gateway.url}{path}/render?op=flip&format=jpeg").status_code == 200
    record_attack(
        "Results that are much larger than their source, by HEAD",
        "stored: 227 MB for a photograph of 22 MB, and 11 of them filled Redis",
        f"422 image_too_big; Redis has {max(0, grown) / 1000:.0f} kB more",
    )
