"""The gateway's settings: webhook secrets are validated, and never shown."""

import base64

import pytest
from pydantic import ValidationError

from services.gateway.settings import GatewaySettings
from tests.gateway.webhooks.signing import SECRET


@pytest.mark.parametrize(
    "secret",
    [
        "",
        "whsec_",
        "whsec_" + base64.b64encode(bytes(23)).decode(),
        "whsec_" + base64.b64encode(bytes(65)).decode(),
        "whsec_" + "%" * 32,
        "whsk_" + base64.b64encode(bytes(32)).decode(),
        SECRET + " " + "whsec_" + "%" * 32,
        base64.b64encode(bytes(32)).decode(),
    ],
)
def test_an_invalid_secret_is_refused_and_not_repeated(
    secret: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DARKROOM_WEBHOOK_SECRET", secret)
    with pytest.raises(ValidationError, match="whsec_ and 24 to 64 bytes") as refused:
        GatewaySettings()
    assert not secret or secret not in str(refused.value).replace("whsec_ and", "")


def test_secrets_are_separated_by_spaces(monkeypatch: pytest.MonkeyPatch) -> None:
    """The new secret and the old one, while receivers change over."""
    monkeypatch.setenv("DARKROOM_WEBHOOK_SECRET", f"{SECRET} {SECRET}")

    assert GatewaySettings().webhook_secrets == [SECRET, SECRET]


def test_no_representation_of_the_settings_has_the_secret(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DARKROOM_WEBHOOK_SECRET", SECRET.rstrip("="))
    settings = GatewaySettings()

    assert settings.webhook_secret is not None
    assert SECRET.rstrip("=") not in repr(settings) + str(settings) + settings.model_dump_json()


def test_a_webhook_lease_must_outlast_its_timeout() -> None:
    with pytest.raises(ValidationError, match="webhook_lease"):
        GatewaySettings(webhook_lease=5, webhook_timeout=5)
