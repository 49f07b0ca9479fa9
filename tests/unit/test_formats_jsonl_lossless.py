"""The project's own format: nothing is lost, and what it wrote before is still read."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from services.annotation.content import (
    Choices,
    Content,
    Direction,
    Page,
    Region,
    Relation,
    ScoredChoice,
    ScoredSpan,
    Span,
    Word,
)
from services.annotation.domain import CompletionState, Split
from services.annotation.formats.jsonl.reader import read
from services.annotation.formats.jsonl.writer import writer
from services.annotation.formats.records import (
    ParsedCompletion,
    ParsedPrediction,
    ParsedTask,
    ReadOptions,
    Refused,
    WriteOptions,
)
from services.common.errors import InvalidArgumentError, Reason
from services.common.offsets import OffsetEncoding, to_code_points
from tests.support.format_items import (
    NAMES,
    NOW,
    TEXTS,
    TIMES,
    extents,
    json_of,
    plain,
    records,
    refused,
    relations,
    spans,
    task_of,
    tasks_of,
    written,
)

PERCENT = st.floats(0, 100)
SCORES = st.floats(0, 1)
EXTRAS = st.dictionaries(
    NAMES, st.dictionaries(NAMES, st.one_of(TEXTS, st.integers(), st.lists(st.booleans()))),
    max_size=2,
).map(lambda one: json.dumps(one, ensure_ascii=False) if one else "")  # fmt: skip


@st.composite
def regions(draw: st.DrawFn, pages: int) -> tuple[Region, ...]:
    count = draw(st.integers(0, 2)) if pages else 0
    return tuple(
        Region(
            x=draw(PERCENT),
            y=draw(PERCENT),
            width=draw(PERCENT),
            height=draw(PERCENT),
            rotation=draw(PERCENT),
            labels=tuple(draw(st.lists(NAMES, max_size=2))),
            text=draw(st.one_of(st.just(""), TEXTS)),
            page=draw(st.integers(1, pages)),
            id=f"r{place + 1}",
            attributes=tuple(sorted(draw(st.dictionaries(NAMES, TEXTS, max_size=2)).items())),
        )
        for place in range(count)
    )


@st.composite
def contents(draw: st.DrawFn, text: str, pages: int) -> Content:
    found = draw(spans(text, ids=True, rich=True, fragments=True))
    areas = draw(regions(pages))
    assume(not {one.id for one in found} & {one.id for one in areas})
    chosen = draw(st.dictionaries(NAMES, st.lists(NAMES, min_size=1, max_size=3, unique=True)))
    ends = [one.id for one in (*found, *areas)]
    return Content(
        spans=found,
        choices=tuple(Choices(name=name, values=tuple(chosen[name])) for name in sorted(chosen)),
        relations=tuple(
            replace(one, id=draw(st.one_of(st.just(""), NAMES)))
            for one in draw(relations(ends, rich=True))
        ),
        regions=areas,
        extra=draw(EXTRAS),
    )


@st.composite
def predictions(draw: st.DrawFn, text: str) -> ParsedPrediction:
    found = {(one.start, one.end, one.label) for one in draw(spans(text))}
    return ParsedPrediction(
        model_version=draw(NAMES),
        spans=tuple(
            ScoredSpan(
                start=start,
                end=end,
                label=label,
                score=draw(SCORES),
                assertion=status,
                assertion_score=draw(SCORES) if status else 0.0,
            )
            for start, end, label in sorted(found)
            for status in [draw(st.one_of(st.just(""), NAMES))]
        ),
        choices=tuple(
            ScoredChoice(name=name, value=draw(NAMES), score=draw(SCORES))
            for name in draw(st.lists(NAMES, max_size=2))
        ),
        extra=draw(EXTRAS),
        created=draw(TIMES),
    )


@st.composite
def completions(draw: st.DrawFn, text: str, pages: int, proposed: int) -> ParsedCompletion:
    state = draw(st.sampled_from(CompletionState))
    reviewed = state in (CompletionState.ACCEPTED, CompletionState.REJECTED)
    return ParsedCompletion(
        content=draw(contents(text, pages)),
        author=draw(st.one_of(st.just(""), NAMES)),
        state=state,
        ground_truth=draw(st.booleans()),
        lead_time=draw(st.floats(0, 1e6)),
        created=draw(TIMES),
        updated=draw(TIMES),
        submitted=draw(st.one_of(st.none(), TIMES)),
        reviewer=draw(NAMES) if reviewed else "",
        comment=draw(st.one_of(st.just(""), TEXTS)) if reviewed else "",
        prediction=draw(st.one_of(st.none(), st.integers(0, proposed - 1))) if proposed else None,
    )


@st.composite
def tasks(draw: st.DrawFn) -> ParsedTask:
    text = draw(TEXTS)
    pages = draw(st.lists(st.builds(Page, image=NAMES, width=st.integers(0, 99)), max_size=2))
    words = ()
    if pages and len(text) > 2:
        at = draw(st.integers(1, len(text) - 1))
        words = tuple(
            Word(start=start, end=end, x=draw(PERCENT), y=1.5, width=2.0, height=0.1, page=1)
            for start, end in ((0, at), (at, len(text)))
        )
    if pages and draw(st.booleans()):
        text, words = "", ()
    proposed = draw(st.lists(predictions(text), max_size=2))
    return ParsedTask(
        line=1,
        ordinal=1,
        text=text,
        completions=tuple(draw(st.lists(completions(text, len(pages), len(proposed)), max_size=2))),
        predictions=tuple(proposed),
        external_id=draw(st.one_of(st.just(""), NAMES)),
        split=draw(st.sampled_from(Split)),
        tags=tuple(sorted(draw(st.sets(NAMES, max_size=3)))),
        group=draw(st.one_of(st.just(""), NAMES)),
        metadata=draw(st.dictionaries(NAMES, TEXTS, max_size=3)),
        pages=tuple(pages),
        words=words,
        extra=draw(EXTRAS),
        tokenised=draw(st.booleans()),
    )


def same(found: ParsedTask, task: ParsedTask) -> None:
    assert not found.notes
    assert replace(found, line=1, ordinal=1, labels={}) == task


@settings(deadline=None, max_examples=150)
@given(st.lists(tasks(), min_size=1, max_size=3))
def test_nothing_at_all_is_lost(given_tasks: list[ParsedTask]) -> None:
    data, omitted = written(writer, given_tasks)
    found = tasks_of(read, data)
    assert not omitted
    assert [one.line for one in found] == list(range(1, len(given_tasks) + 1))
    for one, task in zip(found, given_tasks, strict=True):
        same(one, task)


@settings(deadline=None, max_examples=100)
@given(st.data(), TEXTS, st.sampled_from([OffsetEncoding.UTF8, OffsetEncoding.UTF16]))
def test_offsets_are_counted_as_asked(
    data: st.DataObject, text: str, encoding: OffsetEncoding
) -> None:
    cuts = []
    for offset in range(len(text.encode()) + 1):
        try:
            cuts += to_code_points(text, [offset], encoding)
        except InvalidArgumentError:
            continue
    task = plain(text, Content(spans=data.draw(spans(text, cuts=cuts, fragments=True))))
    raw, _ = written(writer, [task], WriteOptions(encoding=encoding))
    (line,) = json_of(raw)
    units = text.encode("utf-8" if encoding is OffsetEncoding.UTF8 else "utf-16-le")
    size = 1 if encoding is OffsetEncoding.UTF8 else 2
    codec = "utf-8" if size == 1 else "utf-16-le"
    (completion,) = task.completions
    listed: Any = line["spans"]
    for span, one in zip(completion.content.spans, listed, strict=True):
        piece = units[one["start"] * size : one["end"] * size].decode(codec)
        assert piece == text[span.start : span.end]
    (found,) = tasks_of(read, raw, ReadOptions(encoding=encoding))
    assert found.completions[0].content == completion.content


def test_one_annotation_stands_on_the_line_itself() -> None:
    span = Span(start=0, end=5, label="CITY", id="s1")
    task = plain("Paris", Content(spans=(span,)), external_id="a")
    (line,) = json_of(written(writer, [task])[0])
    assert line["id"] == "a"
    assert line["spans"] == [{"start": 0, "end": 5, "label": "CITY", "id": "s1"}]
    assert "completions" not in line


def test_drafts_rejected_and_several_never_look_submitted() -> None:
    for state in (CompletionState.DRAFT, CompletionState.REJECTED):
        one = ParsedCompletion(content=Content(), state=state)
        (line,) = json_of(written(writer, [replace(plain("a"), completions=(one,))])[0])
        assert "spans" not in line
        listed: Any = line["completions"]
        assert [each["state"] for each in listed] == [state.value.lower()]


def test_links_to_predictions_that_are_gone_are_counted() -> None:
    item = task_of(plain("a", Content()))
    assert item.chosen is not None
    gone = replace(item.chosen, copied_from="projects/p/tasks/t/predictions/x")
    out = writer(WriteOptions())
    out.add(replace(item, task=replace(item.task, completions=(gone,))))
    assert dict(out.omitted) == {"links to predictions that are gone": 1}


def test_what_was_written_before_is_read() -> None:
    line = (
        '\ufeff{"id": 7, "text": "In Paris.", "spans": [{"start": 3, "end": 8, "label": "CITY"}], '
        '"split": "train", "metadata": {"a": "b"}}\r\n\n{"text": "open", "spans": null}\r\n'
    )
    first, second = tasks_of(read, line)
    assert first.external_id == "7"
    assert first.split is Split.TRAIN
    assert first.metadata == {"a": "b"}
    assert extents(first) == [(3, 8, "CITY")]
    assert first.completions[0].content.spans[0].id == "s1"
    assert first.completions[0].state is CompletionState.SUBMITTED
    assert first.labels == {"CITY": (1, "spans[0].label")}
    assert (second.line, second.ordinal, second.completions) == (3, 2, ())


def test_empty_spans_are_an_annotation() -> None:
    (task,) = tasks_of(read, '{"text": "a", "spans": []}')
    assert [one.content for one in task.completions] == [Content()]


def test_unknown_keys_are_told() -> None:
    (task,) = tasks_of(read, '{"text": "a", "span": [], "completions": [{"authour": "x"}]}')
    assert task.notes == (
        "span: is no key of this format and was not kept.",
        "completions[0].authour: is no key of this format and was not kept.",
    )


def test_relations_of_a_line() -> None:
    (task,) = tasks_of(
        read,
        '{"text": "ab", "spans": [{"start": 0, "end": 1, "label": "X", "id": "p"},'
        '{"start": 1, "end": 2, "label": "X", "id": "q"}],'
        '"relations": [{"source": "q", "target": "p", "labels": ["of"], "direction": "both"}]}',
    )
    assert task.completions[0].content.relations == (
        Relation(source="q", target="p", labels=("of",), direction=Direction.BOTH),
    )


@pytest.mark.parametrize(
    ("line", "reason", "field"),
    [
        ("{", Reason.REQUEST_MALFORMED, ""),
        ("[1]\n[2]", Reason.REQUEST_MALFORMED, ""),
        ('{"text": ""}', Reason.FIELD_INVALID, "text"),
        ('{"text": "a\\u0000"}', Reason.FIELD_INVALID, "text"),
        ('{"text": "a\\ud800"}', Reason.FIELD_INVALID, "text"),
        ('{"text": "a", "spans": {}}', Reason.FIELD_INVALID, "spans"),
        ('{"text": "a", "spans": [null]}', Reason.FIELD_INVALID, "spans[0]"),
        (
            '{"text": "a", "spans": [{"start": 0, "end": 2, "label": "X"}]}',
            Reason.OFFSET_INVALID,
            "spans[0].end",
        ),
        (
            '{"text": "a", "spans": [{"start": true, "end": 1, "label": "X"}]}',
            Reason.OFFSET_INVALID,
            "spans[0].start",
        ),
        ('{"text": "a", "split": "other"}', Reason.FIELD_INVALID, "split"),
        ('{"text": "a", "metadata": {"a": 1}}', Reason.FIELD_INVALID, "metadata"),
        ('{"text": "a", "tags": ["x", 1]}', Reason.FIELD_INVALID, "tags[1]"),
        (
            '{"text": "a", "spans": [], "completions": []}',
            Reason.FIELD_INVALID,
            "completions",
        ),
        (
            '{"text": "a", "completions": [{"state": "done"}]}',
            Reason.FIELD_INVALID,
            "completions[0].state",
        ),
        (
            '{"text": "a", "completion": {"created": "2024-01-01T00:00:00"}}',
            Reason.FIELD_INVALID,
            "completion.created",
        ),
        (
            '{"text": "a", "completion": {"prediction": 0}}',
            Reason.FIELD_INVALID,
            "completion.prediction",
        ),
        (
            '{"text": "a", "regions": [{"x": 0, "y": 0, "width": 1, "height": 1}]}',
            Reason.FIELD_INVALID,
            "regions[0]",
        ),
        (
            (
                '{"text": "a", "predictions": [{"model_version": "m", "spans": '
                '[{"start": 0, "end": 1, "label": "X", "score": 2}]}]}'
            ),
            Reason.FIELD_INVALID,
            "predictions[0].spans[0].score",
        ),
        (
            '{"text": "a", "words": [{"start": 0, "end": 9}]}',
            Reason.OFFSET_INVALID,
            "words[0].end",
        ),
        ('{"text": "a", "extra": []}', Reason.FIELD_INVALID, "extra"),
    ],
)
def test_what_is_refused(line: str, reason: Reason, field: str) -> None:
    one = records(read, line)[0]
    assert isinstance(one, Refused)
    assert (one.line, one.reason, one.field) == (1, reason, field)


def test_lines_behind_a_refused_one_are_read() -> None:
    found = records(read, '{"text": ""}\n{"text": "b"}\nno\n{"text": "d"}')
    assert [isinstance(one, Refused) for one in found] == [True, False, True, False]
    assert [one.line for one in found] == [1, 2, 3, 4]


def test_members_of_an_array_are_named_by_their_place() -> None:
    found = records(read, '[\n {"text": "a"},\n {"text": 1}\n]')
    assert isinstance(found[0], ParsedTask)
    assert isinstance(found[1], Refused)
    assert (found[1].line, found[1].field) == (3, "[1].text")


def test_too_long_a_line_is_refused_alone() -> None:
    data = '{"text": "' + "a" * 500 + '"}\n{"text": "b"}'
    first, second = records(read, data, ReadOptions(max_line_bytes=100))
    assert isinstance(first, Refused)
    assert first.reason is Reason.LINE_TOO_LONG
    assert isinstance(second, ParsedTask)


def test_times_are_exact_and_need_a_zone() -> None:
    (task,) = tasks_of(
        read, '{"text": "a", "completion": {"created": "2023-11-14T23:13:20.000001+01:00"}}'
    )
    assert task.completions[0].created == NOW + 1
    assert refused(read, '{"text": "a", "completion": {"created": 5}}').field == (
        "completion.created"
    )
