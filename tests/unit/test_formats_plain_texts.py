"""Plain text, CSV and fastText: real files, made-up ones, and round trips."""

from __future__ import annotations

import csv as standard_csv
import os
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.annotation.content import Choices, Content, Span
from services.annotation.formats.plain import csv, fasttext, text
from services.annotation.formats.records import (
    ParsedTask,
    ReadOptions,
    Record,
    Refused,
    WriteOptions,
)
from services.annotation.spans import MAX_TEXT
from services.common.errors import InvalidArgumentError, Reason
from tests.support.format_items import (
    NAMES,
    TEXTS,
    choices,
    counts,
    plain,
    records,
    refused,
    tasks_of,
    written,
)

ROOT = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("SPANLOOP_TEST_DATA", ROOT.parent / "shared" / "data"))
FOLDER = DATA / "formats" / "doccano"
EXPORT, IMPORT = "data_export__pipeline__examples__", "data_import__pipeline__examples__"
TESTS = "data_import__tests__data__text_classification__"
MODULES = {"csv": csv, "fasttext": fasttext, "text": text}
# Texts, annotations, classes, refusals.
EXPECTED = {
    f"{EXPORT}text_classification__example.csv": ("csv", 3, 3, 3, 0),
    f"{IMPORT}sequence_to_sequence__example.csv": ("csv", 3, 3, 3, 0),
    f"{IMPORT}text_classification__example.csv": ("csv", 3, 3, 3, 0),
    f"{TESTS}example.csv": ("csv", 2, 1, 1, 1),
    f"{TESTS}example.invalid.2.csv": ("csv", 2, 2, 2, 1),
    f"{TESTS}example_out_of_order_columns.csv": ("csv", 2, 1, 1, 1),
    f"{EXPORT}text_classification__example.txt": ("fasttext", 3, 3, 3, 0),
    f"{IMPORT}text_classification__example.txt": ("fasttext", 3, 3, 3, 0),
    f"{TESTS}example_fasttext.txt": ("fasttext", 3, 2, 3, 1),
    f"{IMPORT}task_agnostic__text_files.txt": ("text", 3, 0, 0, 0),
    f"{IMPORT}task_agnostic__text_lines.txt": ("text", 3, 0, 0, 0),
}


def classes(task: ParsedTask) -> list[str]:
    return [value for one in task.completions for c in one.content.choices for value in c.values]


@pytest.mark.skipif(not FOLDER.is_dir(), reason="the shared data are not here")
@pytest.mark.parametrize("name", EXPECTED)
def test_every_real_file(name: str) -> None:
    module, *expected = EXPECTED[name]
    found = records(MODULES[module].read, (FOLDER / name).read_bytes())
    tasks, completions, _, _, values, bad = counts(found)
    assert [tasks, completions, values, bad] == expected


@pytest.mark.skipif(not FOLDER.is_dir(), reason="the shared data are not here")
def test_why_real_rows_are_refused() -> None:
    def reasons(module: str, name: str) -> list[tuple[int, str]]:
        found: list[Record] = records(MODULES[module].read, (FOLDER / name).read_bytes())
        return [(one.line, one.field) for one in found if isinstance(one, Refused)]

    assert reasons("csv", f"{TESTS}example.csv") == [(4, "text")]
    assert reasons("csv", f"{TESTS}example.invalid.2.csv") == [(2, "columns")]
    assert reasons("csv", f"{TESTS}example_out_of_order_columns.csv") == [(4, "text")]
    assert reasons("fasttext", f"{TESTS}example_fasttext.txt") == [(4, "text")]


CLASSES = NAMES.filter(lambda one: "|" not in one)


@st.composite
def classified(draw: st.DrawFn, kinds: st.SearchStrategy[str] = CLASSES) -> ParsedTask:
    said = draw(st.text("abc ,;|\"'\t\n\réé👍漢\ufeff", min_size=1, max_size=12))
    said = f"{said}x" if not said.strip() else said
    values = tuple(draw(st.lists(kinds, max_size=2, unique=True)))
    content = Content(choices=(Choices(name="label", values=values),)) if values else None
    return plain(said, content)


@settings(max_examples=120, deadline=None)
@given(st.lists(classified(), min_size=1, max_size=3), st.sampled_from(["", ";", "\t", "|"]))
def test_csv_keeps_texts_and_classes(tasks: list[ParsedTask], sign: str) -> None:
    tasks = [replace(one, external_id=f"t{place}") for place, one in enumerate(tasks)]
    data, omitted = written(csv.writer, tasks, WriteOptions(separator=sign))
    again = tasks_of(csv.read, data)
    for before, after in zip(tasks, again, strict=True):
        assert (after.text, after.external_id) == (before.text, before.external_id)
        assert after.completions == before.completions
    assert set(omitted) <= {"authors and times of completions"}


