from __future__ import annotations

import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st

from services.common.errors import InvalidArgumentError, Reason
from services.common.offsets import OffsetEncoding, from_code_points, to_code_points

CODE_POINT, UTF8, UTF16 = OffsetEncoding.CODE_POINT, OffsetEncoding.UTF8, OffsetEncoding.UTF16
FAMILY = "👨‍👩‍👧"  # one cluster of five code points
FLAG = "🇫🇷"
COMBINED = "e\u0301"

pieces = st.sampled_from(
    ["a", " ", "\r\n", "\n", "é", COMBINED, "漢", "😀", FAMILY, FLAG, "각", "\u200d"]
)
texts = st.lists(pieces, max_size=12).map("".join) | st.text(max_size=30)


def units(text: str, encoding: OffsetEncoding) -> int:
    match encoding:
        case OffsetEncoding.CODE_POINT:
            return len(text)
        case OffsetEncoding.UTF8:
            return len(text.encode("utf-8"))
        case OffsetEncoding.UTF16:
            return len(text.encode("utf-16-le")) // 2


@given(texts, st.sampled_from(OffsetEncoding))
def test_counts_as_the_codecs_do(text: str, encoding: OffsetEncoding) -> None:
    points = list(range(len(text) + 1))
    assert from_code_points(text, points, encoding) == [units(text[:p], encoding) for p in points]


@given(texts, st.sampled_from([UTF8, UTF16]))
def test_exactly_the_cluster_boundaries_are_taken(text: str, encoding: OffsetEncoding) -> None:
    boundaries = {0, len(text), *(match.start() for match in regex.finditer(r"\X", text))}
    allowed = {units(text[:point], encoding): point for point in boundaries}
    for offset in range(-1, units(text, encoding) + 2):
        if offset in allowed:
            assert to_code_points(text, [offset], encoding) == [allowed[offset]]
        else:
            with pytest.raises(InvalidArgumentError) as caught:
                to_code_points(text, [offset], encoding)
            assert caught.value.reason is Reason.OFFSET_INVALID


@given(texts, st.data())
def test_round_trip(text: str, data: st.DataObject) -> None:
    boundaries = [0, len(text), *(match.start() for match in regex.finditer(r"\X", text))]
    points = data.draw(st.lists(st.sampled_from(boundaries)))
    for encoding in OffsetEncoding:
        there = from_code_points(text, points, encoding)
        assert to_code_points(text, there, encoding) == points


@pytest.mark.parametrize(
    ("text", "encoding", "offset", "said"),
    [
        ("😀", UTF16, 1, "inside a character"),
        ("😀", UTF8, 3, "inside a character"),
        ("é", UTF8, 1, "inside a character"),
        (COMBINED, UTF16, 1, "grapheme"),
        (FAMILY, UTF16, 2, "grapheme"),
        (FLAG, UTF8, 4, "grapheme"),
        ("a\r\nb", UTF8, 2, "grapheme"),
        ("a\r\nb", UTF16, 2, "grapheme"),
        ("abc", UTF8, 4, "outside"),
        ("abc", UTF16, -1, "outside"),
        ("é", UTF8, 3, "outside"),
        ("é", CODE_POINT, 2, "outside"),
        ("", CODE_POINT, 1, "outside"),
    ],
)
def test_refusals_name_the_field(
    text: str, encoding: OffsetEncoding, offset: int, said: str
) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        to_code_points(text, [0, offset], encoding, lambda index: f"spans[{index}].end")
    assert caught.value.violations[0].field == "spans[1].end"
    assert said in caught.value.message


def test_code_points_may_cut_clusters() -> None:
    assert to_code_points(COMBINED + "\r\n", [1, 3], CODE_POINT) == [1, 3]
