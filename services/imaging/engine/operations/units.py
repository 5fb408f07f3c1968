"""Lengths as a client writes them: in pixels, or in percent of something."""


def pixels(length: float | str, whole: int) -> float:
    """A length of the contracts in pixels, where 100% is `whole`."""
    if isinstance(length, str):
        return float(length.removesuffix("%")) / 100 * whole
    return length
