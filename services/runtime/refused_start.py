"""The end of a process that must not start."""

import os
import sys
from typing import NoReturn


def end_process(reason: Exception) -> NoReturn:
    """End this process with exit code 1; the log has the reason.

    At once: nothing was accepted so far. An exception in the start of FastStream's broker would end
    neither the HTTP server nor the process.
    """
    sys.stdout.flush()
    os._exit(1)
