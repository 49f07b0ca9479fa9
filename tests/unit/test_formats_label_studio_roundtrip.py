"""Tasks of any kind, written for Label Studio and Generative AI Lab and read again."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import regex
from hypothesis import given
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
)
from services.annotation.domain import CompletionState, Split
from services.annotation.formats import generative_ai_lab, label_studio
from services.annotation.formats.records import (
    ParsedCompletion,
    ParsedPrediction,
    ParsedTask,
    Reader,
    ReadOptions,
    WriteOptions,
)
from services.annotation.formats.registry import WriterFactory
from services.annotation.labeling.parse import parse
from services.common.offsets import OffsetEncoding
from tests.support import format_items as make
from tests.support.formats import tasks_of

STATUSES = ("absent", "possible")
CONFIG = parse(
    '<View><Text name="text" value="$text"/><Labels name="label" toName="text">'
    '<Label value="PER"/><Label value="absent" assertion="true"/>'
    '<Label value="possible" assertion="true"/></Labels></View>'
)[0]
BOTH = pytest.mark.parametrize(
    ("reader", "factory"),
    [
        (label_studio.read, label_studio.writer),
        (generative_ai_lab.read, generative_ai_lab.writer),
    ],
    ids=["label_studio", "generative_ai_lab"],
)
FIELDS = make.NAMES.filter(lambda one: one not in ("text", "image"))
SCORES = st.sampled_from((0.0, 0.25, 0.5, 1.0))


@st.composite
def contents(draw: st.DrawFn, text: str, pages: int, *, whole: bool = False) -> Content:
    """What annotations say, within what results can say: an assertion per extent."""
    edges = [0, *(one.end() for one in regex.finditer(r"\X", text))] if whole else None
    spans = draw(make.spans(text, cuts=edges, ids=True, rich=True))
    status: dict[tuple[int, int], str] = {}
    kept = []
    for one in spans:
        place = (one.start, one.end)
        if place not in status:
            status[place] = draw(st.sampled_from(("", *STATUSES)))
        kept.append(replace(one, assertion=status[place]))
    regions = []
    for number in range(draw(st.integers(0, 2)) if pages else 0):
        numbers = st.sampled_from((0.0, 1.5, 99.25))
        regions.append(
            Region(
                x=draw(numbers),
                y=draw(numbers),
                width=draw(numbers),
                height=draw(numbers),
                rotation=draw(numbers),
                labels=tuple(draw(st.lists(make.NAMES, max_size=2, unique=True))),
                text=draw(st.one_of(st.just(""), make.TEXTS)),
                page=draw(st.integers(1, pages)),
                id=f"box {number}",
                attributes=tuple(
                    sorted(draw(st.dictionaries(make.NAMES, make.TEXTS, max_size=1)).items())
                ),
            )
        )
    ids = [one.id for one in spans] + [one.id for one in regions]
    relations = [
        Relation(
            source=draw(st.sampled_from(ids)),
            target=draw(st.sampled_from(ids)),
            labels=tuple(draw(st.lists(make.NAMES, max_size=2))),
            direction=draw(st.sampled_from(Direction)),
            id=f"rel{number + 1}",
        )
        for number in range(draw(st.integers(0, 3)) if ids else 0)
    ]
    chosen = draw(
        st.dictionaries(
            make.NAMES, st.lists(make.NAMES, min_size=1, max_size=3, unique=True), max_size=2
        )
    )
    return Content(
        spans=tuple(kept),
        choices=tuple(Choices(name=key, values=tuple(chosen[key])) for key in sorted(chosen)),
        relations=tuple(relations),
        regions=tuple(regions),
    )


@st.composite
def completions(draw: st.DrawFn, content: Content, predictions: int) -> ParsedCompletion:
    """Annotations in all states."""
    created, updated = sorted((draw(make.TIMES), draw(make.TIMES)))
    state = draw(st.sampled_from(CompletionState))
    reviewed = state in (CompletionState.ACCEPTED, CompletionState.REJECTED)
    links = st.sampled_from([None, *range(predictions)])
    return ParsedCompletion(
        content=content,
        author=draw(make.NAMES),
        state=state,
        ground_truth=state is not CompletionState.DRAFT and draw(st.booleans()),
        lead_time=draw(st.sampled_from((0.0, 2.0, 8.65))),
        created=created,
        updated=updated,
        submitted=None if state is CompletionState.DRAFT else updated,
        reviewer=draw(make.NAMES) if reviewed else "",
        comment=draw(st.one_of(st.just(""), make.TEXTS)) if reviewed else "",
        prediction=draw(links),
    )


@st.composite
def predictions(draw: st.DrawFn, text: str, number: int) -> ParsedPrediction:
    """Predictions as they are stored."""
    spans = draw(make.spans(text, max_size=3))
    chosen = draw(st.lists(st.tuples(make.NAMES, make.NAMES), max_size=3, unique=True))
    return ParsedPrediction(
        model_version=f"m{number}",
        spans=tuple(
            ScoredSpan(start=one.start, end=one.end, label=one.label, score=draw(SCORES))
            for one in spans
        ),
        choices=tuple(
            ScoredChoice(name=name, value=value, score=draw(SCORES))
            for name, value in sorted(chosen)
        ),
        created=draw(make.TIMES),
    )


@st.composite
def tasks(draw: st.DrawFn, *, whole: bool = False) -> ParsedTask:
    """Tasks as imports store them."""
    text = draw(make.TEXTS)
    pages = tuple(
        Page(image=f"/pages/{number}.png") for number in range(draw(st.sampled_from((0, 0, 1, 2))))
    )
    proposed = (
        () if whole else tuple(draw(predictions(text, n)) for n in range(draw(st.integers(0, 2))))
    )
    made = tuple(
        draw(completions(draw(contents(text, len(pages), whole=whole)), len(proposed)))
        for _ in range(draw(st.integers(0, 2)))
    )
    return ParsedTask(
        line=1,
        ordinal=1,
        text=text,
        completions=made,
        predictions=proposed,
        external_id=draw(st.one_of(st.just(""), make.NAMES)),
        split=draw(st.sampled_from(Split)),
        tags=tuple(sorted(draw(st.sets(make.NAMES, max_size=2)))),
        group=draw(st.one_of(st.just(""), make.NAMES)),
        metadata=draw(st.dictionaries(FIELDS, make.TEXTS, max_size=2)),
        pages=pages,
        tokenised=draw(st.booleans()),
    )


def bare(task: ParsedTask) -> ParsedTask:
    """A task without what only an import of the format gives it; drafts behind the others."""
    return replace(
        task,
        line=1,
        ordinal=1,
        extra="",
        labels={},
        completions=tuple(
            sorted(
                (replace(one, content=replace(one.content, extra="")) for one in task.completions),
                key=lambda one: one.state is CompletionState.DRAFT,
            )
        ),
        predictions=tuple(replace(one, extra="") for one in task.predictions),
    )


def written(factory: WriterFactory, given: list[ParsedTask], options: WriteOptions) -> bytes:
    """The file of tasks, of which nothing may be left out."""
    out = factory(options)
    data = out.begin() + b"".join(out.add(one) for one in tasks_of(given)) + out.end()
    assert not out.omitted
    return data


@BOTH
@given(given_tasks=st.lists(tasks(), max_size=2))
def test_everything_comes_back(
    reader: Reader, factory: WriterFactory, given_tasks: list[ParsedTask]
) -> None:
    data = written(factory, given_tasks, WriteOptions(config=CONFIG))
    found = make.tasks_of(reader, data, ReadOptions(config=CONFIG))
    assert [bare(one) for one in found] == [bare(one) for one in given_tasks]
    again = written(factory, found, WriteOptions(config=CONFIG))
    assert json.loads(again) == json.loads(data)


@BOTH
@given(task=tasks(whole=True))
def test_offsets_in_utf16_units_come_back(
    reader: Reader, factory: WriterFactory, task: ParsedTask
) -> None:
    data = written(factory, [task], WriteOptions(config=CONFIG, encoding=OffsetEncoding.UTF16))
    options = ReadOptions(config=CONFIG, encoding=OffsetEncoding.UTF16)
    assert [bare(one) for one in make.tasks_of(reader, data, options)] == [bare(task)]
