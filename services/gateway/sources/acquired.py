"""An image that is stored, however it came here."""

from dataclasses import dataclass

from services.runtime.storage.records import StoredBlob


@dataclass(frozen=True)
class AcquiredImage:
    """The image of a request, once it is stored."""

    stored: StoredBlob
    file_name: str = ""
    """The name of its file, as a label; empty for an image without a name."""

    @property
    def label(self) -> str:
        """The label of a job for which it was acquired, unless the request names one."""
        return self.file_name or self.stored.label
