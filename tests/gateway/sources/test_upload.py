"""Request bodies that are too large, too slow, incomplete, or not an image."""

import itertools
from collections.abc import Iterator

import httpx
import pytest

from tests.gateway.raw import connected, read_response
from tests.gateway.refusals import assert_problem
from tests.imaging.pictures import encoded, png_claiming, scenery
from tests.processes import Service, wait_until

PNG = encoded(scenery(60, 40), "PNG")
FORM_TEXT = b'--b\r\nContent-Disposition: form-data; name="note"\r\n\r\nx-9\r\n--b--\r\n'
LIMIT = 1_000_000  # bytes of a body that the gateway without workers accepts
UPLOADS = ["/v1/render", "/v1/images", "/v1/jobs"]


def endless() -> Iterator[bytes]:
    return itertools.repeat(b"x" * 65_536)


@pytest.mark.parametrize("path", UPLOADS)
@pytest.mark.parametrize("size", [LIMIT + 1, LIMIT + 100_000, 20 * LIMIT])
def test_a_body_over_the_limit_is_refused(no_workers: httpx.Client, path: str, size: int) -> None:
    answer = no_workers.post(path, content=bytes(size))

    assert_problem(answer, 413, "too_large")


@pytest.mark.parametrize("path", UPLOADS)
def test_a_body_of_unknown_length_is_refused_while_it_streams(
    workerless: Service, path: str
) -> None:
    with connected(workerless.url) as sock:
        sock.sendall(f"POST {path} HTTP/1.1\r\nHost: localhost\r\n".encode())
        sock.sendall(b"Transfer-Encoding: chunked\r\n\r\n")
        sent = 0
        for chunk in itertools.islice(endless(), 2 + LIMIT // 65_536):
            sock.sendall(b"10000\r\n" + chunk + b"\r\n")
            sent += len(chunk)

        # The answer arrives before the end of the body.
        answer = read_response(sock)

    assert_problem(answer, 413, "too_large")
    assert sent > LIMIT


def test_a_content_length_over_the_limit_is_refused_before_the_body(workerless: Service) -> None:
    with connected(workerless.url) as sock:
        sock.sendall(
            b"POST /v1/images HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999\r\n\r\n"
        )

        assert_problem(read_response(sock), 413, "too_large")


def test_expect_100_continue_is_answered_with_the_refusal(workerless: Service) -> None:
    with connected(workerless.url) as sock:
        sock.sendall(
            b"POST /v1/images HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9999999\r\n"
            b"Expect: 100-continue\r\n\r\n"
        )

        assert_problem(read_response(sock), 413, "too_large")


def test_a_body_that_stops_arriving_is_a_timeout(workerless: Service) -> None:
    with connected(workerless.url) as sock:
        sock.sendall(
            b"POST /v1/images HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\nhalf"
        )

        assert_problem(read_response(sock), 408, "deadline_exceeded")


def test_a_client_that_disconnects_during_its_upload_is_no_error(workerless: Service) -> None:
    workerless.output()
    with connected(workerless.url) as sock:
        sock.sendall(
            b"POST /v1/images HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n"
            b"X-Correlation-ID: leaver\r\n\r\nhalf"
        )

    wait_until(lambda: '"leaver"' in workerless.output())

    [line] = [line for line in workerless.output().splitlines() if '"leaver"' in line]
    assert "client disconnected" in line
    assert "Traceback" not in line


def test_a_refused_body_no_longer_counts_as_in_memory(workerless: Service) -> None:
    """Ten refused bodies would exceed the limit of all bodies if they still counted."""
    with httpx.Client(base_url=workerless.url, timeout=20) as client:
        for _ in range(10):
            assert client.post("/v1/render", content=bytes(LIMIT + 1)).status_code == 413

        assert_problem(client.post("/v1/render", content=bytes(LIMIT)), 503, "no_workers")


def test_uploads_beyond_the_limit_of_all_bodies_are_refused(workerless: Service) -> None:
    body = bytes(LIMIT)
    head = (
        f"POST /v1/images HTTP/1.1\r\nHost: localhost\r\nContent-Length: {LIMIT}\r\n\r\n".encode()
    )
    with (
        connected(workerless.url) as one,
        connected(workerless.url) as two,
        connected(workerless.url) as three,
        connected(workerless.url) as four,
        connected(workerless.url) as five,
    ):
        sockets = (one, two, three, four, five)
        for sock in sockets:
            sock.sendall(head + body[:-100_000])

        codes = {read_response(sock).json()["code"] for sock in sockets}

    # No body was complete: those within the limit timed out.
    assert codes == {"overloaded", "deadline_exceeded"}


@pytest.mark.parametrize("path", UPLOADS)
def test_an_empty_body_is_refused(no_workers: httpx.Client, path: str) -> None:
    assert "empty" in assert_problem(no_workers.post(path), 422, "invalid_request")
    assert_problem(no_workers.post(path, files={"file": ("a.png", b"")}), 422, "invalid_request")


@pytest.mark.parametrize(
    ("content", "content_type"),
    [
        (b"", "multipart/form-data"),
        (b"--b\r\n\r\n", "multipart/form-data; boundary=b"),
        (b"no part of anything", "multipart/form-data; boundary=b"),
        (b"--b\r\nnonsense\r\n\r\n--b--\r\n", "multipart/form-data; boundary=b"),
        (b"x", "multipart/form-data; boundary="),
        (b"x", "multipart/form-data; boundary=" + "b" * 5000),
        (b"x", "Multipart/Form-Data"),
        (FORM_TEXT, "multipart/form-data; boundary=b; charset=undefined"),
        (FORM_TEXT, "multipart/form-data; boundary=b; Charset=PunyCode"),
    ],
)
def test_a_broken_form_is_refused(
    no_workers: httpx.Client, content: bytes, content_type: str
) -> None:
    answer = no_workers.post("/v1/images", content=content, headers={"Content-Type": content_type})

    assert_problem(answer, 422, "invalid_request")


@pytest.mark.parametrize(
    "files",
    [
        [("image", ("a.png", PNG))],
        [("file", (None, "only text"))],
        [("file", ("a.png", PNG)), ("file", ("b.png", PNG))],
        [("file", ("a.png", PNG)), *((f"field{i}", (None, "x")) for i in range(10_000))],
        [*((f"field{i}", (None, "x")) for i in range(10_000))],
        [("note", (None, "x" * 900_000)), ("note2", (None, "x" * 90_000))],
    ],
    ids=["another field", "text", "two files", "a file and 10,000 fields", "10,000", "long text"],
)
def test_a_form_without_one_file_is_refused(
    no_workers: httpx.Client, files: list[tuple[str, tuple[str | None, bytes]]]
) -> None:
    answer = no_workers.post("/v1/images", files=files)

    assert answer.status_code in (413, 422)
    assert_problem(answer, answer.status_code, answer.json()["code"])


def test_the_media_type_of_a_form_ignores_case(client: httpx.Client) -> None:
    form = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'

    answer = client.post(
        "/v1/images",
        content=form + PNG + b"\r\n--b--\r\n",
        headers={"Content-Type": "Multipart/FORM-DATA; Boundary=b"},
    )

    assert answer.json()["bytes"] == len(PNG)


@pytest.mark.parametrize("content_type", ["text/plain", "image/jpeg", "nonsense", "", "a/b;c=d"])
def test_the_content_type_of_an_image_is_ignored(client: httpx.Client, content_type: str) -> None:
    answer = client.post("/v1/images", content=PNG, headers={"Content-Type": content_type})

    assert answer.json()["media_type"] == "image/png"


@pytest.mark.parametrize("path", ["/v1/render", "/v1/images"])
@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"no image", 422, "image_unreadable"),
        (b"\0" * 1000, 422, "image_unreadable"),
        (PNG[:40], 422, "image_unreadable"),
        (encoded(scenery(20, 20), "QOI"), 415, "unsupported_format"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", 415, "unsupported_format"),
        (png_claiming(30_000, 30_000), 422, "image_too_big"),
        (png_claiming(2**31 - 1, 2**31 - 1), 422, "image_too_big"),
    ],
    ids=["text", "zeros", "cut", "qoi", "svg", "bomb", "huge bomb"],
)
def test_bytes_that_are_no_usable_image_are_refused_with_the_reason(
    client: httpx.Client, path: str, body: bytes, status: int, code: str
) -> None:
    assert_problem(client.post(path, content=body), status, code)


