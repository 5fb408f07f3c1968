"""Use a gateway with the client that openapi-python-client has made; print a line of JSON a step.

Runs in the environment of the generator, in the folder of the package `generated`.
"""

import json
import sys
import time
from io import BytesIO
from pathlib import Path

sys.path.insert(0, ".")

from generated import AuthenticatedClient, models
from generated.api.images import render_an_uploaded_image, upload_an_image
from generated.api.jobs import get_a_job, list_the_results_of_a_job, submit_a_job
from generated.types import File

gateway, key, picture = sys.argv[1:]


def _step(name: str, done: bool) -> None:
    difference = None if done else "The answer is not what the document says."
    sys.stdout.write(json.dumps({"case": name, "difference": difference}) + "\n")


with AuthenticatedClient(gateway, token=key, httpx_args={"trust_env": False}) as client:
    body = File(BytesIO(Path(picture).read_bytes()))
    uploaded = upload_an_image.sync(client=client, body=body, label="a room")
    _step("upload", isinstance(uploaded, models.Uploaded))

    rendered = render_an_uploaded_image.sync(
        uploaded.id,
        client=client,
        op=["resize:width=20", "grayscale"],
        format_=models.RenderAnUploadedImageFormatType0.WEBP,
        quality=70,
    )
    _step("render", isinstance(rendered, File) and rendered.payload.read(4) == b"RIFF")

    new = models.NewJob.from_dict(
        {
            "source": {"image": uploaded.id},
            "variants": [
                {"operations": [{"op": "resize", "width": 20}], "output": {"format": "png"}}
            ],
        }
    )
    job = submit_a_job.sync(client=client, body=new)
    _step("submit", isinstance(job, models.Job))

    until = time.monotonic() + 20
    while time.monotonic() < until:
        job = get_a_job.sync(job.id, client=client)
        if job.state not in (models.JobState.QUEUED, models.JobState.RUNNING):
            break
        time.sleep(0.05)
    results = list_the_results_of_a_job.sync(job.id, client=client)
    _step("wait", isinstance(results, models.Results) and len(results.results) == 1)

    refused = render_an_uploaded_image.sync(uploaded.id, client=client, op=["resize:widht=20"])
    _step(
        "problem",
        isinstance(refused, models.Problem) and refused.code is models.Code.INVALID_OPERATION,
    )
