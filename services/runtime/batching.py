"""The runtime's wire and scripts by their earlier names."""

from services.runtime.scripts import Script as Script
from services.runtime.wire import Wire


class Batch(Wire):
    stop = Wire.close


__all__ = ["Batch", "Script"]
