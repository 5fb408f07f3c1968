"""Write all generated text files; with `--check`, name the stale ones instead."""

import argparse
import sys
from pathlib import Path

from docs.generate.pages import ROOT, generated, leftovers


def main() -> int:
    """Write or check the files; return 1 if `--check` finds a stale one."""
    parser = argparse.ArgumentParser(prog="docs.generate", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail on a stale file")
    check = parser.parse_args().check
    try:
        current = generated()
    except FileNotFoundError as exc:  # a new operation without its picture
        sys.stderr.write(f"docs.generate: {exc}\n")
        return 1
    stale = [path for path, text in current.items() if _read(path) != text]
    removed = list(leftovers(current))
    if check:
        for path in (*stale, *removed):
            sys.stderr.write(f"{path.relative_to(ROOT)} is stale: run make generate\n")
        return 1 if stale or removed else 0
    for path in stale:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(current[path], "utf-8")
    for path in removed:
        path.unlink()
    return 0


def _read(path: Path) -> str | None:
    return path.read_text("utf-8") if path.exists() else None


if __name__ == "__main__":
    sys.exit(main())
