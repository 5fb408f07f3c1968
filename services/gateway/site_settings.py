"""Settings of a gateway's addresses: host names, other sites' pages, proxies, a path."""

from pydantic import Field

from services.gateway.site_lists import UNIX, HostNames, Origins, PathPrefix, Proxies
from services.runtime.settings import RuntimeSettings


class SiteSettings(RuntimeSettings):
    """Settings of the site. Raises pydantic's ValidationError for a value out of its range."""

    hosts: HostNames | None = Field(
        default=None,
        description="Host names by which clients reach the gateway, such as `images.example.com`."
        " `*.example.com` stands for every name below it, `*` for every name. Loopback names and"
        " the address of the gateway itself always count. Without the setting, a gateway that"
        " listens on loopback accepts no other name, and any other gateway accepts every name.",
    )
    origins: Origins = Field(
        default=(),
        description="Origins of web pages on other sites that may use the gateway, such as"
        " `https://app.example.com`. A page of the gateway itself always may.",
    )
    proxies: Proxies = Field(
        default=("127.0.0.1", "::1", UNIX),
        description="Addresses and networks of your proxies, such as `10.0.0.5,10.1.0.0/16`. Only"
        " from them count `X-Forwarded-For`, `-Proto`, `-Host` and `-Prefix`. `unix` is every Unix"
        " socket, `*` everybody: only where clients can't reach the gateway past the proxy.",
    )
    root_path: PathPrefix = Field(
        default="",
        json_schema_extra={"x-values": "path such as `/images`"},
        description="Path below which clients see the gateway, such as `/images`, if a proxy serves"
        " it there. It begins every address that the gateway gives. The proxy may remove it from"
        " requests or not, and may name another one in `X-Forwarded-Prefix`.",
    )
