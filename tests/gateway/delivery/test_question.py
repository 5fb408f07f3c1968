"""The key of a request: header fields that change no answer are no part of it."""

from typing import Any

import pytest

from contracts.access.keys import KeyScope
from services.gateway.access.caller import EVERYBODY, Caller, set_caller
from services.gateway.delivery.question import Question, names_tag, question_of
from tests.gateway.documented import document

PATH = "/v1/images/" + "1" * 64 + "/render"
BROWSER = {
    "host": "images.example.com",
    "connection": "keep-alive",
    "user-agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/140.0.0.0",
    "accept": "image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8",
    "accept-encoding": "gzip, deflate, br, zstd",
    "accept-language": "de-CH,de;q=0.9,en;q=0.8",
    "cache-control": "max-age=0",
    "pragma": "no-cache",
    "dnt": "1",
    "if-modified-since": "Sun, 29 Nov 2026 00:43:55 GMT",
    "origin": "https://example.com",
    "priority": "i",
    "referer": "https://example.com/",
    "sec-ch-ua": '"Chromium";v="140"',
    "sec-fetch-dest": "image",
    "sec-fetch-mode": "no-cors",
    "sec-fetch-site": "cross-site",
    "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    "upgrade-insecure-requests": "1",
    "x-correlation-id": "mine",
    "x-forwarded-for": "192.0.2.1",
    "authorization": "Basic OnNlY3JldA==",
    "cookie": "theme=dark",
}


def asked(
    *headers: tuple[str, str],
    query: str = "op=grayscale",
    path: str = PATH,
    method: str = "GET",
    caller: Caller = EVERYBODY,
) -> Question | None:
    scope: dict[str, Any] = {
        "type": "http",
        "method": method,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers],
    }
    set_caller(scope, caller)
    return question_of(scope)


def test_what_a_browser_sends_beside_its_request_changes_no_key() -> None:
    plain = asked()
    assert plain is not None
    assert asked(*BROWSER.items()) == plain
    assert asked(*BROWSER.items(), method="HEAD") == plain


def test_every_documented_header_field_of_a_render_is_a_part_of_the_question() -> None:
    """A field that routes read either has its place in the key, or leads past the cache."""
    operation = document()["paths"]["/v1/images/{image_id}/render"]["get"]
    names = {one["name"].lower() for one in operation["parameters"] if one["in"] == "header"}
    names.remove("x-correlation-id")  # answers have it from a middleware in front
    assert names >= {"accept", "if-none-match", "range", "prefer"}

    plain = asked(query="format=auto")
    values = {"accept": "image/webp", "cache-control": "no-cache"}
    for name in names:
        assert asked((name, values.get(name, '"1"')), query="format=auto") != plain, name


def test_the_paths_the_queries_and_the_methods_of_other_answers() -> None:
    first = asked()
    assert first is not None
    for other in (asked(query="op=flip"), asked(path=PATH + "/"), asked(query="")):
        assert other is not None
        assert other.key != first.key
    assert asked(path="/v1/jobs") is None
    assert asked(method="POST") is None
    assert asked(method="DELETE") is None


@pytest.mark.parametrize("name", ["Range", "If-Match", "Prefer", "Content-Length"])
def test_requests_of_which_the_cache_knows_too_little_go_to_the_routes(name: str) -> None:
    assert asked((name, "0")) is None


def test_callers_of_a_project_share_answers_and_projects_do_not() -> None:
    def key(caller: Caller) -> object:
        question = asked(caller=caller)
        return question and question.key

    website = Caller(project="website", key="mzxw6ytboi", shared=False)
    assert key(website) == key(Caller(project="website", key="aaaaaaaaaa", shared=False))
    assert key(website) != key(Caller(project="shop", key="mzxw6ytboi", shared=False))
    assert key(website) != key(EVERYBODY)


def test_no_cache_counts_with_the_scope_for_it_alone() -> None:
    def again(*scopes: KeyScope) -> bool:
        question = asked(("cache-control", "no-cache"), caller=Caller(scopes=frozenset(scopes)))
        assert question is not None
        return question.again

    assert again(KeyScope.RENDER, KeyScope.AFRESH)
    assert not again(KeyScope.RENDER)


def test_clients_that_accept_the_same_formats_share_answers() -> None:
    def key(accept: str | None, query: str = "op=flip&format=auto") -> object:
        question = asked(*([("accept", accept)] if accept is not None else []), query=query)
        return question and question.key

    assert key("image/webp,*/*;q=0.8") == key("image/webp, text/html, */*;q=0.5")
    assert key("image/webp") != key("image/avif,image/webp") != key("*/*")
    assert key(None) != key("image/png") != key("image/jpeg")
    assert key("image/webp", "format=webp") == key("image/png", "format=webp")
    assert key("image/webp," + "a" * 1001) == key("image/webp")


def test_tags_are_compared_as_the_routes_do() -> None:
    tag = b'"a"'
    for lines in ((tag,), (b'W/"a"',), (b'"b", "a"',), (b'"b"', tag), (b"*",), (b'W/"b",W/"a"',)):
        assert names_tag(lines, tag), lines
    for lines in ((b'"b"',), (b"a",), (b"",), (b"W/*",)):
        assert not names_tag(lines, tag), lines
