"""The pages of the errors: one for each code, true of the code base, opened by a problem's type."""

import ast
import json
import re
from collections import defaultdict
from collections.abc import Iterator

import httpx
import pytest
from fastapi import FastAPI

from contracts.errors import Code, Failure, ServiceError
from docs.generate import advice, errors
from services.gateway.http import error_handlers
from services.gateway.routes import guide
from tests.processes import HTTP, ROOT

ERRORS = {kind.__name__: kind.code for kind in ServiceError.__subclasses__()}


def test_every_code_has_a_page_and_a_row_in_the_index() -> None:
    pages = errors.pages()

    assert set(pages) == {"errors/index.md", *(f"errors/{code}.md" for code in Code)}
    assert all(f"[`{code}`]({code}.md)" in pages["errors/index.md"] for code in Code)


def test_a_code_without_advice_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(advice.ADVICE, Code.GONE)

    with pytest.raises(LookupError, match=r"gone has no advice: add an entry to .*/advice/"):
        errors.pages()


def names_of_errors(tree: ast.AST) -> Iterator[str]:
    """Yield the names of the errors that a module makes, or chooses between."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name(id=name)) if name in ERRORS:
                yield name
            case ast.IfExp(body=ast.Name(id=one), orelse=ast.Name(id=other)):
                yield from {one, other} & set(ERRORS)


def test_the_causes_of_a_code_name_every_file_that_raises_it_and_no_other() -> None:
    raised = defaultdict(set)
    for package in ("contracts", "services"):
        for path in (ROOT / package).rglob("*.py"):
            for name in names_of_errors(ast.parse(path.read_text("utf-8"))):
                raised[ERRORS[name]].add(str(path.relative_to(ROOT)))

    for code in Code:
        named = {file for cause in advice.ADVICE[code].causes for file in cause.files}
        assert named == raised[code], code


def test_the_guide_to_failed_jobs_has_a_row_for_each_code_that_ends_a_variant() -> None:
    text = (ROOT / "docs" / "guides" / "failed-jobs.md").read_text("utf-8")

    rows = set(re.findall(r"^\| \[`(\w+)`\]\(\.\./errors/\1\.md\) ", text, re.MULTILINE))

    assert rows == {code for code, entry in advice.ADVICE.items() if entry.ends_variants}


async def test_the_page_of_an_internal_error_shows_the_answer_after_an_unknown_exception() -> None:
    app = FastAPI()
    error_handlers.install_error_handlers(app)

    @app.get("/")
    async def broken() -> None:
        raise ZeroDivisionError

    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
        answer = await client.get("/")

    (shown,) = re.findall("```json\n(.*?)\n```", errors.pages()["errors/internal.md"], re.DOTALL)
    assert answer.json() | {"correlation_id": errors.CORRELATION_ID} == json.loads(shown)


def heading_of(page: str) -> str:
    """Return the text of the first heading, with straight quotation marks."""
    text = re.sub("<[^>]+>", "", page.partition("<h1>")[2].partition("</h1>")[0])
    return text.replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")


@pytest.mark.skipif(not guide._GUIDE.is_dir(), reason="the guide is not built: make docs")
async def test_the_type_of_a_refusal_opens_the_page_of_its_code() -> None:
    app = FastAPI()
    error_handlers.install_error_handlers(app)
    guide.mount_guide(app)

    @app.get("/refused/{code}")
    async def refuse(code: Code) -> None:
        raise Failure(code=code, detail="Refused.").error()

    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(
        transport=transport, base_url="http://here", follow_redirects=True
    ) as client:
        for code in Code:
            refused = await client.get(f"/refused/{code}")
            page = await client.get(refused.url.join(refused.json()["type"]))
            assert page.status_code == 200, code
            assert f"{code}: {refused.json()['title']}" in heading_of(page.text)


@pytest.mark.skipif(not guide._GUIDE.is_dir(), reason="the guide is not built: make docs")
def test_a_running_gateway_serves_the_page_of_a_refusal(gateway_url: str) -> None:
    refused = HTTP.get(f"{gateway_url}/v1/jobs/{'0' * 32}")

    page = HTTP.get(refused.url.join(refused.json()["type"]), follow_redirects=True)

    assert page.status_code == 200
    assert "not_found" in page.text
