"""The outcomes of a job as clients see them: links to the images instead of where they are kept."""

from typing import Literal

from contracts.jobs import Job
from contracts.message import Message


class ResultLink(Message):
    """One variant's outcome: where the image is, or why there is none."""

    href: str | None = None
    media_type: str | None = None
    bytes: int | None = None
    width: int | None = None
    height: int | None = None
    problem: dict[Literal["code", "detail"], str] | None = None


def links(job: Job) -> tuple[ResultLink, ...]:
    """The outcomes so far, in the order of the variants."""
    found = []
    for index, outcome in enumerate(job.results):
        if outcome.blob is None:
            failure = outcome.problem
            assert failure is not None
            found.append(ResultLink(problem={"code": failure.code, "detail": failure.detail}))
        else:
            found.append(
                ResultLink(
                    href=f"/v1/jobs/{job.id}/results/{index}",
                    media_type=outcome.blob.media_type,
                    bytes=outcome.blob.bytes,
                    width=outcome.width,
                    height=outcome.height,
                )
            )
    return tuple(found)
