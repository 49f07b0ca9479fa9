"""Tags of column files, as pure functions."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.annotation.formats.records import TagScheme
from services.annotation.formats.tags import Marked, decode, encode, is_tag, recognised, touching

SCHEMES = (TagScheme.IOB1, TagScheme.IOB2, TagScheme.IOBES)


@st.composite
def marked(draw: st.DrawFn) -> tuple[int, list[Marked]]:
    """Spans side by side, some of which touch, and the number of tokens."""
    found, place = [], 0
    for _ in range(draw(st.integers(0, 6))):
        first = place + draw(st.integers(0, 2))
        last = first + draw(st.integers(0, 3))
        found.append(Marked(first, last, draw(st.sampled_from(("A", "B-x", "é y")))))
        place = last + 1
    return place + draw(st.integers(0, 2)), found


@pytest.mark.parametrize("scheme", SCHEMES)
@given(given=marked())
def test_what_is_encoded_is_decoded(scheme: TagScheme, given: tuple[int, list[Marked]]) -> None:
    count, spans = given
    tags = encode(count, spans, scheme)
    assert len(tags) == count
    assert all(is_tag(tag) for tag in tags)
    assert decode(tags, scheme) == (spans, [])


@given(marked())
def test_io_joins_what_touches(given: tuple[int, list[Marked]]) -> None:
    count, spans = given
    found, broken = decode(encode(count, spans, TagScheme.IO), TagScheme.IO)
    assert broken == []
    assert len(found) == len(spans) - touching(spans)
    assert [(one.label, place) for one in found for place in range(one.first, one.last + 1)] == [
        (one.label, place) for one in spans for place in range(one.first, one.last + 1)
    ]


@given(marked())
def test_the_scheme_is_recognised_so_that_nothing_is_lost(given: tuple[int, list[Marked]]) -> None:
    count, spans = given
    for scheme in SCHEMES:
        tags = encode(count, spans, scheme)
        assert decode(tags, recognised(tags))[0] == spans


@given(
    st.lists(
        st.sampled_from(["O", "B-a", "I-a", "E-a", "S-a", "L-b", "U-b", "I-b", "B-b"]), max_size=12
    )
)
def test_any_tags_are_decoded_to_spans_side_by_side(tags: list[str]) -> None:
    for scheme in (*SCHEMES, TagScheme.IO):
        spans, broken = decode(tags, scheme)
        covered = [place for one in spans for place in range(one.first, one.last + 1)]
        assert covered == sorted(set(covered))
        # Every tag but O marks something, and nothing else does.
        assert covered == [place for place, tag in enumerate(tags) if tag != "O"]
        assert all(0 <= one.place < len(tags) for one in broken)


@pytest.mark.parametrize(
    ("tags", "scheme", "spans", "broken"),
    [
        ("O I-a I-a O", TagScheme.IOB1, [(1, 2, "a")], []),
        ("I-a B-a I-b", TagScheme.IOB1, [(0, 0, "a"), (1, 1, "a"), (2, 2, "b")], []),
        ("O I-a I-a", TagScheme.IOB2, [(1, 2, "a")], [1]),
        ("B-a I-b", TagScheme.IOB2, [(0, 0, "a"), (1, 1, "b")], [1]),
        ("B-a E-a S-b", TagScheme.IOBES, [(0, 1, "a"), (2, 2, "b")], []),
        ("B-a L-a U-b", TagScheme.IOBES, [(0, 1, "a"), (2, 2, "b")], []),
        ("O E-a O", TagScheme.IOBES, [(1, 1, "a")], [1]),
        ("B-a I-a O", TagScheme.IOBES, [(0, 1, "a")], [2]),
        ("B-a I-a", TagScheme.IOBES, [(0, 1, "a")], [1]),
        ("B-a E-b", TagScheme.IOBES, [(0, 0, "a"), (1, 1, "b")], [1, 1]),
        ("I-a I-a I-b", TagScheme.IO, [(0, 1, "a"), (2, 2, "b")], []),
    ],
)
def test_decoding(
    tags: str, scheme: TagScheme, spans: list[tuple[int, int, str]], broken: list[int]
) -> None:
    found, faults = decode(tags.split(), scheme)
    assert [(one.first, one.last, one.label) for one in found] == spans
    assert [one.place for one in faults] == broken


@pytest.mark.parametrize(
    ("tags", "scheme"),
    [
        ("O B-a I-a", TagScheme.IOB2),
        ("O I-a I-a B-a O I-b", TagScheme.IOB1),
        ("O I-a O I-b", TagScheme.IO),
        ("B-a O B-b I-b O I-c", TagScheme.IOB2),  # the last one is a mistake
        ("B-a E-a", TagScheme.IOBES),
        ("U-a O", TagScheme.IOBES),
        ("O O", TagScheme.IOB2),
    ],
)
def test_recognition(tags: str, scheme: TagScheme) -> None:
    assert recognised(tags.split()) is scheme


@pytest.mark.parametrize("value", ["", "B", "B-", "X-a", "o", "B a", "0", "-a", "O-a"])
def test_what_is_no_tag(value: str) -> None:
    assert not is_tag(value)
