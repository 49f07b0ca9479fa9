"""The tokens of texts, and which spans fit them."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest
from hypothesis import given, settings

from services.annotation.content import Span
from services.annotation.formats.tokens import fitting, tokens_of
from tests.support.format_items import TEXTS, plain, task_of


def words(text: str, *, tokenised: bool = False) -> list[str]:
    task = task_of(replace(plain(text), tokenised=tokenised)).task
    return [text[start:end] for start, end in tokens_of(task)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Don't stop, Eve!", ["Don't", "stop", ",", "Eve", "!"]),
        ("a\r\nb\r\n\r\nc", ["a", "b", "c"]),
        ("👩\u200d👧 ist 👍🏽.", ["👩\u200d👧", "ist", "👍🏽", "."]),
        ("cafe\u0301 (e\u0301)", ["cafe\u0301", "(", "e\u0301", ")"]),
        ("我喜欢 Köln。", ["我喜欢", "Köln", "。"]),
        ("\tx\u00a0y\u2028z ", ["x", "y", "z"]),
        (" \n ", []),
    ],
)
def test_texts_that_are_not_made_of_tokens(text: str, expected: list[str]) -> None:
    assert words(text) == expected


def test_texts_made_of_tokens_keep_them() -> None:
    assert words("Don't ( e\u0301 👍🏽. )", tokenised=True) == [
        "Don't",
        "(",
        "e\u0301",
        "👍🏽.",
        ")",
    ]


@settings(deadline=None, max_examples=80)
@given(TEXTS)
def test_tokens_are_all_that_is_not_blank(text: str) -> None:
    task = task_of(plain(text)).task
    extents = tokens_of(task)
    ends = [0, *(end for _, end in extents)]
    assert all(start < end for start, end in extents)
    for behind, (start, _) in zip(ends, extents, strict=False):
        assert behind <= start
        assert not text[behind:start].strip()
    assert not text[ends[-1] :].strip()


def test_threads_share_the_tokeniser() -> None:
    texts = [f"Eve{number} (met) Bob{number}, 👍." for number in range(40)]
    found: dict[str, list[str]] = {}

    def work(mine: list[str]) -> None:
        for text in mine:
            found[text] = words(text)

    threads = [threading.Thread(target=work, args=(texts[start::4],)) for start in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {text: words(text) for text in texts}
    assert len(found[texts[7]]) == 8


def span(start: int, end: int, label: str = "X", **fields: object) -> Span:
    return Span(start=start, end=end, label=label, **fields)  # type: ignore[arg-type]


def test_the_first_and_longest_of_spans_that_overlap_is_kept() -> None:
    extents = [(0, 3), (4, 7), (8, 11)]
    whole, part, late = span(0, 7), span(0, 3, "A"), span(4, 11)
    torn = span(8, 11, fragments=((8, 9), (10, 11)))
    kept, overlapping, unaligned = fitting(extents, [part, whole, late, torn, span(8, 10)])
    assert [one for _, one in kept] == [whole]
    assert (overlapping, unaligned) == (3, 1)
