"""`darkroom-url-1`: the vectors of the guide, positive and negative."""

import json
from pathlib import Path
from typing import Any

import pytest

from contracts.access.signing import Fault, SignatureFault, is_signed, read, secret_of, signature_of
from darkroom.signing import sign

VECTORS = json.loads(
    (Path(__file__).resolve().parents[2] / "docs/downloads/darkroom-url-1.json").read_text("utf-8")
)
KEYS = {kid: secret_of(text) for kid, text in VECTORS["keys"].items()}


def named(kind: str) -> pytest.MarkDecorator:
    """Return a parameter for each vector of a kind, with the vector's name."""
    return pytest.mark.parametrize(
        "vector", [pytest.param(one, id=one["name"]) for one in VECTORS[kind]]
    )


def verify(path: str, query: str, now: float) -> str:
    """Verify as a gateway does; return what is asked. Raises SignatureFault."""
    signable = read(path.encode(), query.encode())
    secret = KEYS.get(signable.kid)
    if signable.sig is not None and secret is None:
        raise SignatureFault(Fault.KEY_ID, signable.kid)
    if secret is None or not is_signed(signable, secret):
        raise SignatureFault(Fault.SIGNATURE, "")
    signable.check_expiry(now)
    return signable.query


@named("signed")
def test_a_signed_url_has_this_message_and_this_signature(vector: dict[str, str]) -> None:
    signable = read(vector["path"].encode(), vector["query"].encode())

    assert signable.message == vector["message"].encode()
    assert signature_of(signable.message, KEYS[signable.kid]) == vector["sig"]
    asked = verify(vector["path"], f"{vector['query']}&sig={vector['sig']}", 1_790_000_000)
    assert asked == vector["asked"]


@named("refused")
def test_a_wrong_url_is_refused_for_its_fault(vector: dict[str, Any]) -> None:
    with pytest.raises(SignatureFault) as refused:
        verify(vector["path"], vector["query"], vector["now"])

    assert refused.value.fault == vector["fault"]


@named("urls")
def test_the_client_signs_a_url(vector: dict[str, Any]) -> None:
    options = vector["options"]

    signed = sign(vector["url"], secret=VECTORS["keys"][options["kid"]], **options)

    assert signed == vector["signed"]
    base, _, query = signed.partition("?")
    path = base[base.index("/v1/") :]
    verify(path, query, options["now"])


@named("unsignable")
def test_the_client_refuses_to_sign(vector: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"."):
        sign(vector["url"], secret=VECTORS["keys"]["web-1"], **vector["options"])


@pytest.mark.parametrize(
    ("path", "query"),
    [
        (b"/v1", b"op=text:text=" + b"a" * 8192 + b"&kid=web-1"),
        (b"/v1", b"op=text:text=" + b":" * 3000 + b"&kid=web-1"),
        (b"/" + b"a" * 1024, b"kid=web-1"),
    ],
)
def test_what_is_too_long_is_refused(path: bytes, query: bytes) -> None:
    with pytest.raises(SignatureFault) as refused:
        read(path, query)

    assert refused.value.fault is Fault.TOO_LONG


def test_a_raw_byte_of_a_query_is_refused() -> None:
    with pytest.raises(SignatureFault) as refused:
        read(b"/v1", "op=text:text=Grüße&kid=web-1".encode())

    assert refused.value.fault is Fault.ENCODING


@pytest.mark.parametrize("text", ["", "0badc0de", "ab" * 65, "zz" * 32, f"{'ab' * 32}\n"])
def test_a_secret_of_another_form_is_refused_without_being_repeated(text: str) -> None:
    with pytest.raises(ValueError, match="hexadecimal digits") as refused:
        sign("/v1?op=grayscale", kid="web-1", secret=text)

    assert not text or text.strip() not in str(refused.value)


def test_urls_of_one_hour_are_the_same() -> None:
    hour = 1_790_002_800
    assert hour % 3600 == 0

    signed = {
        sign("/v1?op=sepia", kid="web-1", secret="ab" * 32, expires=7200, now=now)
        for now in (hour + 1, hour + 1800, hour + 3600)
    }

    assert len(signed) == 1
    assert f"exp={hour + 3 * 3600}" in signed.pop()
