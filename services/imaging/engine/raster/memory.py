"""Check of memory, for libraries that abort the process when an allocation fails."""

import mmap


def check_memory(size: int) -> None:
    """Raise MemoryError if `size` bytes can't be allocated now: some libraries would abort."""
    try:
        mmap.mmap(-1, size).close()
    except OSError as exc:
        raise MemoryError(f"{size} bytes are not available.") from exc
