"""A file to numbered lines, in bounded memory."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from services.annotation.formats.records import Refused
from services.common.errors import Reason

_UTF16 = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}
_PIECE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Line:
    """A line without its end, its number from 1, and the end: LF, CRLF, or none at the last one."""

    number: int
    text: str
    end: str = ""


def lines(file: BinaryIO, max_line_bytes: int) -> Iterator[Line | Refused]:
    """Yield the lines of a file that is open at its start.

    Lines end at LF or CRLF only: other separators of Unicode may stand within a text. The file is
    UTF-8, with or without a byte order mark, or UTF-16 with one. A line beyond the limit or not in
    that encoding comes as a `Refused`; the rest of the file is read on. Never more than one line is
    held.
    """
    start = file.read(3)
    encoding = _UTF16.get(start[:2])
    if encoding is not None:
        file.seek(2)
        yield from _utf16(file, encoding, max_line_bytes)
        return
    if start != codecs.BOM_UTF8:
        file.seek(0)
    number = 0
    # One byte more than CRLF and the longest line tells that it is too long.
    while raw := file.readline(max_line_bytes + 3):
        number += 1
        whole = raw.endswith(b"\n") or len(raw) < max_line_bytes + 3
        while not raw.endswith(b"\n") and not whole:
            rest = file.readline(_PIECE)
            whole = not rest or rest.endswith(b"\n")
            if whole:
                break
        end = b"\r\n" if raw.endswith(b"\r\n") else b"\n" if raw.endswith(b"\n") else b""
        raw = raw.removesuffix(end)
        if len(raw) > max_line_bytes:
            yield _too_long(number, max_line_bytes)
            continue
        try:
            yield Line(number, raw.decode(), end.decode())
        except UnicodeDecodeError as error:
            yield Refused(
                line=number,
                reason=Reason.REQUEST_MALFORMED,
                field="",
                message=f"Byte {error.start + 1} of the line is not UTF-8: save the file as UTF-8.",
            )


def _utf16(file: BinaryIO, encoding: str, max_line_bytes: int) -> Iterator[Line | Refused]:
    # Halves of surrogate pairs pass here, so that they refuse their line only.
    decoder = codecs.getincrementaldecoder(encoding)(errors="surrogatepass")
    number, held, too_long = 0, "", False
    while True:
        piece = file.read(_PIECE)
        try:
            decoded = decoder.decode(piece, final=not piece)
        except UnicodeDecodeError:  # half a unit at the end
            decoded = "\ud800"
        *ended, rest = (held + decoded).split("\n")
        for text in ended:
            number += 1
            yield _checked(number, text, "\n", too_long, max_line_bytes)
            too_long = False
        too_long = too_long or len(rest) > max_line_bytes
        held = "" if too_long else rest
        if not piece:
            if held or too_long:
                yield _checked(number + 1, held, "", too_long, max_line_bytes)
            return


def _checked(number: int, text: str, end: str, too_long: bool, limit: int) -> Line | Refused:
    if end and text.endswith("\r"):
        text, end = text[:-1], "\r\n"
    if too_long or len(text.encode("utf-8", "surrogatepass")) > limit:
        return _too_long(number, limit)
    try:
        text.encode()
    except UnicodeEncodeError:
        return Refused(
            line=number,
            reason=Reason.REQUEST_MALFORMED,
            field="",
            message="The line is not UTF-16 throughout: save the file as UTF-8.",
        )
    return Line(number, text, end)


def _too_long(number: int, limit: int) -> Refused:
    return Refused(
        line=number,
        reason=Reason.LINE_TOO_LONG,
        field="",
        message=f"The line has more than {limit} bytes: divide the text.",
    )
