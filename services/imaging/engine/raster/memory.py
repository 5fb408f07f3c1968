"""Ask for memory before a library needs it that can't live without."""

import mmap


def check_memory(size: int) -> None:
    """Raise MemoryError if `size` bytes can't be allocated now: some libraries would abort."""
    try:
        mmap.mmap(-1, size).close()
    except OSError as exc:
        raise MemoryError(f"{size} bytes are not available.") from exc
