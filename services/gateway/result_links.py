"""A job's results as clients see them: links to images, in place of the keys of blobs."""

from typing import Annotated

from pydantic import Field

from contracts.errors import Code
from contracts.jobs import Job
from contracts.message import Message


class ResultProblem(Message):
    """The failure of one variant."""

    code: Annotated[
        Code, Field(description="The kind of failure. The page `/guide/errors/{code}` explains it.")
    ]
    detail: Annotated[str, Field(description="Explanation for people.")]


class ResultLink(Message):
    """The result of one variant: a link to its image, or the problem that it ended in."""

    href: Annotated[str | None, Field(description="Address of the image.")] = None
    media_type: Annotated[str | None, Field(description="Media type of the image.")] = None
    bytes: Annotated[int | None, Field(description="Size in bytes.")] = None
    width: Annotated[int | None, Field(description="Width in pixels.")] = None
    height: Annotated[int | None, Field(description="Height in pixels.")] = None
    problem: Annotated[
        ResultProblem | None, Field(description="The failure; null after a success.")
    ] = None


def links_of(job: Job, prefix: str) -> tuple[ResultLink, ...]:
    """Return a link for each variant that has ended, in the order of the variants.

    `prefix` begins the addresses: that of the request, or `DARKROOM_ROOT_PATH` without one.
    """
    links = []
    for index, result in enumerate(job.results):
        if result.blob is None:
            failure = result.problem
            assert failure is not None
            links.append(
                ResultLink(problem=ResultProblem(code=failure.code, detail=failure.detail))
            )
        else:
            links.append(
                ResultLink(
                    href=f"{prefix}/v1/jobs/{job.id}/results/{index}",
                    media_type=result.blob.media_type,
                    bytes=result.blob.bytes,
                    width=result.width,
                    height=result.height,
                )
            )
    return tuple(links)
