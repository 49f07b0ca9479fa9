"""Tasks for tests of formats: made up by hypothesis, from what was parsed, and written."""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Callable, Sequence

from hypothesis import strategies as st

from services.annotation.content import Choices, Content, Direction, Relation, Span
from services.annotation.domain import (
    Completion,
    CompletionState,
    Prediction,
    Review,
    Task,
    prediction_name,
)
from services.annotation.formats.records import (
    ExportItem,
    ParsedCompletion,
    ParsedTask,
    Reader,
    ReadOptions,
    Record,
    Refused,
    WriteOptions,
    Writer,
)

NOW = 1_700_000_000_000_000
PIECES = st.one_of(
    st.sampled_from("abcXYZ019 .,;:<>&\"'\\/\t\n#*|-_[]{}`"),
    st.sampled_from(
        (
            *("\r\n", "é", "e\u0301", "👩\u200d👧", "🇪🇺", "ß", "漢", "\u2028", "\x85"),
            *("\ufeff", "\u00a0", "  ", "\U0001f600", "``", "-LRB-"),
        )
    ),
)
TEXTS = st.lists(PIECES, min_size=1, max_size=25).map("".join)
NAMES = st.text("abcXYZ09-_.é漢👍 ", min_size=1, max_size=8).filter(lambda one: one == one.strip())
TIMES = st.integers(0, 253_402_300_799_999_999)


@st.composite
def spans(
    draw: st.DrawFn,
    text: str,
    *,
    cuts: Sequence[int] | None = None,
    ids: bool = False,
    rich: bool = False,
    fragments: bool = False,
    max_size: int = 6,
) -> tuple[Span, ...]:
    """Spans as they are stored: sorted, unique, with ids."""
    edges = sorted(set(range(len(text) + 1) if cuts is None else cuts))
    found: dict[tuple[object, ...], Span] = {}
    for _ in range(draw(st.integers(0, max_size)) if len(edges) > 1 else 0):
        size = 2
        if fragments and len(edges) >= 4 and draw(st.booleans()):
            size = 4
        marks = sorted(
            draw(st.lists(st.sampled_from(edges), min_size=size, max_size=size, unique=True))
        )
        pieces = ((marks[0], marks[1]), (marks[2], marks[3])) if size == 4 else ()
        label = draw(NAMES)
        attributes = draw(st.dictionaries(NAMES, TEXTS, max_size=2)) if rich else {}
        one = Span(
            start=marks[0],
            end=marks[-1],
            label=label,
            fragments=pieces,
            assertion=draw(st.one_of(st.just(""), NAMES)) if rich else "",
            attributes=tuple(sorted(attributes.items())),
        )
        found[(one.start, one.end, one.label, one.fragments)] = one
    listed = list(found.values())
    names = [f"s{place + 1}" for place in range(len(listed))]
    if ids and draw(st.booleans()):
        names = draw(st.lists(NAMES, min_size=len(listed), max_size=len(listed), unique=True))
        named = [_with_id(one, name) for one, name in zip(listed, names, strict=True)]
        return tuple(sorted(named, key=lambda one: (one.start, one.end, one.label, one.id)))
    ordered = sorted(listed, key=lambda one: (one.start, one.end, one.label))
    return tuple(_with_id(one, name) for one, name in zip(ordered, names, strict=True))


def _with_id(one: Span, name: str) -> Span:
    return Span(
        start=one.start, end=one.end, label=one.label, id=name, fragments=one.fragments,
        assertion=one.assertion, attributes=one.attributes,
    )  # fmt: skip


@st.composite
def relations(draw: st.DrawFn, ids: Sequence[str], *, rich: bool = False) -> tuple[Relation, ...]:
    """Relations between these ids; not `rich`: to the right, with one label or none."""
    if not ids:
        return ()
    found = []
    for _ in range(draw(st.integers(0, 3))):
        labels = draw(st.lists(NAMES, max_size=3 if rich else 1))
        found.append(
            Relation(
                source=draw(st.sampled_from(ids)),
                target=draw(st.sampled_from(ids)),
                labels=tuple(labels),
                direction=draw(st.sampled_from(Direction)) if rich else Direction.RIGHT,
            )
        )
    return tuple(found)


def choices(name: str = "label") -> st.SearchStrategy[tuple[Choices, ...]]:
    """Choices of one control, or none."""
    listed = st.lists(NAMES, max_size=3, unique=True)
    return listed.map(lambda one: (Choices(name=name, values=tuple(one)),) if one else ())


