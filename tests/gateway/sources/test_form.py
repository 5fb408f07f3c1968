"""Forms: the file comes out whole, however the form is cut, and a form has limits."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.exceptions import HTTPException

from contracts.errors import InvalidRequest
from services.gateway.sources.uploads.form import FormFile

TYPE = "multipart/form-data; boundary=b0undary"
FILE = b'Content-Disposition: form-data; name="file"; filename="a.png"\r\n'
# Bytes that begin like the end of a part.
DATA = b"\r\n--b0und\r\n--b0undarx\r\n\r\n--\r\r\n--b0undary0\r\n" * 3


def form(*parts: bytes, end: bytes = b"--b0undary--\r\n") -> bytes:
    return b"".join(b"--b0undary\r\n" + part + b"\r\n" for part in parts) + end


def field(name: str, text: bytes = b"x") -> bytes:
    return f'Content-Disposition: form-data; name="{name}"\r\n\r\n'.encode() + text


def file_of(*chunks: bytes, content_type: str = TYPE) -> bytes:
    parser = FormFile(content_type)
    found = b"".join(piece for chunk in chunks for piece in parser.feed(chunk))
    parser.finish()
    return found


@given(cuts=st.lists(st.integers(0, 500), max_size=20))
def test_the_file_is_the_same_wherever_the_form_is_cut(cuts: list[int]) -> None:
    whole = form(field("note"), FILE + b"\r\n" + DATA, field("other", DATA))
    at = sorted({0, len(whole), *(cut for cut in cuts if cut < len(whole))})

    assert file_of(*(whole[i:j] for i, j in pairwise(at))) == DATA


def test_a_form_in_single_bytes() -> None:
    whole = form(FILE + b"Content-Encoding: identity\r\n\r\n" + DATA)

    assert file_of(*(bytes([byte]) for byte in whole)) == DATA


def test_what_follows_the_end_of_the_form_is_no_part_of_the_file() -> None:
    assert file_of(form(FILE + b"\r\nabc"), b"epilogue", DATA) == b"abc"


@pytest.mark.parametrize(
    "chunk",
    [
        b"",
        form(),
        form(field("file")),
        form(FILE.replace(b'"file"', b'"image"') + b"\r\nabc"),
        form(FILE + b"\r\nabc", end=b""),
        form(FILE + b"\r\nabc", end=b"--b0und"),
        form(b"\r\nabc"),
        form(b"Content-Disposition: form-data\r\n\r\nabc"),
        form(b"Content-Disposition: form-data; filename=a\r\n\r\nabc"),
        form(FILE + b"\r\nabc", FILE + b"\r\nabc"),
        form(*(field(f"field{number}") for number in range(9)), FILE + b"\r\nabc"),
        form(FILE + b"\r\nabc", *(field(f"field{number}") for number in range(9))),
        form(b"X-Y: z\r\n" * 8 + FILE + b"\r\nabc"),
        form(b"X-Y: " + b"z" * 5000 + b"\r\n" + FILE + b"\r\nabc"),
        form(b"no header\r\n\r\nabc"),
        b"no form",
    ],
    ids=[
        *("nothing", "no part", "text", "another field", "no end", "half an end", "no header"),
        *("no name", "a file without name", "two files", "fields before", "fields after"),
        *("many headers", "long header", "bad header", "no form"),
    ],
)
def test_a_form_without_one_whole_file_is_refused(chunk: bytes) -> None:
    with pytest.raises(InvalidRequest):
        file_of(chunk)


def test_eight_fields_and_a_file_are_a_form() -> None:
    fields = [field(f"field{number}", DATA) for number in range(4)]

    assert file_of(form(*fields, FILE + b"\r\nabc", *fields)) == b"abc"


@pytest.mark.parametrize(
    "content_type",
    [
        "multipart/form-data",
        "multipart/form-data; boundary=" + "b" * 1000,
        f"{TYPE}; charset=utf-16",
    ],
)
def test_a_media_type_that_can_not_be_used_is_refused(content_type: str) -> None:
    with pytest.raises(InvalidRequest):
        FormFile(content_type)


def test_a_coding_of_the_file_is_refused_and_that_of_a_field_is_not() -> None:
    with pytest.raises(HTTPException) as refused:
        file_of(form(FILE + b"content-ENCODING: gzip\r\n\r\nabc"))
    assert refused.value.status_code == 415

    note = b"Content-Encoding: gzip\r\n" + field("note")
    assert file_of(form(note, FILE + b"\r\nabc")) == b"abc"
