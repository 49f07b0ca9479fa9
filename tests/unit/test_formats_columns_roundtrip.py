"""Tasks written as columns and read again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.annotation.content import Content, Relation, Span
from services.annotation.formats.columns import conll, germeval, spacy_iob
from services.annotation.formats.records import ParsedTask, ReadOptions, TagScheme, WriteOptions
from services.annotation.formats.tokens import tokens_of
from services.common.errors import InvalidArgumentError
from tests.support.format_items import (
    NAMES,
    TEXTS,
    extents,
    plain,
    spans,
    task_of,
    tasks_of,
    written,
)

WORDS = st.lists(
    st.sampled_from(
        (
            "Eve",
            "#",
            "-",
            "é",
            "e\u0301",
            "👩\u200d👧",
            "漢",
            '"',
            "\\",
            "<b>",
            "O",
            "B-X",
            "\ufeff",
        )
    ),
    min_size=1,
    max_size=3,
).map("".join)
LABELS = st.sampled_from(("PER", "LOC", "creative-work", "é👍"))


@st.composite
def tokenised(draw: st.DrawFn, levels: int = 1) -> ParsedTask:
    """A text of tokens; spans side by side, and with two levels others within them."""
    words = draw(st.lists(WORDS, min_size=1, max_size=8))
    starts = [sum(len(one) + 1 for one in words[:place]) for place in range(len(words))]

    def span(first: int, last: int) -> tuple[int, int, str]:
        return starts[first], starts[last] + len(words[last]), draw(LABELS)

    found: set[tuple[int, int, str]] = set()
    place = 0
    while place < len(words):
        last = draw(st.integers(place, len(words) - 1))
        if draw(st.booleans()):
            outer = span(place, last)
            found.add(outer)
            if levels == 2 and last > place and draw(st.booleans()):
                found.add(span(place, last - 1))
        place = last + 1
    listed = tuple(
        Span(start=start, end=end, label=label, id=f"s{number}")
        for number, (start, end, label) in enumerate(sorted(found), start=1)
    )
    return replace(plain(" ".join(words), Content(spans=listed)), tokenised=True)


SAME = ("text", "completions", "tokenised", "extra", "group", "metadata")


def assert_same(before: Sequence[ParsedTask], after: Sequence[ParsedTask]) -> None:
    assert len(after) == len(before)
    for one, other in zip(before, after, strict=True):
        for name in SAME:
            assert getattr(other, name) == getattr(one, name), name


@pytest.mark.parametrize(
    "scheme", [TagScheme.AUTO, TagScheme.IOB1, TagScheme.IOB2, TagScheme.IOBES]
)
@settings(max_examples=60, deadline=None)
@given(
    tasks=st.lists(tokenised(), min_size=1, max_size=3), sign=st.sampled_from(["", " ", "\t", "||"])
)
def test_conll_keeps_texts_of_tokens(scheme: TagScheme, tasks: list[ParsedTask], sign: str) -> None:
    data, omitted = written(conll.writer, tasks, WriteOptions(scheme=scheme, separator=sign))
    read_as = TagScheme.IOB2 if scheme is TagScheme.AUTO else scheme
    again = tasks_of(conll.read, data, ReadOptions(scheme=read_as, separator=sign))
    assert_same(tasks, again)
    assert set(omitted) == {"authors and times of completions"}


@settings(max_examples=60, deadline=None)
@given(st.lists(tokenised(levels=2), min_size=1, max_size=3), st.sampled_from(["", "http://a b"]))
def test_germeval_keeps_two_levels(tasks: list[ParsedTask], source: str) -> None:
    tasks = [replace(one, metadata={"source": source} if source else {}) for one in tasks]
    data, omitted = written(germeval.writer, tasks)
    assert_same(tasks, tasks_of(germeval.read, data))
    assert set(omitted) == {"authors and times of completions"}


@settings(max_examples=60, deadline=None)
@given(st.lists(tokenised(), min_size=1, max_size=3))
def test_spacy_iob_keeps_texts_of_tokens(tasks: list[ParsedTask]) -> None:
    data, omitted = written(spacy_iob.writer, tasks)
    assert_same(tasks, tasks_of(spacy_iob.read, data))
    assert set(omitted) == {"authors and times of completions"}


@settings(max_examples=100, deadline=None)
@given(st.data(), st.sampled_from([conll, germeval, spacy_iob]))
def test_any_text_keeps_its_words_and_the_spans_that_fit(
    data: st.DataObject, module: object
) -> None:
    text = data.draw(TEXTS)
    extents_of = tokens_of(task_of(plain(text)).task)
    cuts = [cut for one in extents_of for cut in one]
    found = data.draw(spans(text, cuts=cuts))
    raw, omitted = written(module.writer, [plain(text, Content(spans=found))])  # type: ignore[attr-defined]
    if not extents_of:
        assert raw == b""
        assert omitted["tasks without a word"] == 1
        return
    (task,) = tasks_of(module.read, raw)  # type: ignore[attr-defined]
    kept = [task.text[start:end].replace(" ", "") for start, end, _ in extents(task)]
    lost = (
        omitted["overlapping or discontinuous spans"]
        + omitted["spans that begin or end inside a word"]
    )
    assert len(kept) == len(found) - lost
    if not omitted["signs inside words or labels that divide columns (replaced)"]:
        words = [text[start:end] for start, end in extents_of]
        assert task.text == " ".join(words)


CONLL2003 = (
    "-DOCSTART- -X- -X- O\n\n# id = 1\nEU NNP I-NP B-ORG\nrejects VBZ I-VP O\n\n"
    "German JJ I-NP B-MISC\n. . O O\n\n-DOCSTART- -X- -X- O\n\nBonn NNP I-NP B-LOC\n\n"
)


def test_conll_2003_comes_back_byte_for_byte() -> None:
    tasks = tasks_of(conll.read, CONLL2003)
    data, omitted = written(conll.writer, tasks, WriteOptions(separator=" "))
    assert data.decode() == CONLL2003
    assert omitted["names of groups"] == 0


def test_spacy_iob_with_parts_of_speech_comes_back() -> None:
    data = "Eve|NNP|B-PER met|VBD|O\nBob|NNP|B-PER\n"
    assert written(spacy_iob.writer, tasks_of(spacy_iob.read, data))[0].decode() == data


def test_a_token_that_is_a_separator_does_not_vanish() -> None:
    parsed = replace(plain("a , b", Content()), tokenised=True)
    data, omitted = written(conll.writer, [parsed], WriteOptions(separator=","))
    assert data == b"a,O\n_,O\nb,O\n\n"
    assert omitted["signs inside words or labels that divide columns (replaced)"] == 1
    parsed = replace(plain("-DOCSTART- |", Content()), tokenised=True)
    data, _ = written(conll.writer, [parsed])
    assert [one.text for one in tasks_of(conll.read, data)] == ["_DOCSTART_ |"]


def test_germeval_comes_back() -> None:
    data = "#\thttp://a [2010]\n1\tBonn\tB-ORG\tO\n2\tAG\tI-ORG\tB-OTH\n\n"
    assert written(germeval.writer, tasks_of(germeval.read, data))[0].decode() == data


@pytest.mark.parametrize("module", [conll, germeval, spacy_iob])
def test_what_does_not_fit_is_counted(module: object) -> None:
    content = Content(
        spans=(
            Span(start=0, end=8, label="A", id="s1", assertion="absent"),
            Span(start=4, end=12, label="B", id="s2", attributes=(("a", "b"),)),
            Span(start=9, end=11, label="C", id="s3"),
        ),
        relations=(Relation(source="s1", target="s2"),),
    )
    parsed = replace(plain("one two  four", content), tags=("x",), metadata={"m": "n"}, group="g")
    _, omitted = written(module.writer, [parsed, plain("open")])  # type: ignore[attr-defined]
    expected = {
        # The first ends behind a blank, the others inside the last word.
        "spans that begin or end inside a word": 3,
        "relations": 1,
        "attributes": 1,
        "assertions": 1,
        "tags": 1,
        "metadata": 1,
        "texts between words (written as single blanks)": 1,
        "tasks without a completion": 1,
        "authors and times of completions": 1,
        "names of groups" if module is conll else "groups": 1,
    }
    assert omitted == expected


def test_signs_that_divide_columns_are_replaced() -> None:
    content = Content(spans=(Span(start=0, end=3, label="my label", id="s1"),))
    parsed = replace(plain("a,b c", content), tokenised=True)
    data, omitted = written(conll.writer, [parsed], WriteOptions(separator=","))
    assert data == b"a b,B-my label\nc,O\n\n"
    data, _ = written(conll.writer, [parsed], WriteOptions(separator=" "))
    assert data == b"a,b B-my_label\nc O\n\n"
    data, _ = written(spacy_iob.writer, [parsed])
    assert data == b"a,b|B-my_label c|O\n"
    assert omitted["signs inside words or labels that divide columns (replaced)"] == 1


@settings(max_examples=40, deadline=None)
@given(NAMES)
def test_documents_are_divided_where_groups_change(name: str) -> None:
    tasks = [replace(plain("a", Content()), tokenised=True, group=one) for one in ("", name, name)]
    data, omitted = written(conll.writer, tasks)
    assert [one.group for one in tasks_of(conll.read, data)] == ["", "document 1", "document 1"]
    assert omitted["names of groups"] == 1


def test_texts_outside_of_groups_join_none() -> None:
    groups = ["", "", "g", "g", "", "", "h", ""]
    tasks = [replace(plain("a", Content()), tokenised=True, group=one) for one in groups]
    data, omitted = written(conll.writer, tasks)
    again = tasks_of(conll.read, data)
    numbers = [0, 0, 1, 1, 2, 3, 4, 5]
    assert [one.group for one in again] == [f"document {n}" if n else "" for n in numbers]
    assert omitted["texts outside of groups (written as documents of their own)"] == 3
    assert omitted["names of groups"] == 2
    assert written(conll.writer, again)[0] == data
    # A file without groups has no documents.
    assert b"DOCSTART" not in written(conll.writer, tasks[:2])[0]


@pytest.mark.parametrize(
    "sign", ["\n", "a\r", "O", "x", "7", "-", "_", "||O", "\u2028", "\0", "é", "|" * 11]
)
def test_separators_that_cannot_divide_columns_are_refused(sign: str) -> None:
    with pytest.raises(InvalidArgumentError, match="separator") as raised:
        conll.writer(WriteOptions(separator=sign))
    assert raised.value.violations[0].field == "separator"
    with pytest.raises(InvalidArgumentError, match="separator"):
        tasks_of(conll.read, "a\tO\n", ReadOptions(separator=sign))


@settings(max_examples=60, deadline=None)
@given(
    task=tokenised(),
    sign=st.text(' \t,;|~:#"./=', min_size=1, max_size=3),
)
def test_every_other_separator_divides_columns(task: ParsedTask, sign: str) -> None:
    data, _ = written(conll.writer, [task], WriteOptions(separator=sign))
    (again,) = tasks_of(conll.read, data, ReadOptions(scheme=TagScheme.IOB2, separator=sign))
    assert len(again.text) == len(task.text)
    assert extents_only(again) == extents_only(task)


def test_a_word_of_separators_keeps_its_length() -> None:
    content = Content(spans=(Span(start=7, end=8, label="L", id="s1"),))
    task = plain("Eve ## b", content, tokenised=True)
    data, _ = written(conll.writer, [task], WriteOptions(separator="#"))
    (again,) = tasks_of(conll.read, data, ReadOptions(scheme=TagScheme.IOB2, separator="#"))
    assert again.text == "Eve __ b"
    assert extents_only(again) == [(7, 8)]


def extents_only(task: ParsedTask) -> list[tuple[int, int]]:
    return [(start, end) for start, end, _ in extents(task)]


@pytest.mark.parametrize("module", [conll, germeval, spacy_iob])
def test_ids_are_counted(module: object) -> None:
    tasks = [replace(plain("a", Content()), external_id=one) for one in ("", "7", "8")]
    _, omitted = written(module.writer, tasks)  # type: ignore[attr-defined]
    assert omitted["ids of tasks"] == 2
