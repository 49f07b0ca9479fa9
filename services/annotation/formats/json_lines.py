"""Bytes of a file to UTF-8, and to numbered lines, in bounded memory."""

from __future__ import annotations

from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE, getincrementaldecoder
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from services.annotation.formats.records import Refused
from services.common.errors import Reason

_CHUNK = 256 * 1024


class Utf8:
    """Reads a file as UTF-8 without a byte order mark; UTF-16 is encoded anew."""

    def __init__(self, file: BinaryIO) -> None:
        """Read a file that is open at its start."""
        self._file = file
        self._head = file.read(3)
        self.utf16 = self._head[:2] in (BOM_UTF16_LE, BOM_UTF16_BE)
        # Half a pair passes here and fails where the line is decoded, which can name it.
        self._decoder = getincrementaldecoder("utf-16")("surrogatepass") if self.utf16 else None
        self._head = self._head.removeprefix(BOM_UTF8)

    def chunks(self) -> Iterator[bytes]:
        """Yield the bytes in pieces that may end anywhere."""
        while data := (self._head + self._file.read(_CHUNK)):
            self._head = b""
            if self._decoder is not None:
                data = self._decoder.decode(data).encode("utf-8", "surrogatepass")
            yield data
        if self._decoder is not None and self._decoder.getstate()[0]:
            yield b"\xff"  # half a unit at the end: the last line cannot be decoded


@dataclass(frozen=True, slots=True)
class Line:
    """A line without its end, and its number from 1."""

    number: int
    text: str


def lines_of(source: Utf8, limit: int) -> Iterator[Line | Refused]:
    """Split at LF and CRLF only: other separators of Unicode may stand within a text."""
    number, held, pieces = 1, 0, list[bytes]()
    for data in source.chunks():
        begin = 0
        while True:
            end = data.find(b"\n", begin)
            piece = data[begin:] if end < 0 else data[begin:end]
            held += len(piece)
            if held <= limit + 1:  # a CR does not count
                pieces.append(piece)
            else:
                pieces.clear()
            if end < 0:
                break
            begin = end + 1
            yield _line(number, held, b"".join(pieces), limit, source.utf16)
            number, held, pieces = number + 1, 0, []
    if held:
        yield _line(number, held, b"".join(pieces), limit, source.utf16)


def _line(number: int, held: int, raw: bytes, limit: int, utf16: bool) -> Line | Refused:
    raw = raw.removesuffix(b"\r")
    if held > limit + 1 or len(raw) > limit:
        return too_long("line", number, limit)
    try:
        return Line(number, raw.decode())
    except UnicodeDecodeError as error:
        what = (
            "The line is not UTF-16"
            if utf16
            else f"Byte {error.start + 1} of the line is not UTF-8"
        )
        return malformed(number, f"{what}: save the file as UTF-8.")


def malformed(line: int, message: str) -> Refused:
    """Return the refusal of what is not JSON or cannot be decoded."""
    return Refused(line=line, reason=Reason.REQUEST_MALFORMED, field="", message=message)


def too_long(what: str, line: int, limit: int) -> Refused:
    """Return the refusal of a line or item that is longer than the limit."""
    return Refused(
        line=line,
        reason=Reason.LINE_TOO_LONG,
        field="",
        message=f"The {what} has more than {limit} bytes: divide the text.",
    )
