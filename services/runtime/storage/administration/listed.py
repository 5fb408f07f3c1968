"""The objects that a sweep has seen in a store, in 8 bytes each."""

from array import array
from bisect import bisect_left

from services.runtime.storage.records import Place

_PARTS = 256  # by the first byte of a digest: each is sorted on its own, which takes little time


class Listed:
    """Places and digests. After the first question nothing can be added any more.

    A digest is known by its first 64 bits: of a million objects, none is taken for another one.
    """

    def __init__(self) -> None:
        self._parts = {place: [array("Q") for _ in range(_PARTS)] for place in Place}
        self._sorted = {place: [False] * _PARTS for place in Place}

    def add(self, place: Place, digest: str) -> None:
        """Add an object."""
        self._parts[place][int(digest[:2], 16)].append(int(digest[:16], 16))

    def has(self, place: Place, digest: str) -> bool:
        """Return whether the object was added."""
        part, number = int(digest[:2], 16), int(digest[:16], 16)
        if not self._sorted[place][part]:
            self._parts[place][part] = array("Q", sorted(self._parts[place][part]))
            self._sorted[place][part] = True
        numbers = self._parts[place][part]
        position = bisect_left(numbers, number)
        return position < len(numbers) and numbers[position] == number
