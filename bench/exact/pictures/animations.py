"""All animations of this package."""

from collections.abc import Iterator
from itertools import chain

from bench.exact.pictures.animated import avif, gif, png, webp
from bench.exact.pictures.scene import Picture


def animations() -> Iterator[Picture]:
    """Yield the files, each with a name of its own."""
    return chain.from_iterable(module.animations() for module in (avif, gif, png, webp))
