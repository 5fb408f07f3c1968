"""Render later: accepted at once, done by some worker, looked up or pushed when it has ended."""

from typing import Annotated, Literal

from fastapi import APIRouter, Path, Request, Response
from pydantic import Field, ValidationError

from contracts.errors import InvalidOperation, InvalidRequest, NotFound, ServiceError
from contracts.imaging import Blob, BlobKey
from contracts.jobs import MAX_VARIANTS, OPEN_STATES, Job, JobState, Variants
from contracts.message import Message
from contracts.notation import explain
from services.gateway.dependencies import AskedPipeline, Collaborators, Here
from services.gateway.openapi import IMAGE_ANSWER, IMAGE_CONTENT, PROBLEMS
from services.gateway.renditions import IMMUTABLE, resource_response
from services.gateway.uploads import media_type

router = APIRouter(tags=["later"], responses=PROBLEMS)

JobIdHere = Annotated[str, Path(pattern=r"^[0-9a-f]{32}$", description="The job's id.")]

_RETRY_AFTER = "1"


class ImageSource(Message):
    """An image that was uploaded."""

    image: Annotated[BlobKey, Field(description="Its id.")]


class NewJob(Message):
    """What a job is to do."""

    source: ImageSource
    variants: Variants


class ResultLink(Message):
    """One variant's outcome: where the image is, or why there is none."""

    href: str | None = None
    media_type: str | None = None
    bytes: int | None = None
    width: int | None = None
    height: int | None = None
    problem: dict[Literal["code", "detail"], str] | None = None


class Results(Message):
    """The outcomes of a job, in the order of its variants."""

    job: str
    results: tuple[ResultLink, ...]


_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": {"$ref": "#/components/schemas/NewJob"}},
            **IMAGE_CONTENT,
        },
    }
}


@router.post("/v1/jobs", status_code=202, response_model=Job, openapi_extra=_BODY)
async def submit(request: Request, here: Here, pipeline: AskedPipeline) -> Response:
    """Accept a job: JSON that names an image and its variants, or an image with `?op=`."""
    source, variants = await _asked(request, here, (pipeline,))
    return _pending(await here.jobs.submit(source, variants))


@router.get("/v1/jobs/{job_id}", response_model=Job)
async def status(job_id: JobIdHere, here: Here) -> Response:
    """Where a job stands: 202 while it is open, 302 to what it gave, 200 when it failed."""
    job = await _found(job_id, here)
    if job.state in OPEN_STATES:
        return _pending(job)
    if job.state is JobState.FAILED:
        return _json(job)
    single = len(job.variants) == 1
    results = f"/v1/jobs/{job.id}/results"
    return _json(job, 302, {"Location": f"{results}/0" if single else results})


@router.get("/v1/jobs/{job_id}/results", response_model=Results)
async def results(job_id: JobIdHere, here: Here) -> Response:
    """What a job gave; 202 with the job itself while it is open."""
    job = await _found(job_id, here)
    if job.state in OPEN_STATES:
        return _pending(job)
    return _json(Results(job=job.id, results=_links(job)))


@router.get("/v1/jobs/{job_id}/results/{index}", responses=IMAGE_ANSWER)
async def result(
    job_id: JobIdHere,
    index: Annotated[int, Path(ge=0, lt=MAX_VARIANTS)],
    request: Request,
    here: Here,
) -> Response:
    """The image that a variant gave, or the problem that it ended in."""
    job = await _found(job_id, here)
    if index >= len(job.variants):
        raise NotFound(f"The job has {len(job.variants)} variants; they count from 0.")
    if index >= len(job.results):
        if job.state in OPEN_STATES:
            return _pending(job)
        raise NotFound("The job ended before this variant was done.")
    outcome = job.results[index]
    if outcome.problem is not None:
        raise outcome.problem.error()
    assert outcome.blob is not None
    return await resource_response(request, here.renditions, outcome.blob, IMMUTABLE)


async def _asked(
    request: Request, here: Collaborators, in_query: Variants
) -> tuple[Blob, Variants]:
    if media_type(request) != "application/json":
        stored = await here.uploads.keep(request, ttl=here.settings.image_ttl)
        return stored.blob, in_query
    try:
        asked = NewJob.model_validate_json(await here.uploads.json(request))
    except ValidationError as exc:
        raise _refusal(exc) from exc
    found = await here.images.find(asked.source.image, ttl=here.settings.image_ttl)
    if found is None:
        raise NotFound("There is no image with this id; it may have expired.")
    return found.blob, asked.variants


def _refusal(error: ValidationError) -> ServiceError:
    """The same code as for a query, when what is wrong is what a query could have said."""
    about = {part for item in error.errors(include_input=False) for part in item["loc"]}
    kind = InvalidOperation if about & {"operations", "output"} else InvalidRequest
    return kind(explain(error))


async def _found(job_id: str, here: Collaborators) -> Job:
    job = await here.jobs.get(job_id)
    if job is None:
        raise NotFound("There is no job with this id; its record may have expired.")
    return job


def _links(job: Job) -> tuple[ResultLink, ...]:
    links = []
    for index, outcome in enumerate(job.results):
        if outcome.blob is None:
            failure = outcome.problem
            assert failure is not None
            links.append(ResultLink(problem={"code": failure.code, "detail": failure.detail}))
        else:
            links.append(
                ResultLink(
                    href=f"/v1/jobs/{job.id}/results/{index}",
                    media_type=outcome.blob.media_type,
                    bytes=outcome.blob.bytes,
                    width=outcome.width,
                    height=outcome.height,
                )
            )
    return tuple(links)


def _pending(job: Job) -> Response:
    return _json(job, 202, {"Location": f"/v1/jobs/{job.id}", "Retry-After": _RETRY_AFTER})


def _json(body: Message, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(
        body.model_dump_json(),
        status,
        media_type="application/json",
        headers={"Cache-Control": "no-store", **(headers or {})},
    )
