"""Bytes to lines."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.annotation.formats.lines import Line, lines
from services.annotation.formats.records import Refused
from services.common.errors import Reason
from tests.support.format_items import TEXTS


def read(data: bytes, limit: int = 1_000) -> list[Line | Refused]:
    return list(lines(io.BytesIO(data), limit))


@given(st.lists(TEXTS, max_size=4).map("".join), st.sampled_from(["", "utf-8", "le", "be"]))
def test_lines_and_their_ends_are_the_file(text: str, encoding: str) -> None:
    text = text.removeprefix("\ufeff")
    mark = "\ufeff" if encoding else ""
    name = {"le": "utf-16-le", "be": "utf-16-be"}.get(encoding, "utf-8")
    found = [one for one in read((mark + text).encode(name)) if isinstance(one, Line)]
    assert "".join(one.text + one.end for one in found) == text
    assert [one.number for one in found] == list(range(1, len(found) + 1))
    assert all(one.end in {"\n", "\r\n"} for one in found[:-1])


def test_other_separators_of_unicode_end_no_line() -> None:
    assert read("a\u2028b\x85c\x0bd\re\r\n".encode()) == [Line(1, "a\u2028b\x85c\x0bd\re", "\r\n")]


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b""])
def test_a_line_that_is_too_long_is_refused_alone(end: bytes) -> None:
    first, second, *rest = read(b"x" * 5 + end + (b"\n" if not end else b"") + b"y" * 9, 5)
    assert isinstance(first, Line)
    assert isinstance(second, Refused)
    assert (second.line, second.reason, rest) == (2, Reason.LINE_TOO_LONG, [])
    found = read(b"z" * 40_000 + b"\nok\n", 7)
    assert isinstance(found[0], Refused)
    assert found[1] == Line(2, "ok", "\n")


def test_what_is_not_in_the_encoding_is_refused_by_line() -> None:
    first, second, third = read(b"a\n\xffb\nc")
    assert isinstance(second, Refused)
    assert (second.line, second.reason) == (2, Reason.REQUEST_MALFORMED)
    assert "Byte 1 " in second.message
    assert (first, third) == (Line(1, "a", "\n"), Line(3, "c"))
    found = read("\ufeffa\nb".encode("utf-16-le") + b"\n\0\0\xd8\n\0d\0e")
    assert found[:2] == [Line(1, "a", "\n"), Line(2, "b", "\n")]
    assert [one.line for one in found if isinstance(one, Refused)] == [3, 4]
