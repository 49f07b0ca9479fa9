"""Tasks written as a brat archive and read again."""

from __future__ import annotations

import io
import string
import tarfile
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.annotation.content import Choices, Content, Direction, Relation, Span
from services.annotation.domain import Completion, CompletionState, Split, Task
from services.annotation.formats.brat import read, writer
from services.annotation.formats.records import (
    ExportItem,
    ParsedTask,
    ReadOptions,
    WriteOptions,
)
from services.common.offsets import OffsetEncoding

ALPHABET = st.one_of(
    st.sampled_from(string.ascii_letters + string.digits + " .,;:<>&\"'\\\t\n\r#*"),
    st.sampled_from(
        ["\r\n", "é", "e\u0301", "👩\u200d👧", "🇪🇺", "ß", "漢"],  # clusters of several code points
    ),
    st.sampled_from(
        ["\u2028", "\u0085", "\ufeff", "\u00a0"]  # line ends and blanks to others
    ),
)
NAMES = st.text("abcXYZ09-_.é漢", min_size=1, max_size=8)
VALUES = st.one_of(
    st.just("true"), st.text("ab c:#|é👍", min_size=1, max_size=12).filter(lambda v: v == v.strip())
)
ATTRIBUTES = st.one_of(NAMES, st.sampled_from(["note", "note:Error", "normalization:MeSH"]))