@settings(max_examples=120, deadline=None)
@given(st.lists(classified(NAMES.map(lambda one: "_".join(one.split()))), min_size=1, max_size=3))
def test_fasttext_keeps_lines_and_classes(tasks: list[ParsedTask]) -> None:
    lines = [" ".join(one.text.split()) for one in tasks]
    tasks = [replace(one, text=line) for one, line in zip(tasks, lines, strict=True)]
    data, omitted = written(fasttext.writer, tasks)
    assert [(one.text, one.completions) for one in tasks_of(fasttext.read, data)] == [
        (one.text, one.completions) for one in tasks
    ]
    assert set(omitted) <= {"authors and times of completions"}


@settings(max_examples=100, deadline=None)
@given(st.lists(TEXTS.filter(str.strip), min_size=1, max_size=4))
def test_text_keeps_lines(texts: list[str]) -> None:
    tasks = [plain(one) for one in texts]
    data, omitted = written(text.writer, tasks)
    again = [one.text for one in tasks_of(text.read, data)]
    assert again == [one.replace("\r\n", " ").replace("\n", " ").rstrip("\r") for one in texts]
    changed = sum(one != other for one, other in zip(again, texts, strict=True))
    assert omitted["line ends (written as blanks)"] == changed


@given(TEXTS.filter(str.strip))
def test_a_whole_file_is_one_text(said: str) -> None:
    options = ReadOptions(whole_file=True, file_name="a/b.txt")
    for encoding in ("utf-8", "utf-8-sig", "utf-16"):
        if encoding == "utf-8" and said.startswith("\ufeff"):
            continue
        (task,) = tasks_of(text.read, said.encode(encoding), options)
        assert (task.text, task.external_id, task.completions) == (said, "a/b.txt", ())


def test_whole_files_that_are_refused() -> None:
    options = ReadOptions(whole_file=True)
    assert refused(text.read, b"a\n\xff", options).line == 2
    assert records(text.read, b" \n", options) == []
    assert refused(text.read, "x" * (MAX_TEXT + 1), options).field == "text"
    assert refused(text.read, "a\0b", options).field == "text"
    with pytest.raises(InvalidArgumentError) as raised:
        records(text.read, b"x" * (4 * MAX_TEXT + 5), options)
    assert raised.value.reason is Reason.REQUEST_TOO_LARGE


def test_csv_columns_by_name_number_and_guess() -> None:
    data = "Nr,Said,Mood\n1,Hello there,good\n2,Bye,\n"
    named = ReadOptions(text_column="Said", label_column="Mood", choices_name="mood")
    first, second = tasks_of(csv.read, data, named)
    assert (first.text, first.metadata, classes(first)) == ("Hello there", {"Nr": "1"}, ["good"])
    assert first.completions[0].content.choices[0].name == "mood"
    assert second.completions == ()
    numbered = ReadOptions(text_column="2", label_column="3")
    assert [one.text for one in tasks_of(csv.read, data, numbered)] == [
        "Said",
        "Hello there",
        "Bye",
    ]
    with pytest.raises(InvalidArgumentError, match="text_column"):
        records(csv.read, data, ReadOptions(text_column="Text"))
    with pytest.raises(InvalidArgumentError, match="separator"):
        records(csv.read, data, ReadOptions(separator="||"))
    (task,) = tasks_of(csv.read, "good;Hello you\n")
    assert (task.text, classes(task)) == ("Hello you", ["good"])
    (task,) = tasks_of(csv.read, "just a text\n")
    assert (task.text, classes(task)) == ("just a text", [])


def test_csv_ids_notes_and_several_classes() -> None:
    (task,) = tasks_of(csv.read, 'id,source,text,label\r\n7,web,"a\r\nb ""c""",x|y\r\n')
    assert (task.external_id, task.metadata, task.line) == ("7", {"source": "web"}, 2)
    assert task.text == 'a\r\nb "c"'
    assert classes(task) == ["x", "y"]


def test_csv_rows_that_are_refused() -> None:
    found = records(csv.read, 'text,label\n"a"b,x\nfine,y\nlong' + ",z" * 3 + "\n")
    assert [type(one) for one in found] == [Refused, ParsedTask, Refused]
    first, _, third = found
    assert isinstance(first, Refused)
    assert isinstance(third, Refused)
    assert (first.line, first.reason) == (2, Reason.REQUEST_MALFORMED)
    assert (third.line, third.field) == (4, "columns")
    bad, good = records(csv.read, b"text,label\n\xff,x\nfine,y\n")
    assert isinstance(bad, Refused)
    assert isinstance(good, ParsedTask)
    assert (bad.line, good.line) == (2, 3)


