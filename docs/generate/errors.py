"""The pages of the errors: a table of all codes, and a page for each code."""

import inspect
import json
from http import HTTPStatus

from contracts.errors import Code, Failure
from contracts.retries import REPLAYABLE, TRANSIENT
from docs.generate.advice import ADVICE, Advice, Example
from docs.generate.markdown import table
from services.gateway.http import problems

CORRELATION_ID = "7d3c0f7a5ce34c1f9a4a0f2b7d1e6c58"
"""Stands in the problem documents of the guide; each real answer has an id of its own."""

_INDEX = """\
# Errors

Every error is a problem document: JSON with a `code`, which never changes, and a `type`, which
opens the page of the code. The `code` decides what to do. The table says whether it makes sense to
send the same request again.

<div class="codes">

{codes}

</div>

## A problem document

A refused request gets an answer with the media type `application/problem+json` (RFC 9457):

{example}

{members}

A job that failed has no problem document of its own: its record has `code` and `detail` in the
member `problem`. [Why did a job fail?](../guides/failed-jobs.md) says how to find out more.

## The correlation id

The correlation id leads from an answer to the logs. Search the logs of gateway and workers for the
id: the lines about a request have it in the member `correlation_id`.

- Every answer has the id in the header `X-Correlation-ID`; an error also has it in the document.
- A request may bring its own id in the header `X-Correlation-ID`: up to 128 letters, digits and
  `._-`. The gateway keeps such an id, and replaces any other.
- The gateway logs `refused` with the code, the detail and the path. The exceptions are an unknown
  address, a method that is not allowed, and a parameter of a wrong type: the gateway logs nothing
  for them. `redis failed` means that Redis did not answer, and `unhandled` a fault, with its
  traceback.
- A job goes on after its request. The lines about a job have its id in the member `job`.

## Errors of the command line

The command `darkroom` prints `code: detail`. Besides the codes above it has six of its own:

{own}

## See also

- [Why did a job fail?](../guides/failed-jobs.md)
- [Redis outages](../explain/when-redis-is-away.md)

```{{toctree}}
:hidden:

{pages}
```
"""

_PAGE = """\
# `{code}`: {title}

{meaning}

{facts}

## What to do

**As the client.** {client}

**As the operator.** {operator}

## When it happens

{causes}

## Try it

{example}

## See also

{links}
"""

_MEMBERS = (
    ("type", "The page of the code, as the path of a URL. A client resolves it against the URL of "
     "its request (RFC 3986). `--root-path` of the gateway puts the prefix of a proxy before "
     "it. No other link, such as `Location`, gets this prefix."),
    ("title", "The code in words. It is the same for every request."),
    ("status", "The HTTP status of the answer."),
    ("detail", "The cause, for people. The text may change; don't parse it."),
    ("code", "The name of the error, for programs. A code never changes its meaning."),
    ("correlation_id", "The id of this request in the logs."),
)  # fmt: skip

_OF_THE_COMMAND = (
    ("`unreachable`", "The connection failed, or the answer was cut off.",
     "Check `--gateway`, and that the gateway runs."),
    ("`late`", "The job has not ended within `--patience`; it continues.",
     "Run the command again: it finds the same job."),
    ("`cancelled`", "Someone has cancelled the job.", "Run the command again."),
    ("`not_understood`", "The answer is not one of a gateway.", "Check `--gateway`."),
    ("`http_` and a status", "A proxy has answered instead of the gateway.",
     "Read the proxy's log."),
    ("`file`", "A file can't be read or written.", "Read the detail: it names the file."),
)  # fmt: skip


def pages() -> dict[str, str]:
    """Return the index and one page per code. Raises LookupError for a code without advice."""
    for code in Code:
        if code not in ADVICE:
            raise LookupError(f"{code} has no advice: add an entry to docs/generate/advice/")
    return {"errors/index.md": _index()} | {f"errors/{code}.md": _page(code) for code in Code}


def document(code: Code, detail: str) -> str:
    """Return a problem document as JSON, as the gateway writes it, on several lines."""
    answer = problems.problem(Failure(code=code, detail=detail), {})
    return json.dumps(json.loads(bytes(answer.body)) | {"correlation_id": CORRELATION_ID}, indent=2)


