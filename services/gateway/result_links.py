"""A job's results as clients see them: links to images, in place of the keys of blobs."""

from typing import Literal

from contracts.jobs import Job
from contracts.message import Message


class ResultLink(Message):
    """The result of one variant: a link to its image, or the problem that it ended in."""

    href: str | None = None
    media_type: str | None = None
    bytes: int | None = None
    width: int | None = None
    height: int | None = None
    problem: dict[Literal["code", "detail"], str] | None = None


def links_of(job: Job) -> tuple[ResultLink, ...]:
    """Return a link for each variant that has ended, in the order of the variants."""
    links = []
    for index, result in enumerate(job.results):
        if result.blob is None:
            failure = result.problem
            assert failure is not None
            links.append(ResultLink(problem={"code": failure.code, "detail": failure.detail}))
        else:
            links.append(
                ResultLink(
                    href=f"/v1/jobs/{job.id}/results/{index}",
                    media_type=result.blob.media_type,
                    bytes=result.blob.bytes,
                    width=result.width,
                    height=result.height,
                )
            )
    return tuple(links)