@pytest.mark.parametrize("path", ["/v1/render", "/v1/images", "/v1/jobs"])
def test_a_body_with_a_content_coding_is_refused(client: httpx.Client, path: str) -> None:
    for coding in ("gzip", "BR", "x-other", "identity, gzip"):
        refused = client.post(path, content=PNG, headers={"Content-Encoding": coding})
        assert "Content-Encoding" in assert_problem(refused, 415, "unsupported_media_type")
        assert refused.headers["accept-encoding"] == "identity"
    lines = [("Content-Encoding", "identity"), ("Content-Encoding", "gzip")]
    assert client.post(path, content=PNG, headers=lines).status_code == 415
    for coding in ("identity", "Identity", "", "identity,"):
        taken = client.post(path, content=PNG, headers={"Content-Encoding": coding})
        assert taken.is_success, coding


def test_a_job_in_json_with_a_content_coding_is_refused(client: httpx.Client) -> None:
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    refused = client.post("/v1/jobs", content=b"{}", headers=headers)
    assert_problem(refused, 415, "unsupported_media_type")


@pytest.mark.parametrize(("coding", "status"), [("gzip", 415), ("identity", 200)])
def test_the_coding_of_a_file_in_a_form_counts(
    client: httpx.Client, coding: str, status: int
) -> None:
    part = {"file": ("a.png", PNG, "image/png", {"Content-Encoding": coding})}
    assert client.post("/v1/render", files=part).status_code == status
