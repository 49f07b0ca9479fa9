"""Tasks written as spaCy's training data and read again, by us and by spaCy."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.annotation.content import Choices, Content, Relation, Span
from services.annotation.formats.records import ParsedTask, ReadOptions, WriteOptions
from services.annotation.formats.spacy_ import docbin, json2_reader, json2_writer, tuples
from services.annotation.formats.spacy_.biluo import spans_of, tags_of
from services.annotation.formats.spacy_.tokens import task_tokens, words_of
from services.common.offsets import OffsetEncoding
from tests.support.format_items import TEXTS, choices, plain, spans, task_of, tasks_of, written

IDS = st.sampled_from([(), (("kb_id", "Q1"),), (("ent_id", "e é"), ("kb_id", "Q1"))])


def with_ids(data: st.DataObject, found: tuple[Span, ...]) -> tuple[Span, ...]:
    return tuple(replace(one, attributes=data.draw(IDS)) for one in found)


def borders(text: str, *, tokenised: bool = False) -> list[int]:
    task = task_of(plain(text, tokenised=tokenised)).task
    return [edge for extent in task_tokens(task) for edge in extent]


def same(back: ParsedTask, task: ParsedTask) -> None:
    assert back.text == task.text
    assert len(back.completions) == len(task.completions)
    for one, other in zip(back.completions, task.completions, strict=True):
        assert replace(one.content, extra="") == other.content


@settings(deadline=None)
@given(st.data(), TEXTS, st.booleans(), st.sampled_from([*OffsetEncoding]))
def test_tuples_come_back(
    data: st.DataObject, text: str, annotated: bool, encoding: OffsetEncoding
) -> None:
    if encoding is not OffsetEncoding.CODE_POINT:
        text = text.encode("ascii", "ignore").decode().replace("\r", "") + "x😀"
    content = Content(spans=data.draw(spans(text)), choices=data.draw(choices()))
    task = plain(text, content if annotated else None)
    raw, omitted = written(tuples.writer, [task, task], WriteOptions(encoding=encoding))
    assert set(omitted) <= {"authors and times of completions"}
    found = tasks_of(tuples.read, raw, ReadOptions(encoding=encoding))
    assert len(found) == 2
    for one in found:
        same(one, task)


@settings(deadline=None)
@given(st.data(), TEXTS, st.booleans())
def test_docbins_come_back(data: st.DataObject, text: str, annotated: bool) -> None:
    found = with_ids(data, data.draw(spans(text, cuts=borders(text))))
    content = Content(spans=found, choices=data.draw(choices()))
    task = plain(text, content if annotated else None)
    raw, omitted = written(docbin.writer, [task, task])
    cut = omitted.pop("spans that cut words", 0)
    assert set(omitted) <= {"authors and times of completions"}
    backs = tasks_of(docbin.read, raw)
    assert len(backs) == 2
    for back in backs:
        if cut:
            (one,) = back.completions
            assert len(one.content.spans) == len(found) - cut // 2
        else:
            same(back, task)
    # What was read is written once more to the same.
    again = tasks_of(docbin.read, written(docbin.writer, backs)[0])
    assert again == backs


@settings(deadline=None)
@given(st.data(), TEXTS, st.booleans(), st.booleans())
def test_json_comes_back(data: st.DataObject, text: str, annotated: bool, tokenised: bool) -> None:
    if tokenised:
        text = " ".join(text.split()) or "x"
        tokenised = all(text.split(" "))
    edges = sorted(set(borders(text, tokenised=tokenised)))
    task = plain(text, tokenised=tokenised)
    extents = task_tokens(task_of(task).task)
    listed: list[Span] = []
    behind = 0
    while behind < len(extents) and data.draw(st.booleans()):
        first = data.draw(st.integers(behind, len(extents) - 1))
        last = data.draw(st.integers(first, len(extents) - 1))
        listed.append(
            Span(
                start=extents[first][0],
                end=extents[last][1],
                label=data.draw(st.sampled_from(["X", "Y-Z", "é 1"])),
                id=f"s{len(listed) + 1}",
            )
        )
        behind = last + 1
    assert all(one.start in edges for one in listed)
    content = Content(spans=tuple(listed), choices=data.draw(choices()))
    told = bool(extents) or bool(content.choices)
    task = replace(plain(text, content if annotated and told else None), tokenised=tokenised)
    raw, omitted = written(json2_writer.writer, [task, task])
    assert set(omitted) <= {"authors and times of completions"}
    backs = tasks_of(json2_reader.read, raw)
    assert len(backs) == 2
    for back in backs:
        same(back, task)
        assert back.tokenised == tokenised


def test_groups_share_a_document() -> None:
    tasks = [plain("a", group="g"), plain("b", group="g"), plain("c"), plain("d", group="h")]
    raw, omitted = written(json2_writer.writer, tasks)
    assert [len(one["paragraphs"]) for one in json.loads(raw)] == [2, 1, 1]
    assert not omitted
    assert [one.group for one in tasks_of(json2_reader.read, raw)] == ["g", "g", "", "h"]
    assert json.loads(written(json2_writer.writer, [])[0]) == []


def test_spacy_reads_what_is_written() -> None:
    import spacy
    from spacy.tokens import DocBin
    from spacy.training import Example

    nlp = spacy.blank("xx")
    content = Content(
        spans=(
            Span(start=0, end=8, label="GPE", id="s1", attributes=(("kb_id", "Q60"),)),
            Span(start=4, end=8, label="GPE", id="s2"),
            Span(start=10, end=15, label="GPE", id="s3"),
        ),
        choices=(Choices(name="label", values=("travel",)),),
    )
    tasks = [plain("New York, Paris  👩\u200d👧", content), plain("open")]
    docs = list(DocBin().from_bytes(written(docbin.writer, tasks)[0]).get_docs(nlp.vocab))
    assert [one.text for one in docs] == [one.text for one in tasks]
    assert [(one.text, one.label_, one.kb_id_) for one in docs[0].ents] == [
        ("New York", "GPE", "Q60"), ("Paris", "GPE", ""),
    ]  # fmt: skip
    assert [one.text for one in docs[0].spans["sc"]] == ["York"]
    assert docs[0].cats == {"travel": 1.0}
    assert docs[0].has_annotation("ENT_IOB")
    assert not docs[1].has_annotation("ENT_IOB")
    pairs = json.loads(written(tuples.writer, tasks)[0])
    assert pairs[0][1]["spans"] == {"sc": [[4, 8, "GPE"]]}
    example = Example.from_dict(nlp.make_doc(pairs[0][0]), pairs[0][1])
    assert [one.text for one in example.reference.ents] == ["New York", "Paris"]


def test_spacy_converts_the_json_that_is_written() -> None:
    import spacy
    from spacy.tokens import Doc
    from spacy.training.converters.json_to_docs import json_to_docs

    content = Content(spans=(Span(start=0, end=8, label="GPE", id="s1"),))
    raw, _ = written(json2_writer.writer, [plain("New York, Paris", content)])
    nlp = spacy.blank("xx")
    (doc,) = json_to_docs(raw.decode())
    assert isinstance(doc, Doc)
    assert [(one.text, one.label_) for one in doc.ents] == [("New York", "GPE")]
    assert nlp.lang == "xx"


@pytest.mark.parametrize(
    ("module", "expected"),
    [
        (tuples, {}),
        (docbin, {"spans that cut words": 1}),
        (json2_writer, {"spans that cut words": 1, "overlapping spans": 1}),
    ],
)
def test_what_they_cannot_hold_is_named(module: Any, expected: dict[str, int]) -> None:
    content = Content(
        spans=(
            Span(start=0, end=7, label="X", id="a", fragments=((0, 3), (4, 7))),
            Span(start=0, end=2, label="X", id="b", assertion="absent"),
            Span(start=0, end=7, label="Y", id="c"),
            Span(start=4, end=7, label="X", id="d", attributes=(("k", "v"),)),
        ),
        choices=(Choices(name="other", values=("x",)),),
        relations=(Relation(source="b", target="c"),),
        extra='{"brat": {}}',
    )
    task = plain("abc def", content, metadata={"a": "b"}, external_id="e")
    _, omitted = written(module.writer, [task])
    assert dict(omitted) == {
        "metadata": 1,
        "ids of tasks": 1,
        "authors and times of completions": 1,
        "discontinuous spans": 1,
        "assertions": 1,
        "attributes": 1,
        "relations": 1,
        "names of choices": 1,
        "extra of other formats": 1,
        **expected,
    }


@given(TEXTS)
def test_words_make_up_the_text(text: str) -> None:
    extents = task_tokens(task_of(plain(text)).task)
    words, spaces = words_of(text, extents)
    joined = "".join(word + " " * blank for word, blank in zip(words, spaces, strict=True))
    assert joined == text
    assert {text[start:end] for start, end in extents} <= set(words)


@given(st.lists(st.integers(1, 3)), st.data())
def test_tags_come_back(lengths: list[int], data: st.DataObject) -> None:
    found = []
    at = 0
    for length in lengths:
        at += data.draw(st.integers(0, 2))
        found.append((at, at + length, data.draw(st.sampled_from(["X", "Y"]))))
        at += length
    tags = tags_of(at, found)
    assert spans_of(tags, [str(one) for one in range(at)], repair=False) == (found, [])


@pytest.mark.parametrize("text", ["a,a  ", "a   b", " a", "a \n b  "])
def test_json_keeps_spans_over_tokens_of_blanks(text: str) -> None:
    content = Content(spans=(Span(start=0, end=len(text), label="X", id="s1"),))
    raw, _ = written(json2_writer.writer, [plain(text, content)])
    (back,) = tasks_of(json2_reader.read, raw)
    assert back.completions[0].content.spans == content.spans