def completion(content: Content) -> Completion:
    return Completion(
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


def item(text: str, content: Content | None, id: str = "t1", **fields: object) -> ExportItem:
    chosen = None if content is None else completion(content)
    task = Task(
        project="p",
        id=id,
        text=text,
        external_id=str(fields.get("external_id", "")),
        split=Split.UNSPECIFIED,
        metadata=dict(fields.get("metadata", {})),  # type: ignore[call-overload]
        tokenised=False,
        completions=() if chosen is None else (chosen,),
        version=1,
        created=1,
        updated=1,
    )
    return ExportItem(task=task, chosen=chosen)


def written(
    *items: ExportItem, encoding: OffsetEncoding | None = None
) -> tuple[bytes, Counter[str]]:
    out = writer(WriteOptions(encoding=encoding))
    data = out.begin() + b"".join(out.add(one) for one in items) + out.end()
    return data, out.omitted


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
        label = draw(NAMES)
        if (pieces, label) in seen:
            continue
        seen.add((pieces, label))
        attributes = draw(st.dictionaries(ATTRIBUTES, VALUES, max_size=3))
        spans.append(
            Span(
                start=points[0],
                end=points[-1],
                label=label,
                id=f"T{len(spans) + 1}",
                fragments=pieces if len(pieces) > 1 else (),
                assertion=draw(st.sampled_from(["", "absent", "hypothetical one"])),
                attributes=tuple(sorted(attributes.items())),
            )
        )
    spans.sort(key=lambda one: (one.start, one.end, one.label, one.id))
    relations: list[Relation] = []
    if spans:
        ends = st.sampled_from([one.id for one in spans])
        for number, (source, target) in enumerate(
            draw(st.lists(st.tuples(ends, ends), max_size=4)), start=1
        ):
            relations.append(
                Relation(source=source, target=target, labels=(draw(NAMES),), id=f"R{number}")
            )
    return text, Content(spans=tuple(spans), relations=tuple(relations))


@settings(max_examples=150, deadline=None)
@given(contents(), st.sampled_from([None, OffsetEncoding.CODE_POINT]))
def test_everything_that_brat_can_hold_comes_back(
    given_content: tuple[str, Content], encoding: OffsetEncoding | None
) -> None:
    text, content = given_content
    (task,) = again(item(text, content, external_id="doc/1"), encoding=encoding)
    assert task.text == text
    assert task.external_id == "doc/1"
    assert [one.content for one in task.completions] == [content]


@settings(max_examples=60, deadline=None)
@given(
    st.text("a é👍漢", min_size=2, max_size=30),
    st.sampled_from([OffsetEncoding.UTF8, OffsetEncoding.UTF16]),
    st.data(),
)
def test_offsets_in_other_units(text: str, unit: OffsetEncoding, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(start + 1, len(text)))
    content = Content(spans=(Span(start=start, end=end, label="X", id="T1"),))
    (task,) = again(item(text, content), encoding=unit)
    assert task.completions[0].content == content


def test_events_keep_arguments_ids_and_what_is_said_about_them() -> None:
    ann = (
        "T1\tAttack 0 6\tStrike\nT2\tPlace 10 14\tRome\nT3\tDie 20 24\tdied\n"
        "E1\tAttack:T1 Where:T2 Effect:E2\nE2\tDie:T3\n"
        "A1\tNegation E1\nA2\tConfidence T2 L1\nA3\tassertion E2 absent\n"
        "R1\tCauses Arg1:E1 Arg2:T3\n*\tEquiv T2 T3 E1\n"
        "N1\tReference T2 GO:GO:7\tRome, Italy\nN2\tReference T2 GO:8\n"
        "#1\tAnnotatorNotes T2\tsure?\n#2\tAnnotatorNotes R1\tabout a relation\n"
        "W1\tsomething else\n"
    )
    task = read_pair("Strike in Rome then died.", ann)
    content = task.completions[0].content
    by_id = {one.id: one for one in content.spans}
    assert dict(by_id["T1"].attributes) == {"event": "E1", "Negation": "true"}
    assert dict(by_id["T2"].attributes) == {
        "Confidence": "L1",
        "normalization:GO": "GO:7 Rome, Italy",
        "normalization:GO#2": "8",
        "note": "sure?",
    }
    assert by_id["T3"].assertion == "absent"
    assert [(one.id, one.source, one.target, one.labels[0]) for one in content.relations] == [
        ("E1.1", "T1", "T2", "Where"),
        ("E1.2", "T1", "T3", "Effect"),
        ("R1", "T1", "T3", "Causes"),
        ("*1.1", "T2", "T3", "Equiv"),
        ("*1.2", "T3", "T1", "Equiv"),
    ]
    assert content.relations[3].direction is Direction.BOTH
    data, _ = written(item(task.text, content))
    back = file_of(data, "t1.ann")
    for line in (
        "E1\tAttack:T1 Where:T2 Effect:E2",
        "E2\tDie:T3",
        "R1\tCauses Arg1:E1 Arg2:T3",
        "*\tEquiv T2 T3 E1",
        "N1\tReference T2 GO:GO:7\tRome, Italy",
        "#2\tAnnotatorNotes R1\tabout a relation",
        "W1\tsomething else",
    ):
        assert line in back.splitlines()
    (second,) = again(item(task.text, content))
    assert second.completions[0].content == content


def test_a_trigger_of_two_events_keeps_them_apart() -> None:
    ann = (
        "T1\tBind 0 4\tbind\nT2\tP 5 6\ta\nE1\tBind:T1 Theme:T2\nE2\tBind:T1\n"
        "A1\tNegation E2\nA2\tSize T1 big\n"
    )
    content = read_pair("bind a", ann).completions[0].content
    assert dict(content.spans[0].attributes) == {
        "event": "E1 E2",
        "E2:Negation": "true",
        "Size": "big",
    }
    (second,) = again(item("bind a", content))
    assert second.completions[0].content == content
    assert "Negation E2" in file_of(written(item("bind a", content))[0], "t1.ann")


def test_what_brat_cannot_hold_is_counted() -> None:
    content = Content(
        spans=(
            Span(start=0, end=1, label="Two words", id="s1", attributes=(("a", "x\ny"), ("b", ""))),
            Span(start=1, end=2, label="B", id="s2"),
        ),
        choices=(Choices(name="c", values=("x",)),),
        relations=(
            Relation(source="s1", target="s2", direction=Direction.LEFT, labels=("L", "M")),
            Relation(source="s1", target="s2", direction=Direction.BOTH),
        ),
    )
    data, omitted = written(item("ab", content, external_id="../a:b", metadata={"k": "v"}))
    assert omitted == {
        "metadata": 1,
        "choices": 1,
        "authors and times of completions": 1,
        "blanks in labels (written as _)": 1,
        "line breaks and outer blanks in attributes": 1,
        "attributes without a value": 1,
        "several labels of a relation (written as several relations)": 1,
        "relations to the left (written to the right, ends swapped)": 1,
        "relations without a label (written as Related)": 1,
        "external ids (changed to safe file names)": 1,
    }
    (task,) = read(io.BytesIO(data), ReadOptions())
    assert isinstance(task, ParsedTask)
    assert task.external_id == "_/a_b"
    assert [one.label for one in task.completions[0].content.spans] == ["Two_words", "B"]


def test_open_and_empty_are_told_apart_and_names_are_unique() -> None:
    first, second, third = again(
        item("one", None, external_id="Doc"),
        item("two", Content(), external_id="doc"),
        item("three", None, external_id="d/./.x"),
    )
    assert first.completions == ()
    assert [one.content for one in second.completions] == [Content()]
    assert [first.external_id, second.external_id, third.external_id] == [
        "Doc",
        "doc~2",
        "d/_/_x",
    ]


def test_other_tools_can_unpack_the_archive() -> None:
    data, _ = written(item("ü\r\n" * 700, Content(), external_id="ü" * 120), item("b", None))
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        assert [member.name for member in archive] == [
            "ü" * 90 + ".txt",
            "ü" * 90 + ".ann",
            "t1.txt",
        ]
        member = archive.extractfile("ü" * 90 + ".txt")
        assert member is not None
        assert member.read().decode() == "ü\r\n" * 700
    assert len(data) % tarfile.RECORDSIZE == 0


def read_pair(text: str, ann: str) -> ParsedTask:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in (("a.txt", text), ("a.ann", ann)):
            info = tarfile.TarInfo(name)
            info.size = len(content.encode())
            archive.addfile(info, io.BytesIO(content.encode()))
    buffer.seek(0)
    (task,) = read(buffer, ReadOptions())
    assert isinstance(task, ParsedTask), task
    return task


def file_of(data: bytes, name: str) -> str:
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        member = archive.extractfile(name)
        assert member is not None
        return member.read().decode()


@pytest.mark.parametrize("text", ["\ufeffab", "\ufeff\ufeffab"])
def test_a_text_that_begins_with_a_byte_order_mark(text: str) -> None:
    content = Content(spans=(Span(start=1, end=3, label="X", id="T1"),))
    (task,) = again(item(text, content))
    assert task.text == text
    assert task.completions[0].content == content
