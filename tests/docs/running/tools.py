"""The commands that a page finds first in its PATH: `curl`, `python3` and `darkroom`."""

import shlex
import shutil
import sys
from pathlib import Path

_CURL = """\
#!/bin/bash
# Fail on a status of 400 and more, except on the one in the file `refused`; note each status.
trace=$(mktemp {tools}/trace.XXXXXX)
code=0
{curl} --trace-ascii "$trace" --max-time 30 "$@" || code=$?
statuses=$(grep -aoE '^0000: HTTP/[0-9.]+ [2-5][0-9][0-9]' "$trace" | grep -oE '[0-9]+$')
rm "$trace"
if [[ -z $statuses && $code == 0 && $* == *://* ]]; then
    echo 'This curl tells the test no status. If it has -v, write -i instead.' >&2
    exit 22
fi
for status in $statuses; do
    echo "$status" >> {tools}/statuses
    if (( status >= 400 )) && [[ $status != $(< {tools}/refused) ]]; then
        echo "The answer has the status $status." >&2
        exit 22
    fi
done
exit "$code"
"""

_PYTHON3 = """\
#!/bin/bash
exec {python} "$@"
"""

_DARKROOM = """\
#!/bin/bash
PYTHONPATH={checkout} exec {python} -m darkroom "$@"
"""


class Tools:
    """A folder of commands. Its curl notes each status, and fails on 400 and more."""

    def __init__(self, folder: Path, checkout: Path) -> None:
        """Write the commands; `darkroom` is the one of the checkout."""
        self.folder = folder
        folder.mkdir()
        curl = shutil.which("curl")
        assert curl, "the documents' commands need curl"
        # Not the one of the virtual environment: a reader's `python3` has no packages.
        python3 = Path(sys.base_prefix, "bin", "python3")
        for name, text in {
            "curl": _CURL.format(curl=curl, tools=_quoted(folder)),
            "python3": _PYTHON3.format(python=_quoted(python3)),
            "darkroom": _DARKROOM.format(
                checkout=_quoted(checkout), python=_quoted(sys.executable)
            ),
        }.items():
            (folder / name).write_text(text)
            (folder / name).chmod(0o755)

    def begin(self, refused: str = "") -> None:
        """Forget the statuses of the last block; `refused` is the status that the next one gets."""
        (self.folder / "statuses").write_text("")
        (self.folder / "refused").write_text(refused)

    def last_status(self) -> str | None:
        """Return the status of the block's last request, or None if there was none."""
        statuses = (self.folder / "statuses").read_text().split()
        return statuses[-1] if statuses else None


def _quoted(path: str | Path) -> str:
    return shlex.quote(str(path))