def test_csv_holds_texts_longer_than_the_default_limit() -> None:
    long = "ab " * 60_000
    (task,) = tasks_of(csv.read, f'text\n"{long}"\n')
    assert task.text == long
    assert standard_csv.field_size_limit() > MAX_TEXT


def test_fasttext_lines() -> None:
    found = tasks_of(fasttext.read, "__label__a\t__label__b-c  Say it\n\n open text \n")
    assert [(one.text, classes(one), one.line) for one in found] == [
        ("Say it", ["a", "b-c"], 1),
        ("open text ", [], 3),
    ]
    assert refused(fasttext.read, "__label__ text\n").field == "label"
    assert refused(fasttext.read, "__label__a \n").field == "text"


@pytest.mark.parametrize("module", [csv, fasttext, text])
def test_what_does_not_fit_is_counted(module: object) -> None:
    content = Content(
        spans=(Span(start=0, end=3, label="A", id="s1"),),
        choices=(Choices(name="label", values=("a|b",)), Choices(name="other", values=("c",))),
    )
    tasks = [plain("one\ntwo", content), plain(" "), plain("__label__x y")]
    data, omitted = written(module.writer, tasks)  # type: ignore[attr-defined]
    if module is text:
        expected = {
            "annotations": 1, "choices": 2, "line ends (written as blanks)": 1,
            "tasks without a text": 1,
        }  # fmt: skip
        assert data == b"one two\n__label__x y\n"
    elif module is csv:
        expected = {
            "spans": 1, "choices of other names": 1, "tasks without a text": 1,
            "bars in classes (written as strokes)": 1,
        }  # fmt: skip
        assert data == b'id,text,label\n,"one\ntwo",a/b\n,__label__x y,\n'
    else:
        expected = {
            "spans": 1, "choices of other names": 1, "tasks without a text": 1,
            "blanks around texts and line ends (written as blanks)": 1,
            "tasks whose text begins like a class": 1,
        }  # fmt: skip
        assert data == b"__label__a|b one two\n"
    assert omitted == expected | {"authors and times of completions": 1}


@settings(max_examples=30, deadline=None)
@given(choices())
def test_annotations_without_a_class_are_counted(chosen: tuple[Choices, ...]) -> None:
    _, omitted = written(csv.writer, [plain("a", Content(choices=chosen))])
    assert omitted["annotations without a class"] == (not chosen)


def test_texts_that_are_read_in_other_encodings() -> None:
    for encoding in ("utf-8-sig", "utf-16"):
        assert [one.text for one in tasks_of(text.read, "é\r\n👍 ".encode(encoding))] == [
            "é",
            "👍 ",
        ]


@pytest.mark.parametrize("module", [fasttext, text])
def test_ids_are_counted(module: object) -> None:
    tasks = [replace(plain("a"), external_id=one) for one in ("", "7", "8")]
    _, omitted = written(module.writer, tasks)  # type: ignore[attr-defined]
    assert omitted["ids of tasks"] == 2


def test_csv_without_a_header_drops_no_cell() -> None:
    said = "My first review\nGreat, really great\nBad, very bad, awful\nFine\n"
    found = records(csv.read, said)
    assert [type(one) for one in found] == [ParsedTask, Refused, Refused, ParsedTask]
    second = found[1]
    assert isinstance(second, Refused)
    assert (second.line, second.field) == (2, "columns")
    assert "--format text" in second.message
    found = records(csv.read, "a long text,pos\nb text,neg,extra\nc text\nd,neg\n")
    assert [one.field if isinstance(one, Refused) else "" for one in found] == [
        *("", "columns", "columns", "")
    ]


def test_csv_tells_once_which_columns_without_names_it_leaves_out() -> None:
    first, second = tasks_of(csv.read, "1,a long text,pos\n2,b text,neg\n")
    assert (first.text, first.metadata) == ("a long text", {})
    (note,) = first.notes
    assert note.startswith("columns: ")
    assert "columns 1, 3" in note
    assert second.notes == ()
    named = ReadOptions(text_column="2", label_column="3")
    bad, good, _ = records(csv.read, "1,,pos\n2,b text,neg\n3,c,pos\n", named)
    assert isinstance(bad, Refused)
    assert isinstance(good, ParsedTask)
    assert "column 1 " in good.notes[0]
