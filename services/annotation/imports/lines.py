"""Bytes that arrive in pieces to numbered lines, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from services.annotation.imports.records import Refused
from services.common.errors import Reason

_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Line:
    """A line without its end, and its number from 1."""

    number: int
    text: str


class LineSplitter:
    """Splits at LF and CRLF only: other separators of Unicode may stand within a text.

    A byte order mark at the start is dropped. A line beyond the limit or not UTF-8 comes as a
    `Refused`; the rest of the file is read on. Never more than one line is held.
    """

    def __init__(self, max_line_bytes: int) -> None:
        """Start at line 1."""
        self._limit = max_line_bytes
        self._pieces: list[bytes] = []
        self._held = 0
        self._number = 0
        self._begun = False

    def feed(self, data: bytes) -> Iterator[Line | Refused]:
        """Take the next bytes and yield the lines that they complete."""
        start = 0
        while True:
            end = data.find(b"\n", start)
            if end < 0:
                self._hold(data[start:] if start else data)
                return
            self._hold(data[start:end])
            start = end + 1
            yield self._take()

    def end(self) -> Iterator[Line | Refused]:
        """Yield the last line when the file does not end with a line end."""
        if self._held:
            yield self._take()

    def _hold(self, piece: bytes) -> None:
        self._held += len(piece)
        # One byte of CR and three of a byte order mark do not count.
        if self._held <= self._limit + 4:
            self._pieces.append(piece)
        else:
            self._pieces.clear()

    def _take(self) -> Line | Refused:
        raw = b"".join(self._pieces)
        held, self._held = self._held, 0
        self._pieces.clear()
        self._number += 1
        if not self._begun:
            self._begun = True
            raw = raw.removeprefix(_BOM)
        raw = raw.removesuffix(b"\r")
        if held > self._limit + 4 or len(raw) > self._limit:
            return Refused(
                line=self._number,
                reason=Reason.LINE_TOO_LONG,
                field="",
                message=f"The line has more than {self._limit} bytes: divide the text.",
            )
        try:
            return Line(self._number, raw.decode())
        except UnicodeDecodeError as error:
            return Refused(
                line=self._number,
                reason=Reason.REQUEST_MALFORMED,
                field="",
                message=f"Byte {error.start + 1} of the line is not UTF-8: save the file as UTF-8.",
            )
