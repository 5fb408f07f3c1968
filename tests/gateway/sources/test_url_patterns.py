"""Patterns of URLs, and the one way in which a URL is written."""

import pytest

from contracts.errors import InvalidRequest
from services.gateway.sources.addresses import find_address
from services.gateway.sources.url_patterns import UrlPattern, parse_url

PHOTOS = "https://img.example.com/photos/*"


@pytest.mark.parametrize(
    ("pattern", "url"),
    [
        (PHOTOS, "https://img.example.com/photos/a/b.jpg"),
        (PHOTOS, "HTTPS://IMG.example.com:443/photos/a.jpg?w=1#top"),
        ("https://img.example.com/*.jpg", "https://img.example.com/a.jpg"),
        ("https://*.example.com/*", "https://a.b.example.com/x"),
        ("https://*/*", "https://anything.example/x"),
        ("http://127.0.0.1:9000/*", "http://127.0.0.1:9000/x"),
        ("https://[2001:db8::1]/*", "https://[2001:db8::1]/x"),
        ("https://xn--mnchen-3ya.example/*", "https://münchen.example/x"),
        ("https://a.example/one.jpg", "https://a.example/one.jpg"),
    ],
)
def test_a_pattern_allows(pattern: str, url: str) -> None:
    assert UrlPattern.parse(pattern).allows(parse_url(url))


@pytest.mark.parametrize(
    ("pattern", "url"),
    [
        (PHOTOS, "http://img.example.com/photos/a.jpg"),
        (PHOTOS, "https://img.example.com:8443/photos/a.jpg"),
        (PHOTOS, "https://img.example.com:0/photos/a.jpg"),
        (PHOTOS, "https://img.example.com.evil.example/photos/a.jpg"),
        (PHOTOS, "https://img.example.com/photos"),
        (PHOTOS, "https://img.example.com/photos/../secret.jpg"),
        (PHOTOS, "https://img.example.com/other?/photos/a.jpg"),
        (PHOTOS, "https://evil.example/https://img.example.com/photos/a.jpg"),
        ("https://img.example.com/*.jpg", "https://img.example.com/a.png"),
        ("https://imgXexample.com/*".lower(), "https://img.example.com/a"),
        ("https://*.example.com/*", "https://example.com/x"),
        ("https://*.example.com/*", "https://evilexample.com/x"),
        ("https://a.example/one.jpg", "https://a.example/one.jpg?w=1"),
        ("https://a.example/one.jpg", "https://a.example/oneXjpg"),
    ],
)
def test_a_pattern_does_not_allow(pattern: str, url: str) -> None:
    assert not UrlPattern.parse(pattern).allows(parse_url(url))


@pytest.mark.parametrize(
    "url",
    [
        "https://img.example.com/photos/%2e%2e/secret.jpg",
        "https://img.example.com/photos/..%2fsecret.jpg",
        "https://img.example.com/photos/%2E/a.jpg",
        "https://img.example.com/photos/..%5csecret.jpg",
        "https://img.example.com/photos/a%00.jpg",
        "https://img.example.com/photos/a%0d%0aX: y",
        "https://img.example.com/photos/a%7f.jpg",
        "https://img.example.com/photos/..;/secret.jpg",
        "https://img.example.com/photos/..;a=1/secret.jpg",
        "https://img.example.com/photos/.;/a.jpg",
        "https://img.example.com/photos/%2e.%3b/secret.jpg",
        "https://img.example.com/photos/%252e%252e/secret.jpg",
        "https://img.example.com/photos/%25252e%25252e%25252fsecret.jpg",
        "https://img.example.com/photos/%252525252525252e/a.jpg",
        "https://img.example.com/photos/a%2fb.jpg",
        "https://img.example.com/photos/a%252fb.jpg",
        "https://img.example.com/photos/a%255cb.jpg",
        "https://img.example.com/photos/a%2500.jpg",
        "https://user:word@img.example.com/photos/a.jpg",
        "https://img.example.com@evil.example/photos/a.jpg",
        "https://img.example.com./photos/a.jpg",
        "ftp://img.example.com/photos/a.jpg",
        "https:///photos/a.jpg",
        "https://img.example.com/" + "a" * 2048,
        "https://[::1/",
    ],
)
def test_a_url_that_could_be_read_in_two_ways_is_refused(url: str) -> None:
    with pytest.raises(InvalidRequest):
        parse_url(url)


@pytest.mark.parametrize(
    "path", ["100%25.jpg", "a%20b;c.jpg", "..a/.b", "a..;/b", "a%3fb", "caf%C3%A9", "a?to=..%2f.."]
)
def test_encoded_names_are_no_way_out_of_a_folder(path: str) -> None:
    assert str(parse_url(f"https://img.example.com/{path}")).endswith(f"/{path}")


@pytest.mark.parametrize("text", ["file:///etc/passwd", "FTP://host/a.jpg", "s3://bucket/a.jpg"])
def test_another_scheme_is_no_name_of_a_source(text: str) -> None:
    with pytest.raises(InvalidRequest, match="A URL begins with https://"):
        find_address(text, {}, "default")


@pytest.mark.parametrize(
    "pattern",
    [
        "img.example.com/*",
        "https://img.example.com",
        "ftp://img.example.com/*",
        "https://IMG.example.com/*",
        "https://img.*.com/*",
        "https://img.example.com:70000/*",
        "https://user@img.example.com/*",
        "https://img.example.com/*?w=1",
        "https://img.example.com/#a",
    ],
)
def test_a_malformed_pattern_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match="write a pattern as https://"):
        UrlPattern.parse(pattern)