def task_of(parsed: ParsedTask) -> ExportItem:
    """The task that an import makes of what was parsed, with its first annotation as chosen."""
    predictions = tuple(
        Prediction(
            project="p", task="t", id=f"p{place}", generation=f"import/{one.model_version}",
            adapters={}, model_versions={}, spans=one.spans, choices=one.choices, extra=one.extra,
            created=NOW if one.created is None else one.created,
        )
        for place, one in enumerate(parsed.predictions)
    )  # fmt: skip
    completions = tuple(
        _completion(place, one, predictions) for place, one in enumerate(parsed.completions)
    )
    task = Task(
        project="p", id="t", text=parsed.text, external_id=parsed.external_id, split=parsed.split,
        metadata=parsed.metadata, tokenised=parsed.tokenised, completions=completions, version=1,
        created=NOW, updated=NOW, tags=parsed.tags, group=parsed.group, pages=parsed.pages,
        words=parsed.words, extra=parsed.extra,
    )  # fmt: skip
    return ExportItem(
        task=task, chosen=completions[0] if completions else None, predictions=predictions
    )


def _completion(place: int, one: ParsedCompletion, predictions: Sequence[Prediction]) -> Completion:
    reviewed = one.state in (CompletionState.ACCEPTED, CompletionState.REJECTED)
    source = "" if one.prediction is None else predictions[one.prediction].id
    return Completion(
        id=f"c{place}",
        author=one.author,
        state=one.state,
        content=one.content,
        copied_from=prediction_name("p", "t", source) if source else "",
        version=1,
        created=NOW if one.created is None else one.created,
        updated=NOW if one.updated is None else one.updated,
        submitted=one.submitted,
        review=Review(reviewer=one.reviewer, comment=one.comment, time=NOW) if reviewed else None,
        ground_truth=one.ground_truth,
        lead_time=one.lead_time,
    )


def plain(text: str, content: Content | None = None, **fields: object) -> ParsedTask:
    """A parsed task with one submitted annotation, or none."""
    made = () if content is None else (ParsedCompletion(content=content),)
    return ParsedTask(line=1, ordinal=1, text=text, completions=made, **fields)  # type: ignore[arg-type]


def written(
    factory: Callable[[WriteOptions], Writer],
    tasks: Sequence[ParsedTask],
    options: WriteOptions | None = None,
) -> tuple[bytes, Counter[str]]:
    """The file that is written of tasks, and what was left out."""
    out = factory(options or WriteOptions())
    data = out.begin() + b"".join(out.add(task_of(one)) for one in tasks) + out.end()
    return data, out.omitted


def records(reader: Reader, data: bytes | str, options: ReadOptions | None = None) -> list[Record]:
    """What is read of a file."""
    raw = data.encode() if isinstance(data, str) else data
    return list(reader(io.BytesIO(raw), options or ReadOptions()))


def tasks_of(
    reader: Reader, data: bytes | str, options: ReadOptions | None = None
) -> list[ParsedTask]:
    """What is read of a file of which nothing may be refused."""
    found = records(reader, data, options)
    assert not [one for one in found if isinstance(one, Refused)], found
    return [one for one in found if isinstance(one, ParsedTask)]


def refused(reader: Reader, data: bytes | str, options: ReadOptions | None = None) -> Refused:
    """The only thing that is read of a file, a refusal."""
    (one,) = records(reader, data, options)
    assert isinstance(one, Refused), one
    return one


def extents(task: ParsedTask) -> list[tuple[int, int, str]]:
    """The spans of the only annotation of a task."""
    (one,) = task.completions
    return [(span.start, span.end, span.label) for span in one.content.spans]


def counts(found: Sequence[Record]) -> tuple[int, int, int, int, int, int]:
    """Tasks, annotations, spans, relations, choices and refusals."""
    tasks = [one for one in found if isinstance(one, ParsedTask)]
    contents = [one.content for task in tasks for one in task.completions]
    return (
        len(tasks),
        len(contents),
        sum(len(one.spans) for one in contents),
        sum(len(one.relations) for one in contents),
        sum(len(choice.values) for one in contents for choice in one.choices),
        len(found) - len(tasks),
    )


def json_of(data: bytes) -> list[dict[str, object]]:
    """The objects of JSON lines."""
    return [json.loads(line) for line in data.decode().split("\n") if line]
