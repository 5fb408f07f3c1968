"""The OpenAPI document describes the webhook that receivers get."""

from fastapi import FastAPI

from services.gateway.webhooks.payload import documentation


def test_the_document_describes_body_and_headers_of_a_webhook() -> None:
    http = FastAPI()
    http.webhooks.include_router(documentation)

    document = http.openapi()

    described = document["webhooks"]["job-ended"]["post"]
    headers = {each["name"] for each in described["parameters"] if each["required"]}
    assert headers == {"webhook-id", "webhook-timestamp", "webhook-signature"}
    assert "WebhookPayload" in str(described["requestBody"])
    assert not any("422" in each or "Validation" in each for each in described["responses"])
