"""Tasks written as a BioC collection and read again."""

from __future__ import annotations

import io
import string
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.annotation.content import Choices, Content, Direction, Relation, Span
from services.annotation.domain import Completion, CompletionState, Split, Task
from services.annotation.formats.bioc import read, writer
from services.annotation.formats.records import (
    ExportItem,
    ParsedTask,
    ReadOptions,
    WriteOptions,
)
from services.common.offsets import OffsetEncoding

ALPHABET = st.one_of(
    st.sampled_from(string.ascii_letters + string.digits + " .,;<>&\"'\\\t\n\r"),
    st.sampled_from(
        [
            "\r\n",
            "]]>",
            "é",
            "e\u0301",
            "👩\u200d👧",
            "🇪🇺",
            "漢",
        ],  # clusters of several code points
    ),
    st.sampled_from(
        ["\u2028", "\u0085", "\ufeff"]  # line ends and blanks to others
    ),
)
LINES = st.text("abc XYZ<&>\"'é漢👍", min_size=1, max_size=8).filter(lambda v: v == v.strip())
VALUES = st.text("ab c\n\t\r<&>\"'é👍", max_size=12)
KEYS = LINES.filter(lambda key: key not in ("type", "assertion"))


def item(
    text: str, content: Content | None, extra: str = "", metadata: dict[str, str] | None = None
) -> ExportItem:
    chosen = None
    if content is not None:
        chosen = Completion(
            id="c1",
            author="users/ann",
            state=CompletionState.SUBMITTED,
            content=content,
            copied_from="",
            version=1,
            created=1,
            updated=1,
            submitted=1,
        )
    task = Task(
        project="p",
        id="t1",
        text=text,
        external_id="doc-1",
        split=Split.UNSPECIFIED,
        metadata=metadata or {},
        tokenised=False,
        completions=() if chosen is None else (chosen,),
        version=1,
        created=1,
        updated=1,
        extra=extra,
    )
    return ExportItem(task=task, chosen=chosen)


def written(
    *items: ExportItem, encoding: OffsetEncoding | None = None
) -> tuple[bytes, Counter[str]]:
    out = writer(WriteOptions(encoding=encoding))
    return out.begin() + b"".join(map(out.add, items)) + out.end(), out.omitted


def again(*items: ExportItem, encoding: OffsetEncoding | None = None) -> list[ParsedTask]:
    data, _ = written(*items, encoding=encoding)
    records = list(read(io.BytesIO(data), ReadOptions(encoding=encoding)))
    assert all(isinstance(one, ParsedTask) for one in records), records
    return [one for one in records if isinstance(one, ParsedTask)]


