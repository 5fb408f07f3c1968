"""The body of a webhook, and its description in the OpenAPI document."""

import json

from fastapi import FastAPI

from contracts.jobs import Job
from services.gateway.webhooks.payload import body_of, documentation


def test_the_body_has_the_label_of_the_job() -> None:
    [example] = Job.model_json_schema()["examples"]
    job = Job.model_validate(example | {"state": "cancelled", "label": "Küche.jpg"})
    assert json.loads(body_of("default", job, ""))["data"]["label"] == "Küche.jpg"


def test_the_document_describes_body_and_headers_of_a_webhook() -> None:
    http = FastAPI()
    http.webhooks.include_router(documentation)

    document = http.openapi()

    described = document["webhooks"]["job-ended"]["post"]
    headers = {each["name"] for each in described["parameters"] if each["required"]}
    assert headers == {"webhook-id", "webhook-timestamp", "webhook-signature"}
    assert "WebhookPayload" in str(described["requestBody"])
    assert not any("422" in each or "Validation" in each for each in described["responses"])
