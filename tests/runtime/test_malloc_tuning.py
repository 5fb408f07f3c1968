"""The memory allocator of a process with threads."""

import subprocess
import sys

import pytest

# 16 threads have memory at the same time, as those that read and write images do.
PROGRAM = """
import ctypes, sys, threading
from services.runtime.malloc_tuning import tune_malloc
if "tuned" in sys.argv:
    tune_malloc()
all_here = threading.Barrier(16)
def work():
    pieces = [bytes(100_000) for _ in range(10)]
    all_here.wait()
threads = [threading.Thread(target=work) for _ in range(16)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
libc = ctypes.CDLL(None)
libc.fdopen.restype = ctypes.c_void_p
out = libc.fdopen(1, b"w")
libc.malloc_info(0, ctypes.c_void_p(out))
libc.fflush(ctypes.c_void_p(out))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="glibc alone has arenas")
def test_all_threads_share_one_arena() -> None:
    def arenas(*arguments: str) -> int:
        command = [sys.executable, "-c", PROGRAM, *arguments]
        run = subprocess.run(command, capture_output=True, text=True, check=True)
        return run.stdout.count("<heap nr=")

    assert arenas() > 1
    assert arenas("tuned") == 1
