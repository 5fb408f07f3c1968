"""Reference of the command `darkroom-store`."""

from docs.generate.command_line import commands, section
from docs.generate.markdown import table
from services.runtime.storage.command.cli import FAILED, INTERRUPTED, LOST, WRONG, app

_PAGE = """\
# The command `darkroom-store`

The command compares, sweeps, rebuilds, moves and copies the store of images. [The
store](../guides/storage.md) is its guide. It takes `REDIS_URL`, `DARKROOM_STORE` and the other
[settings](settings.md#both-services) of the services from the environment, and works while services
run. In a checkout, run it as a module:

```sh
.venv/bin/python -m services.runtime.storage.command --help
```

With the wheel installed, write `darkroom-store` instead. A progress bar is on the error stream, and
only on a terminal.

{commands}

## Exit codes of `darkroom-store`

{codes}
"""

_CODES = (
    ("0", "Done, and nothing is lost or different."),
    (
        str(LOST),
        "Done, and something needs an operator: images are lost or damaged, or objects differ"
        " after a copy.",
    ),
    (str(WRONG), "A wrong option or setting. Nothing was changed."),
    (str(FAILED), "Redis or the store does not answer, or is full. Run the command again."),
    (str(INTERRUPTED), "Interrupted by Ctrl-C. The same command continues where it stopped."),
)


def pages() -> dict[str, str]:
    """Return the page of the command."""
    sections = (section("darkroom-store", name, one) for name, one in commands(app).items())
    page = _PAGE.format(commands="\n\n".join(sections), codes=table(["code", "meaning"], _CODES))
    return {"reference/store-command.md": page}
