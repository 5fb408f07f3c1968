"""Advice about errors of sources: what may be fetched from them, and how they answer."""

from contracts.errors import Code
from docs.generate.advice.entry import Advice, Cause, Example

_HTTPS = "services/gateway/sources/kinds/https.py"
_START = (
    "mkdir -p /tmp/photos\n"
    'printf \'[sources.site]\\nkind = "folder"\\nroot = "/tmp/photos"\\n\' > /tmp/sources.toml\n'
    "DARKROOM_SOURCES=/tmp/sources.toml make run"
)
_STARTING = "Start a Darkroom with one source, a folder:"

SOURCES: dict[Code, Advice] = {
    Code.SOURCE_REFUSED: Advice(
        causes=(
            Cause(
                "No source of the file `DARKROOM_SOURCES` allows the URL, or the file has no "
                "source of this name, or the source belongs to other projects than that of the "
                "request.",
                ("services/gateway/sources/addresses.py",),
            ),
            Cause(
                "The host of the URL, or of a redirect, has an address that is not public, and the "
                "source has no `allow_private`.",
                (_HTTPS,),
            ),
            Cause(
                "The URL leads to another one that the source does not allow, or to a malformed "
                "one, or through more than three redirects.",
                (_HTTPS,),
            ),
        ),
        client="Name an image that a source allows: a URL that fits one of its patterns, or "
        "`source:path`. Name the URL that the redirect leads to, if that one is allowed.",
        operator="Add the URL to `allow` of a source, or the project to its `projects`, and send "
        "SIGHUP to the gateway: [Images of sources](../guides/sources.md).",
        example=Example(
            "curl -sS 'http://127.0.0.1:8000/v1/fetch?src=https://img.example.com/a.jpg'",
            "No source allows this URL.",
            start=_START,
            starting=_STARTING,
        ),
    ),
    Code.SOURCE_UNAVAILABLE: Advice(
        causes=(
            Cause(
                "The server of the source can't be reached, or its certificate is not valid, or "
                "the connection was lost.",
                (_HTTPS,),
            ),
            Cause(
                "The server answers with another status than 200, 304, 404 or 410, or with a "
                "`Content-Encoding`. `Retry-After` is the one of the server, if it has sent one.",
                (_HTTPS,),
            ),
            Cause(
                "The bucket does not answer, or refuses the credentials or the key, or has sent a "
                "part of the object.",
                ("services/gateway/sources/kinds/s3.py",),
            ),
            Cause(
                "The folder can't be read, or a file was changed while it was read.",
                ("services/gateway/sources/kinds/folder.py",),
            ),
            Cause(
                "The server of the source has failed several times in a row, and is left alone for "
                "a while. "
                "`darkroom_source_open` is 1 then.",
                (),
            ),
        ),
        client="Try again after `Retry-After`. A stale original is used meanwhile, if there is one "
        "and its source allows that.",
        operator="Read `detail`, and `darkroom_source_fetches_total` by source. Ask the server "
        "from the host of the gateway, with `curl`.",
        example=None,
    ),
    Code.SOURCE_TIMEOUT: Advice(
        causes=(
            Cause(
                "The original was not here, from its name to its last byte, within the `timeout` "
                "of its source.",
                ("services/gateway/sources/fetching.py",),
            ),
            Cause("The server of the source does not answer.", (_HTTPS,)),
            Cause(
                "The original was fetched, but not stored in time.",
                ("services/gateway/sources/originals.py",),
            ),
        ),
        client="Try again after `Retry-After`.",
        operator="Raise `timeout` of the source, up to 120 seconds, if its originals are large. If "
        "many are fetched at once, raise its `connections`.",
        example=None,
    ),
}