@st.composite
def contents(draw: st.DrawFn) -> tuple[str, Content]:
    text = "".join(draw(st.lists(ALPHABET, min_size=1, max_size=40)))
    cuts = st.lists(st.integers(0, len(text)), min_size=2, max_size=6, unique=True)
    spans: list[Span] = []
    seen = set()
    for points in draw(st.lists(cuts, max_size=5)):
        points = sorted(points)[: len(points) // 2 * 2]
        pieces = tuple(zip(points[::2], points[1::2], strict=True))
        label = draw(LINES)
        if (pieces, label) in seen:
            continue
        seen.add((pieces, label))
        spans.append(
            Span(
                start=points[0],
                end=points[-1],
                label=label,
                id=f"s{len(spans) + 1}",
                fragments=pieces if len(pieces) > 1 else (),
                assertion=draw(st.sampled_from(["", "absent", "hypothetical one"])),
                attributes=tuple(sorted(draw(st.dictionaries(KEYS, VALUES, max_size=3)).items())),
            )
        )
    spans.sort(key=lambda one: (one.start, one.end, one.label, one.id))
    relations: list[Relation] = []
    if spans:
        ends = st.sampled_from([one.id for one in spans])
        links = st.tuples(
            ends, ends, st.sampled_from(Direction), st.lists(LINES, max_size=2, unique=True)
        )
        for number, (source, target, direction, labels) in enumerate(
            draw(st.lists(links, max_size=4)), start=1
        ):
            relations.append(
                Relation(
                    source=source,
                    target=target,
                    labels=tuple(labels),
                    direction=direction,
                    id=f"r{number}",
                )
            )
    return text, Content(spans=tuple(spans), relations=tuple(relations))


@settings(max_examples=150, deadline=None)
@given(contents(), st.dictionaries(LINES, VALUES, max_size=3))
def test_everything_that_bioc_can_hold_comes_back(
    given_content: tuple[str, Content], metadata: dict[str, str]
) -> None:
    text, content = given_content
    (task,) = again(item(text, content, metadata=metadata))
    assert task.text == text
    assert task.external_id == "doc-1"
    assert task.metadata == metadata
    expected = [content] if content.spans else []
    assert [one.content for one in task.completions] == expected


@settings(max_examples=60, deadline=None)
@given(
    st.text("a é👍漢", min_size=2, max_size=30),
    st.sampled_from([OffsetEncoding.UTF8, OffsetEncoding.UTF16]),
    st.data(),
)
def test_offsets_in_other_units(text: str, unit: OffsetEncoding, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(start + 1, len(text)))
    content = Content(spans=(Span(start=start, end=end, label="X", id="s1"),))
    (task,) = again(item(text, content), encoding=unit)
    assert task.completions[0].content == content


FULL = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE collection SYSTEM "BioC.dtd">
<collection><source>PMC &amp; more</source><date>2024</date><key>k.key</key>
<infon key="version">2</infon>
<document><id>d1</id><infon key="journal">J</infon>
<passage><infon key="section">title</infon><offset>0</offset><text>Über A.</text>
<annotation id="T1"><infon key="type">X</infon><infon key="identifier">7</infon>
<infon key="identifier">8</infon><location offset="5" length="1"/><text>A</text></annotation>
</passage>
<passage><infon key="section">body</infon><offset>8</offset>
<sentence><infon key="n">1</infon><offset>8</offset><text>One two.</text>
<annotation id="T2"><infon key="type">Y</infon>
<location offset="8" length="3"/><location offset="12" length="3"/><text>One two</text></annotation>
</sentence>
<sentence><offset>19</offset><text>Three.</text></sentence></passage>
<annotation id="M1"><infon key="type">topic</infon><text>mesh</text></annotation>
<relation id="R1"><infon key="type">rel</infon><infon key="score">0.5</infon>
<node refid="T2" role="target"/><node refid="T1" role="source"/></relation>
<relation id="R2"><infon key="type">three</infon>
<node refid="T1" role="a"/><node refid="T2" role="b"/><node refid="M1" role="c"/></relation>
<relation id="R3"><node refid="T1" role="drug"/><node refid="T2" role="effect"/></relation>
</document></collection>
"""


def test_a_file_with_everything_is_written_as_it_was() -> None:
    (task,) = read(io.BytesIO(FULL.encode()), ReadOptions())
    assert isinstance(task, ParsedTask)
    assert task.text == "Über A.\nOne two.\n  Three."
    content = task.completions[0].content
    assert [(one.id, one.start, one.end, one.fragments) for one in content.spans] == [
        ("T1", 5, 6, ()),
        ("T2", 8, 15, ((8, 11), (12, 15))),
    ]
    assert [(one.id, one.source, one.target, one.labels) for one in content.relations] == [
        ("R1", "T1", "T2", ("rel",)),
        ("R3", "T1", "T2", ()),
    ]
    assert task.metadata == {"journal": "J"}
    out = item(task.text, content, task.extra, dict(task.metadata))
    data, omitted = written(out)
    assert omitted == {"authors and times of completions": 1}
    xml = data.decode()
    for part in (
        "<source>PMC &amp; more</source>",
        '<infon key="version">2</infon>',
        "<offset>19</offset>",
        '<node refid="T1" role="drug"/>',
        '<node refid="M1" role="c"/>',
        '<infon key="identifier">8</infon>',
        '<infon key="score">0.5</infon>',
        '<location offset="12" length="3"/>',
        "<text>mesh</text>",
    ):
        assert part in xml, part
    (second,) = read(io.BytesIO(data), ReadOptions())
    assert isinstance(second, ParsedTask)
    assert (second.text, second.extra, second.metadata) == (task.text, task.extra, task.metadata)
    assert second.completions[0].content == content


def test_a_span_between_passages_costs_the_passages_only() -> None:
    (task,) = read(io.BytesIO(FULL.encode()), ReadOptions())
    assert isinstance(task, ParsedTask)
    content = Content(spans=(Span(start=6, end=18, label="X", id="n"),))
    data, omitted = written(item(task.text, content, task.extra))
    assert omitted["passages (a span begins or ends between them)"] == 2
    (second,) = read(io.BytesIO(data), ReadOptions())
    assert isinstance(second, ParsedTask)
    assert second.text == task.text
    assert second.completions[0].content == content


def test_what_bioc_cannot_hold_is_counted() -> None:
    content = Content(
        spans=(Span(start=0, end=1, label="X", id="a", attributes=(("type", "t"),)),),
        choices=(Choices(name="c", values=("x",)),),
    )
    data, omitted = written(item("a\x01b", content), item("b", Content()))
    assert omitted == {
        "choices": 1,
        "authors and times of completions": 2,
        "attributes named type or assertion": 1,
        "characters that XML cannot hold (written as U+FFFD)": 1,
        "completions without spans (read as open tasks)": 1,
    }
    first, second = read(io.BytesIO(data), ReadOptions())
    assert isinstance(first, ParsedTask)
    assert isinstance(second, ParsedTask)
    assert first.text == "a\ufffdb"
    assert second.completions == ()


def test_no_tasks_make_an_empty_collection() -> None:
    data, _ = written()
    assert list(read(io.BytesIO(data), ReadOptions())) == []


@pytest.mark.parametrize("extra", ['{"bioc": 3}', '{"bioc": {"passages": [{"start": "x"}]}}', "{}"])
def test_what_somebody_else_wrote_to_extra_does_no_harm(extra: str) -> None:
    (task,) = again(item("text", None, extra))
    assert task.text == "text"