def _index() -> str:
    shown = ADVICE[Code.IMAGE_UNREADABLE].example
    assert shown is not None
    return _INDEX.format(
        codes=table(
            ("code", "status", "title", "retry"),
            [
                (f"[`{code}`]({code}.md)", _statuses(code), problems.TITLES[code], _retry(code))
                for code in Code
            ],
        ),
        example=_json(document(Code.IMAGE_UNREADABLE, shown.detail)),
        members=table(
            ("member", "meaning"), [(f"`{name}`", meaning) for name, meaning in _MEMBERS]
        ),
        own=table(("code", "meaning", "what to do"), _OF_THE_COMMAND),
        pages="\n".join(Code),
    )


def _page(code: Code) -> str:
    advice = ADVICE[code]
    facts = [
        ("HTTP status", _statuses(code)),
        ("retry of the same request", _retry(code)),
        ("`Retry-After`", _retry_after(code)),
        ("in a job", _in_a_job(code, advice)),
    ]
    links = ["- [All errors](index.md)"]
    if advice.ends_variants:
        links.append("- [Why did a job fail?](../guides/failed-jobs.md)")
    links.append("- [Settings](../reference/settings.md)")
    return _PAGE.format(
        code=code,
        title=problems.TITLES[code],
        meaning=_meaning(code),
        facts=table(("", ""), facts),
        client=advice.client,
        operator=_after_a_label(advice.operator),
        causes=table(
            ("cause", "raised in"),
            [
                (cause.when, ", ".join(f"`{file}`" for file in cause.files))
                for cause in advice.causes
            ],
        ),
        example=_example(code, advice.example),
        links="\n".join(links),
    )


def _meaning(code: Code) -> str:
    """Return the first paragraph of the docstring of the code's exception."""
    kind = type(Failure(code=code, detail="").error())
    return " ".join((inspect.getdoc(kind) or "").partition("\n\n")[0].split())


def _statuses(code: Code) -> str:
    others = problems.OTHER_STATUSES.get(code, ())
    return ", ".join(str(status.value) for status in (problems.STATUS[code], *others))


def _is_503(code: Code) -> bool:
    return problems.STATUS[code] is HTTPStatus.SERVICE_UNAVAILABLE


def _retry_after(code: Code) -> str:
    if code is Code.QUOTA_EXCEEDED:
        return "with the quota of a day"
    return "always" if _is_503(code) or code is Code.RATE_LIMITED else "not sent"


def _retry(code: Code) -> str:
    if _retry_after(code) != "not sent":
        return "after `Retry-After`"
    if code in TRANSIENT:
        return "yes"
    return "after a repair" if code in REPLAYABLE else "no"


def _in_a_job(code: Code, advice: Advice) -> str:
    if not advice.ends_variants:
        return "no job fails with this code"
    if code in TRANSIENT:
        return (
            "a worker tries the variant up to `DARKROOM_JOB_ATTEMPTS` times; then the job becomes "
            "a dead letter, unless another variant succeeds"
        )
    if code in REPLAYABLE:
        return "the job becomes a dead letter at once, unless another variant succeeds"
    return "the variant fails at once, without a retry and without a dead letter"


def _after_a_label(text: str) -> str:
    """Return a text to follow a label; a list begins a paragraph of its own."""
    return f"\n\n{text}" if text.startswith("1. ") else text


def _example(code: Code, example: Example | None) -> str:
    if example is None:
        return (
            "No request is known to provoke this error: each one would be a fault to repair. The "
            "answer of the gateway looks like this:\n\n"
            + _json(document(code, "The log has the details, under this correlation id."))
        )
    refused = f"<!-- refused: {problems.STATUS[code].value} -->\n{_sh(example.commands)}"
    answer = f"<!-- answer except: correlation_id -->\n{_json(document(code, example.detail))}"
    parts = [refused, "The answer:", answer]
    if example.start:
        running = f"<!-- keeps running: {example.ready} -->\n{_sh(example.start)}"
        parts = [
            example.starting,
            running,
            "Then run, in a second terminal:",
            *parts,
        ]
    return "\n\n".join(parts)


def _sh(commands: str) -> str:
    return f"```sh\n{commands}\n```"


def _json(text: str) -> str:
    return f"```json\n{text}\n```"
