"""Items of JSON files: arrays, lines, objects over several lines, damaged ones among them."""

from __future__ import annotations

import io
import json
import tracemalloc
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.annotation.formats.json_stream import Item, items
from services.annotation.formats.records import Refused
from services.common.errors import Reason
from tests.support.format_items import TEXTS

VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), TEXTS),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXTS, inner, max_size=3)),
    max_leaves=6,
)
OBJECTS = st.lists(st.dictionaries(TEXTS, VALUES, min_size=1, max_size=3), min_size=1, max_size=5)


def read(data: bytes | str, limit: int = 1 << 20) -> list[Item | Refused]:
    raw = data.encode() if isinstance(data, str) else data
    return list(items(io.BytesIO(raw), limit))


def values(data: bytes | str) -> list[Any]:
    found = read(data)
    assert all(isinstance(one, Item) for one in found), found
    return [one.value for one in found if isinstance(one, Item)]


@settings(deadline=None)
@given(
    OBJECTS,
    st.sampled_from(["array", "lines", "objects"]),
    st.sampled_from([None, 1, "\t"]),
    st.booleans(),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
    st.sampled_from(["\n", "\r\n"]),
)
def test_every_layout_and_encoding_gives_the_same(
    objects: list[dict[str, Any]],
    layout: str,
    indent: Any,
    ascii: bool,
    encoding: str,
    newline: str,
) -> None:
    if layout == "array":
        text = json.dumps(objects, indent=indent, ensure_ascii=ascii)
    else:
        step = indent if layout == "objects" else None
        text = "\n".join(json.dumps(one, indent=step, ensure_ascii=ascii) for one in objects)
    assert values(text.replace("\n", newline).encode(encoding)) == objects


def test_lines_and_numbers_are_told() -> None:
    found = read('\n[\n {"a": 1},\n\n {"b":\n 2}\n]')
    assert found == [Item(1, 3, {"a": 1}, "[0]."), Item(2, 5, {"b": 2}, "[1].")]
    assert read('{"a": 1}\n\n{"b": 2}') == [Item(1, 1, {"a": 1}), Item(2, 3, {"b": 2})]
    assert read('{\n"a": 1\n}\n{\n"b": 2\n}') == [Item(1, 1, {"a": 1}), Item(2, 4, {"b": 2})]


@pytest.mark.parametrize("data", ["", " \n\r\n", "[]", "[ \n]"])
def test_nothing_is_nothing(data: str) -> None:
    assert read(data) == []


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        # (line, what is there) of each item or refusal
        ('{"a": 1}\nno\n{"b": 2}', [(1, {"a": 1}), (2, None), (3, {"b": 2})]),
        ('{"a": 1\n{"b": 2}', [(1, None), (2, {"b": 2})]),
        ('{"a": "1\n{"b": 2}', [(1, None), (2, {"b": 2})]),
        ('[{"a": 1},\n no,\n {"b": "],"}]', [(1, {"a": 1}), (2, None), (3, {"b": "],"})]),
        ('[{"a" 1, "b": "\\"}"},\n{"c": 1}]', [(1, None), (2, {"c": 1})]),
        ('[{"a": 1}\n{"b": 2}]', [(1, {"a": 1}), (2, None), (2, {"b": 2})]),
        ('[{"a": 1},\n{"b": 2}', [(1, {"a": 1}), (2, {"b": 2}), (2, None)]),
        ('[{"a": 1}]\n x', [(1, [{"a": 1}]), (2, None)]),
        ('[\n{"a": 1}]\n x', [(2, {"a": 1}), (3, None)]),
        ("[\n}\n]", [(2, None)]),
        ('[\n"a', [(2, None), (2, None)]),
        ('{\n"a" 1\n}\n{\n"b": 2}', [(1, None), (4, {"b": 2})]),
        ("{\n" + '"a":' + "[" * 100_000, [(1, None)]),
        ("[NaN, 1]", [(1, None), (1, 1)]),
        (b'[{"a": "\xff"}, {"b": 1}]'.decode("latin-1"), [(1, {"a": "ÿ"}), (1, {"b": 1})]),
    ],
)
def test_what_is_damaged_is_refused_alone(data: str, expected: list[tuple[int, Any]]) -> None:
    found = [
        (one.line, one.value) if isinstance(one, Item) else (one.line, None) for one in read(data)
    ]
    assert found == expected


def test_undecodable_bytes_are_named() -> None:
    first, second, third = read(b'{"a": 1}\n{"b": "\xff"}\n{"c": 1}')
    assert isinstance(first, Item)
    assert isinstance(second, Refused)
    assert "Byte 8 of the line is not UTF-8" in second.message
    assert isinstance(third, Item)
    in_array = read(b'[{"a": 1},\n{"b": "\xff"},\n{"c": 1}]')
    assert [isinstance(one, Refused) for one in in_array] == [False, True, False]
    assert "not UTF-8" in str(in_array[1])


def test_half_a_pair_is_named_by_its_path() -> None:
    for data in ('{"a": [1, {"b": "\\ud83d"}]}', '{"a": [1, {"b": "\\uDE00 \\ud83d\\ude00"}]}'):
        (one,) = read(data)
        assert isinstance(one, Refused)
        assert (one.reason, one.field) == (Reason.FIELD_INVALID, "a[1].b")
    assert values('{"a": "\\ud83d\\ude00"}') == [{"a": "😀"}]


def test_half_a_unit_at_the_end_of_utf16() -> None:
    first, second = read('{"a": 1}\n{"b": 2}'.encode("utf-16")[:-1])
    assert isinstance(first, Item)
    assert isinstance(second, Refused)


def test_items_beyond_the_limit_are_refused_alone() -> None:
    long = json.dumps({"a": "]" * 300})
    for data in (f'[{long}, {{"b": 1}}]', f'{long}\n{{"b": 1}}'):
        first, second = read(data, 200)
        assert isinstance(first, Refused)
        assert first.reason is Reason.LINE_TOO_LONG
        assert isinstance(second, Item)
        assert second.value == {"b": 1}


def test_lines_of_arrays_are_no_array() -> None:
    assert values('["a", {}]\n["b", {}]') == [["a", {}], ["b", {}]]
    assert values('["a", {}]') == ["a", {}]


def test_memory_is_bounded_by_the_items_not_the_file() -> None:
    class Endless(io.RawIOBase):
        """An array of 64 MB that nobody holds."""

        def __init__(self) -> None:
            self.at = 0

        def seek(self, at: int, whence: int = 0) -> int:
            self.at = at
            return at

        def tell(self) -> int:
            return self.at

        def read(self, size: int = -1) -> bytes:
            part = b'{"a": "' + b"x" * 8181 + b'"},\n '
            whole = b"[" + part * 32
            if self.at == 0:
                self.at += size
                return whole[:size]
            if self.at >= 64 << 20:
                return b""
            begin = (self.at - 1) % len(part)
            data = (part * (size // len(part) + 2))[begin : begin + size]
            self.at += size
            return data

    tracemalloc.start()
    try:
        count = sum(isinstance(one, Item) for one in items(Endless(), 1 << 20))  # type: ignore[arg-type]
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert count > 8_000
    assert peak < 16 << 20
