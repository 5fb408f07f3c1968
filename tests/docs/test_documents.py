"""Copies of the checkout."""

import os
import shutil
from pathlib import Path

from tests.docs.documents import restore_checkout
from tests.processes import ROOT


def test_a_file_that_was_written_to_through_a_link_is_restored(tmp_path: Path) -> None:
    copy, link = tmp_path / "copy", tmp_path / "link"
    (copy / "docs").mkdir(parents=True)
    for name in ("README.md", "docs/conf.py"):
        shutil.copy2(ROOT / name, copy / name)
    os.link(copy / "docs/conf.py", link)
    link.write_text("changed")
    link.unlink()

    restore_checkout(copy)

    for name in ("README.md", "docs/conf.py"):
        assert (copy / name).read_bytes() == (ROOT / name).read_bytes()
