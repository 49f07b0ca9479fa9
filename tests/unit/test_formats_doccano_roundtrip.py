"""doccano's shapes: what they mean, and what comes back of what is written."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.annotation.content import Choices, Content, Direction, Relation, Span
from services.annotation.formats.doccano.reader import read
from services.annotation.formats.doccano.writer import writer
from services.annotation.formats.records import ParsedTask, ReadOptions, Refused, WriteOptions
from services.common.errors import Reason
from services.common.offsets import OffsetEncoding
from tests.support.format_items import (
    NAMES,
    TEXTS,
    choices,
    counts,
    extents,
    json_of,
    plain,
    records,
    refused,
    relations,
    spans,
    tasks_of,
    written,
)

ROOT = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("SPANLOOP_TEST_DATA", ROOT.parent / "shared" / "data"))
FOLDER = DATA / "formats" / "doccano"
_IMPORT, _EXPORT, _TESTS = (
    "data_import__pipeline__examples__",
    "data_export__pipeline__examples__",
    "data_import__tests__data__",
)
# name: tasks, annotations, spans, relations, choices, refusals
REAL = {
    f"{_EXPORT}intent_detection__example.jsonl": (2, 2, 3, 0, 2, 0),
    f"{_EXPORT}relation_extraction__example.jsonl": (1, 1, 4, 3, 0, 0),
    f"{_EXPORT}sequence_labeling__example.jsonl": (3, 3, 4, 0, 0, 0),
    f"{_EXPORT}text_classification__example.json": (3, 3, 0, 0, 3, 0),
    f"{_EXPORT}text_classification__example.jsonl": (3, 3, 0, 0, 3, 0),
    f"{_IMPORT}intent_detection__example.jsonl": (2, 2, 3, 0, 2, 0),
    f"{_IMPORT}relation_extraction__example.jsonl": (1, 1, 4, 3, 0, 0),
    f"{_IMPORT}sequence_labeling__example.jsonl": (3, 3, 3, 0, 0, 0),
    f"{_IMPORT}sequence_to_sequence__example.json": (3, 3, 0, 0, 3, 0),
    f"{_IMPORT}sequence_to_sequence__example.jsonl": (3, 3, 0, 0, 3, 0),
    f"{_IMPORT}text_classification__example.json": (3, 3, 0, 0, 3, 0),
    f"{_IMPORT}text_classification__example.jsonl": (3, 3, 0, 0, 3, 0),
    f"{_TESTS}intent__example.jsonl": (4, 3, 2, 0, 2, 1),
    f"{_TESTS}relation_extraction__example.jsonl": (1, 1, 4, 3, 0, 0),
    f"{_TESTS}sequence_labeling__example.jsonl": (2, 2, 1, 0, 0, 1),
    f"{_TESTS}sequence_labeling__example_overlapping.jsonl": (1, 1, 1, 0, 0, 0),
    f"{_TESTS}text_classification__example.json": (3, 3, 0, 0, 3, 1),
    f"{_TESTS}text_classification__example.jsonl": (3, 3, 0, 0, 3, 0),
}


@pytest.mark.skipif(not FOLDER.is_dir(), reason="the shared data are not here")
def test_real_files() -> None:
    names = {one.name for one in FOLDER.iterdir() if one.suffix in (".json", ".jsonl")}
    assert names == set(REAL)
    for name, expected in REAL.items():
        found = records(read, (FOLDER / name).read_bytes())
        assert counts(found) == expected, name
        refusals = [one for one in found if isinstance(one, Refused)]
        # The only fault in them: texts that are missing.
        assert all(one.reason is Reason.FIELD_INVALID for one in refusals)
        assert all(one.field.endswith("text") for one in refusals)


@settings(deadline=None)
@given(st.data(), TEXTS, st.booleans(), st.booleans())
def test_what_it_holds_comes_back(
    data: st.DataObject, text: str, annotated: bool, related: bool
) -> None:
    found = data.draw(spans(text, ids=related))
    ends = data.draw(relations([one.id for one in found])) if related else ()
    content = Content(spans=found, choices=data.draw(choices()), relations=ends)
    task = plain(
        text,
        content if annotated else None,
        external_id=data.draw(st.one_of(st.just(""), NAMES)),
        metadata=data.draw(st.dictionaries(NAMES, TEXTS, max_size=3)),
    )
    raw, omitted = written(writer, [task])
    assert set(omitted) <= {"metadata", "authors and times of completions"}
    (back,) = tasks_of(read, raw)
    assert (back.text, back.external_id, back.metadata) == (text, task.external_id, task.metadata)
    assert [one.content for one in back.completions] == ([content] if annotated else [])


@pytest.mark.parametrize("encoding", [OffsetEncoding.UTF8, OffsetEncoding.UTF16])
def test_offsets_in_other_units(encoding: OffsetEncoding) -> None:
    text = "😀 Ünal\r\n"
    content = Content(spans=(Span(start=2, end=6, label="X", id="s1"),))
    raw, _ = written(writer, [plain(text, content)], WriteOptions(encoding=encoding))
    start, end = (5, 10) if encoding is OffsetEncoding.UTF8 else (3, 7)
    assert json_of(raw)[0]["label"] == [[start, end, "X"]]
    (back,) = tasks_of(read, raw, ReadOptions(encoding=encoding))
    assert back.completions[0].content == content


def test_relations_name_entities_by_number() -> None:
    (task,) = tasks_of(
        read,
        '{"id": 3, "text": "ab cd", "entities": [{"id": 11, "start_offset": 3, "end_offset": 5,'
        ' "label": "X"}, {"id": 10, "start_offset": 0, "end_offset": 2, "label": "X"}],'
        ' "relations": [{"id": 4, "from_id": 11, "to_id": 10, "type": "of"}], "Comments": ["hm"]}',
    )
    content = task.completions[0].content
    assert [(one.id, one.start) for one in content.spans] == [("10", 0), ("11", 3)]
    assert content.relations == (Relation(source="11", target="10", labels=("of",), id="4"),)
    assert task.external_id == "3"
    (line,) = json_of(written(writer, [task])[0])
    assert line["relations"] == [{"id": 4, "from_id": 11, "to_id": 10, "type": "of"}]
    assert line["Comments"] == ["hm"]


def test_texts_instead_of_classes_are_kept() -> None:
    given_line = {"text": "a", "label": ["two\nlines"]}
    (task,) = tasks_of(read, '{"text": "a", "label": ["two\\nlines"]}')
    assert task.completions[0].content.choices == ()
    assert len(task.notes) == 1
    assert json_of(written(writer, [task])[0]) == [given_line]


def test_one_class_may_stand_alone() -> None:
    (task,) = tasks_of(read, '{"data": "a", "labels": "x"}', ReadOptions(choices_name="kind"))
    assert task.completions[0].content.choices == (Choices(name="kind", values=("x",)),)


def test_a_span_that_is_there_twice_is_merged_and_told() -> None:
    (task,) = tasks_of(
        read,
        '{"text": "ab", "entities": [{"id": 1, "start_offset": 0, "end_offset": 1, "label": "X"},'
        '{"id": 2, "start_offset": 0, "end_offset": 1, "label": "X"},'
        '{"id": 3, "start_offset": 1, "end_offset": 2, "label": "X"}],'
        '"relations": [{"from_id": 2, "to_id": 3, "type": "r"}]}',
    )
    assert extents(task) == [(0, 1, "X"), (1, 2, "X")]
    assert task.completions[0].content.relations[0].source == "1"
    assert task.notes == (
        "entities[1]: has the label and extent of entities[0] and was merged with it.",
    )


def test_metadata_of_any_kind() -> None:
    (task,) = tasks_of(read, '{"text": "a", "meta": {"n": 1, "l": [1], "s": "x"}, "page": 2.5}')
    assert task.metadata == {"n": "1", "s": "x", "page": "2.5"}
    assert task.extra == '{"doccano": {"l": [1]}}'


def test_what_it_cannot_hold_is_named() -> None:
    long = Span(
        start=0, end=4, label="X", id="a", fragments=((0, 1), (3, 4)), attributes=(("k", "v"),)
    )
    said = Span(start=0, end=1, label="X", id="b", assertion="absent", attributes=(("k", "v"),))
    content = Content(
        spans=(long, said),
        choices=(Choices(name="other", values=("x",)),),
        relations=(
            Relation(source="a", target="b"),
            Relation(source="b", target="b", labels=("p", "q"), direction=Direction.BOTH),
        ),
        extra='{"brat": {}}',
    )
    raw, omitted = written(writer, [plain("abcd", content, tags=("t",))])
    assert dict(omitted) == {
        "tags": 1,
        "authors and times of completions": 1,
        "discontinuous spans": 1,
        "assertions": 1,
        "attributes": 1,
        "relations": 1,
        "relations without a direction": 1,
        "relations of several labels": 1,
        "names of choices": 1,
        "extra of other formats": 1,
    }
    line: Any = json_of(raw)[0]
    assert [one["type"] for one in line["relations"]] == ["p", "q"]


@pytest.mark.parametrize(
    ("line", "reason", "field"),
    [
        ('{"label": []}', Reason.FIELD_INVALID, "text"),
        ('{"text": "a", "label": [[0, 2, "X"]]}', Reason.OFFSET_INVALID, "label[0][1]"),
        ('{"text": "a", "label": [[0, 1, "X"], [0, 1, "X"], [1, 0, "X"]]}',
         Reason.OFFSET_INVALID, "label[2][1]"),
        ('{"text": "a", "label": [[0, 1, "X"], [0, 1, "X"], [0, 1, " "]]}',
         Reason.FIELD_INVALID, "label[2].label"),
        ('{"text": "a", "label": [[0, 1]]}', Reason.FIELD_INVALID, "label[0]"),
        ('{"text": "a", "label": [], "entities": []}', Reason.FIELD_INVALID, "entities"),
        ('{"text": "a", "entities": [{"start_offset": 0, "end_offset": 1, "label": 1}]}',
         Reason.FIELD_INVALID, "entities[0].label"),
        ('{"text": "a", "entities": [], "relations": [{"from_id": 1, "to_id": 1}]}',
         Reason.FIELD_INVALID, "relations[0].from_id"),
        ('{"text": "a", "cats": [1]}', Reason.FIELD_INVALID, "cats[0]"),
        ('"a"', Reason.REQUEST_MALFORMED, ""),
    ],
)  # fmt: skip
def test_what_is_refused(line: str, reason: Reason, field: str) -> None:
    one = refused(read, line)
    assert (one.reason, one.field) == (reason, field)


def test_the_rest_is_read_on() -> None:
    found = records(read, '{"label": []}\n{"text": "b", "label": []}')
    assert isinstance(found[0], Refused)
    assert isinstance(found[1], ParsedTask)
    assert found[1].ordinal == 2
