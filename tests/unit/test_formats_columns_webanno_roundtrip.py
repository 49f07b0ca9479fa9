"""Tasks written as WebAnno TSV and read again."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from services.annotation.content import Content, Relation, Span
from services.annotation.domain import Split
from services.annotation.formats.columns.webanno import read, writer
from services.annotation.formats.columns.webanno.escapes import (
    escape_text,
    escape_value,
    split,
    unescape_text,
    unescape_value,
)
from services.annotation.formats.records import (
    ParsedCompletion,
    ParsedTask,
    ReadOptions,
    WriteOptions,
)
from services.common.offsets import OffsetEncoding
from tests.support.format_items import NAMES, TEXTS, plain, relations, spans, tasks_of, written

VALUES = st.text("ab_*|[];->\\\t\né👍 ", min_size=0, max_size=8)


@st.composite
def annotated(draw: st.DrawFn) -> ParsedTask:
    text = draw(TEXTS.filter(lambda one: one.strip() != "" and one.split() != []))
    if not any(not char.isspace() for char in text):
        text += "x"
    found = draw(spans(text, rich=True))
    content = Content(spans=found, relations=draw(relations([one.id for one in found], rich=True)))
    return replace(
        plain(text, content),
        external_id=draw(NAMES),
        group=draw(st.one_of(st.just(""), NAMES)),
        split=draw(st.sampled_from(Split)),
        metadata=draw(st.dictionaries(NAMES, VALUES, max_size=2)),
        tags=tuple(sorted(draw(st.sets(NAMES, max_size=2)))),
    )


def holdable(task: ParsedTask) -> tuple[ParsedTask, int]:
    """The task without spans that mark blanks only, which have no token to stand at."""
    (one,) = task.completions
    kept = [span for span in one.content.spans if task.text[span.start : span.end].strip()]
    names = {span.id: f"s{place + 1}" for place, span in enumerate(kept)}
    content = Content(
        spans=tuple(replace(span, id=names[span.id]) for span in kept),
        relations=tuple(
            replace(link, source=names[link.source], target=names[link.target])
            for link in one.content.relations
            if link.source in names and link.target in names
        ),
    )
    dropped = len(one.content.spans) - len(kept)
    return replace(task, completions=(ParsedCompletion(content=content),)), dropped


def ordered(content: Content) -> tuple[tuple[Span, ...], list[Relation]]:
    return content.spans, sorted(
        content.relations, key=lambda one: (one.source, one.target, one.labels, one.direction)
    )


@settings(max_examples=150, deadline=None)
@given(
    st.lists(annotated(), min_size=1, max_size=3),
    st.sampled_from([None, OffsetEncoding.UTF8, OffsetEncoding.CODE_POINT]),
)
def test_everything_comes_back(tasks: list[ParsedTask], unit: OffsetEncoding | None) -> None:
    data, omitted = written(writer, tasks, WriteOptions(encoding=unit))
    again = tasks_of(read, data, ReadOptions(encoding=unit))
    assert len(again) == len(tasks)
    dropped = 0
    for before, after in zip(tasks, again, strict=True):
        expected, count = holdable(before)
        dropped += count
        for name in ("text", "external_id", "group", "split", "metadata", "tags", "tokenised"):
            assert getattr(after, name) == getattr(expected, name), name
        assert ordered(after.completions[0].content) == ordered(expected.completions[0].content)
    assert omitted["spans of blanks only"] == dropped


@given(st.text("ab\\\t\n\r\x08\x0c\x01;|[]_*->é👍"))
def test_escapes(text: str) -> None:
    assert unescape_text(escape_text(text), 3) == text
    value = text.replace("\r", "")
    assert unescape_value(escape_value(value)) == value
    assert split(f"{escape_value(value)}|x", "|") == [escape_value(value), "x"]
