"""The file in a multipart form, taken out of the form while it arrives."""

from collections.abc import Sequence

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.datastructures import Headers

from contracts.errors import InvalidRequest
from services.gateway.sources.uploads.coding import refuse_coding

_CHARSETS = frozenset({b"utf-8", b"us-ascii", b"iso-8859-1"})
_FILE = b"file"  # the name of the field
_MAX_FIELDS = 8  # beside the file


class FormFile:
    """Parser of a form that has one file, and up to eight other fields, which are dropped.

    A part has eight header fields at most, of 4 KiB each.
    """

    def __init__(self, content_type: str) -> None:
        """Raises InvalidRequest if the media type has no boundary, or a charset beside UTF-8."""
        _, parameters = parse_options_header(content_type)
        if parameters.get(b"charset", b"utf-8").lower() not in _CHARSETS:
            raise InvalidRequest("The form names a `charset`; leave it out, and send UTF-8.")
        if b"boundary" not in parameters:
            raise InvalidRequest("The media type of the form has no `boundary`.")
        self.file_name = ""
        """The name that the form gives the file, once it is parsed; some clients send a path."""
        self._pieces: list[bytes] = []  # of the file, in the chunk that is parsed
        self._has_file = self._is_complete = False
        self._fields = 0
        # Of the part that is parsed:
        self._is_file = False
        self._name, self._value = b"", b""
        self._headers: list[tuple[bytes, bytes]] = []
        try:
            self._parser = MultipartParser(
                parameters[b"boundary"],
                {
                    "on_part_begin": self._begin_part,
                    "on_header_field": self._add_name,
                    "on_header_value": self._add_value,
                    "on_header_end": self._end_header,
                    "on_headers_finished": self._end_headers,
                    "on_part_data": self._add_data,
                    "on_part_end": self._end_part,
                },
            )
        except FormParserError as exc:
            raise InvalidRequest("The `boundary` of the form is too long.") from exc

    def feed(self, chunk: bytes) -> Sequence[bytes]:
        """Parse the next bytes of the form, and return those of the file.

        Raises InvalidRequest for a form that is malformed or has too many parts, and HTTPException
        (415) for a file with a content coding.
        """
        self._pieces = []
        try:
            self._parser.write(chunk)
        except FormParserError as exc:
            raise InvalidRequest("The body is no valid multipart form.") from exc
        return self._pieces

    def finish(self) -> None:
        """Note that the body has ended. Raises InvalidRequest for a form without a whole file."""
        if not self._is_complete:
            raise _no_file()

    def _begin_part(self) -> None:
        self._is_file = False
        self._name, self._value, self._headers = b"", b"", []

    def _add_name(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def _add_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _end_header(self) -> None:
        self._headers.append((self._name.lower(), self._value))
        self._name, self._value = b"", b""

    def _end_headers(self) -> None:
        headers = Headers(raw=self._headers)
        _, parameters = parse_options_header(headers.get("content-disposition"))
        if b"filename" not in parameters:
            self._fields += 1
            if self._fields > _MAX_FIELDS:
                raise InvalidRequest(f"The form has more than {_MAX_FIELDS} fields.")
        elif parameters.get(b"name") != _FILE:
            raise _no_file()
        elif self._has_file:
            raise InvalidRequest("The form has more than one file.")
        else:
            refuse_coding(headers)
            self._has_file = self._is_file = True
            # Browsers and curl write a quotation mark so, and leave the percent sign as it is.
            name = parameters[b"filename"].replace(b"%22", b'"')
            self.file_name = name.decode(errors="replace")

    def _add_data(self, data: bytes, start: int, end: int) -> None:
        if self._is_file:
            self._pieces.append(data[start:end])

    def _end_part(self) -> None:
        self._is_complete = self._is_complete or self._is_file


def _no_file() -> InvalidRequest:
    return InvalidRequest("The form has no file in its field 'file'.")
