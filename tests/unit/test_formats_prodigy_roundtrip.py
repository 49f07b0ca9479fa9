"""Prodigy's examples: what they mean, and what comes back of what is written."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.annotation.content import Choices, Content, Direction, Page, Relation, Span
from services.annotation.domain import CompletionState
from services.annotation.formats.prodigy.reader import read
from services.annotation.formats.prodigy.writer import writer
from services.annotation.formats.records import ParsedCompletion, ReadOptions, WriteOptions
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
FOLDER = DATA / "formats" / "prodigy"
# name: tasks, annotations, spans, relations, choices, refusals
REAL = {
    "fashion_brands_eval.first60.jsonl": (60, 60, 39, 0, 0, 0),
    "rel_annotations.first20.jsonl": (20, 20, 60, 38, 0, 0),
}


@pytest.mark.skipif(not FOLDER.is_dir(), reason="the shared data are not here")
def test_real_files() -> None:
    assert {one.name for one in FOLDER.glob("*.jsonl")} == set(REAL)
    for name, expected in REAL.items():
        raw = (FOLDER / name).read_bytes()
        assert counts(records(read, raw)) == expected, name
        tasks = tasks_of(read, raw)
        assert not [one.notes for one in tasks if one.notes]
        back, omitted = written(writer, tasks)
        assert dict(omitted) == {"authors and times of completions": len(tasks)}
        # Every example comes back as it was, but for the order of its spans.
        for before, after in zip(json_of(raw), json_of(back), strict=True):
            assert _sorted(after) == _sorted(before)


def _sorted(example: Any) -> Any:
    return {**example, "spans": sorted(example["spans"], key=lambda one: one["start"])}


@settings(deadline=None)
@given(st.data(), TEXTS, st.booleans())
def test_what_it_holds_comes_back(data: st.DataObject, text: str, annotated: bool) -> None:
    found = data.draw(spans(text, ids=True, rich=True))
    ends = data.draw(relations([one.id for one in found]))
    content = Content(
        spans=found,
        choices=data.draw(choices()),
        relations=tuple(replace(one, id=f"r{place + 1}") for place, one in enumerate(ends)),
    )
    state = data.draw(st.sampled_from([CompletionState.SUBMITTED, CompletionState.REJECTED]))
    author = data.draw(st.one_of(st.just(""), NAMES))
    submitted = data.draw(st.integers(0, 10**9)) * 1_000_000
    one = ParsedCompletion(content=content, author=author, state=state, submitted=submitted)
    task = replace(
        plain(text),
        completions=(one,) if annotated else (),
        external_id=data.draw(st.one_of(st.just(""), NAMES)),
        metadata=data.draw(st.dictionaries(NAMES, TEXTS, max_size=3)),
    )
    raw, omitted = written(writer, [task])
    assert set(omitted) <= {"authors and times of completions"}
    (back,) = tasks_of(read, raw, ReadOptions())
    assert (back.text, back.external_id, back.metadata) == (text, task.external_id, task.metadata)
    assert len(back.completions) == int(annotated)
    for other in back.completions:
        assert replace(other.content, extra="") == content
        assert (other.state, other.author, other.submitted) == (state, author, submitted)


def test_offsets_in_other_units() -> None:
    content = Content(spans=(Span(start=2, end=6, label="X", id="s1"),))
    options = WriteOptions(encoding=OffsetEncoding.UTF16)
    raw, _ = written(writer, [plain("😀 Ünal", content)], options)
    assert json_of(raw)[0]["spans"] == [{"start": 3, "end": 7, "label": "X"}]
    (back,) = tasks_of(read, raw, ReadOptions(encoding=OffsetEncoding.UTF16))
    assert extents(back) == [(2, 6, "X")]


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        ("accept", CompletionState.SUBMITTED),
        ("reject", CompletionState.REJECTED),
        (None, CompletionState.SUBMITTED),
    ],
)
def test_answers(answer: str | None, state: CompletionState) -> None:
    example = {"text": "a", "spans": [], "_annotator_id": "set-ann", "_timestamp": 1_700_000_000}
    if answer is not None:
        example["answer"] = answer
    (task,) = tasks_of(read, json.dumps(example))
    (one,) = task.completions
    assert (one.state, one.author, one.submitted) == (state, "set-ann", 1_700_000_000_000_000)
    assert one.reviewer == ("set-ann" if answer == "reject" else "")


def test_what_was_ignored_is_open_and_comes_back() -> None:
    line = (
        '{"text": "ab", "spans": [{"start": 0, "end": 1, "label": "X"}], "answer": "ignore",'
        ' "_input_hash": 5}'
    )
    (task,) = tasks_of(read, line)
    assert task.completions == ()
    assert len(task.notes) == 1
    assert not task.labels
    assert json_of(written(writer, [task])[0]) == [json.loads(line)]
    # Once somebody has annotated it, what was said then does not stand in the way.
    annotated = replace(task, completions=(ParsedCompletion(content=Content()),))
    (after,) = json_of(written(writer, [annotated])[0])
    assert (after["spans"], after["answer"]) == ([], "accept")


def test_an_example_without_an_answer_is_open() -> None:
    (task,) = tasks_of(read, '{"text": "a", "meta": {"source": "x", "score": 0.5}}')
    assert task.completions == ()
    assert task.metadata == {"source": "x", "score": "0.5"}


def test_options() -> None:
    line = {
        "text": "a",
        "options": [{"id": 1, "text": "one"}, {"id": "two", "text": "two"}],
        "accept": [1, "two"],
        "answer": "accept",
    }
    (task,) = tasks_of(read, json.dumps(line), ReadOptions(choices_name="kind"))
    assert task.completions[0].content.choices == (Choices(name="kind", values=("1", "two")),)
    (back,) = json_of(written(writer, [task], WriteOptions(choices_name="kind"))[0])
    assert back["options"] == line["options"]
    assert back["accept"] == ["1", "two"]


def test_a_label_that_was_shown() -> None:
    (task,) = tasks_of(read, '{"text": "a", "label": "SPORT", "answer": "reject"}')
    assert task.completions[0].content.choices == (Choices(name="label", values=("SPORT",)),)
    assert task.completions[0].state is CompletionState.REJECTED


def test_categories_keep_their_scores() -> None:
    line = {"text": "a", "cats": {"x": 1, "y": 0.0, "z": 0.7}}
    (task,) = tasks_of(read, json.dumps(line))
    assert task.completions[0].content.choices == (Choices(name="label", values=("x", "z")),)
    (back,) = json_of(written(writer, [task])[0])
    assert back["cats"] == line["cats"]


def test_relations_of_tokens_without_spans_are_kept() -> None:
    line = {
        "text": "a b c",
        "spans": [{"start": 0, "end": 1, "token_start": 0, "token_end": 0, "label": "X"}],
        "relations": [
            {"head": 0, "child": 1, "label": "r"},
            {"head": 0, "child": 0, "label": "self", "color": "red"},
        ],
        "answer": "accept",
    }
    (task,) = tasks_of(read, json.dumps(line))
    content = task.completions[0].content
    assert content.relations == (Relation(source="s1", target="s1", labels=("self",), id="r1"),)
    assert [one.partition(":")[0] for one in task.notes] == ["relations[0]"]
    (back,) = json_of(written(writer, [task])[0])
    listed: Any = back["relations"]
    assert {"head": 0, "child": 1, "label": "r"} in listed
    assert any(one.get("color") == "red" and one["head"] == 0 for one in listed)


def test_shapes_on_images_are_kept() -> None:
    line = {
        "image": "https://example.org/a.png",
        "width": 100,
        "height": 50,
        "spans": [{"label": "CAR", "points": [[1, 2], [3, 4]]}],
        "answer": "accept",
    }
    (task,) = tasks_of(read, json.dumps(line))
    assert task.text == ""
    assert task.pages == (Page(image="https://example.org/a.png", width=100, height=50),)
    assert task.completions[0].content.spans == ()
    assert len(task.notes) == 1
    assert json_of(written(writer, [task])[0]) == [line]


def test_what_it_cannot_hold_is_named() -> None:
    content = Content(
        spans=(
            Span(start=0, end=4, label="X", id="a", fragments=((0, 1), (3, 4))),
            Span(start=0, end=1, label="X", id="b"),
        ),
        choices=(Choices(name="other", values=("x",)),),
        relations=(
            Relation(source="a", target="b"),
            Relation(source="b", target="b", labels=("p", "q"), direction=Direction.BOTH),
        ),
        extra='{"brat": {}}',
    )
    _, omitted = written(writer, [plain("abcd", content, group="g")])
    assert dict(omitted) == {
        "groups": 1,
        "authors and times of completions": 1,
        "discontinuous spans": 1,
        "relations": 1,
        "relations without a direction": 1,
        "relations of several labels": 1,
        "names of choices": 1,
        "extra of other formats": 1,
    }


def test_any_extra_can_be_written() -> None:
    for extra in ('{"prodigy": []}', '{"prodigy": {"spans": 1, "relations": [], "cats": "x"}}'):
        span = Span(start=0, end=1, label="X", id="s1")
        content = Content(
            spans=(span,), relations=(Relation(source="s1", target="s1", id="r1"),), extra=extra
        )
        raw, _ = written(writer, [plain("a", content)])
        (back,) = tasks_of(read, raw)
        assert extents(back) == [(0, 1, "X")]


@pytest.mark.parametrize(
    ("line", "reason", "field"),
    [
        ('{"html": "<b>"}', Reason.FIELD_INVALID, "text"),
        ('{"text": "a", "answer": "yes"}', Reason.FIELD_INVALID, "answer"),
        ('{"text": "a", "spans": [{"start": 0, "end": 9, "label": "X"}]}',
         Reason.OFFSET_INVALID, "spans[0].end"),
        ('{"text": "a", "spans": [{"label": "X"}, {"start": 1, "end": 1, "label": "X"}]}',
         Reason.OFFSET_INVALID, "spans[1].end"),
        ('{"text": "a", "spans": [{"start": 0.5, "end": 1, "label": "X"}]}',
         Reason.OFFSET_INVALID, "spans[0].start"),
        ('{"text": "a", "accept": [null]}', Reason.FIELD_INVALID, "accept[0]"),
        ('{"text": "a", "answer": "accept", "_timestamp": -1}', Reason.FIELD_INVALID,
         "_timestamp"),
        ('{"text": "a", "cats": {"x": 2}}', Reason.FIELD_INVALID, "cats.x"),
    ],
)  # fmt: skip
def test_what_is_refused(line: str, reason: Reason, field: str) -> None:
    one = refused(read, line)
    assert (one.reason, one.field) == (reason, field)
