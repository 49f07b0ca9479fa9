"""Real brat files, and archives that are refused."""

from __future__ import annotations

import gzip
import io
import os
import tarfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from services.annotation.formats.brat import archive, read
from services.annotation.formats.brat.document import parse
from services.annotation.formats.brat.standoff import entries_of
from services.annotation.formats.records import ParsedTask, ReadOptions, Refused
from services.annotation.labeling.config import ConfigLabel, LabelingConfig
from services.common.errors import InvalidArgumentError, Reason
from services.common.offsets import OffsetEncoding

ROOT = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("SPANLOOP_TEST_DATA", ROOT.parent / "shared" / "data"))
FOLDER = DATA / "formats" / "brat"

# name: spans, relations, attributes
REAL = {
    "ncbi__9288106": (29, 0, 29),
    "ncbi__9294109": (5, 0, 5),
    "ncbi__9311732": (15, 0, 15),
    "nubes__sample-001.anaes.diate": (7, 2, 0),
    "nubes__sample-001.anaes.phyex": (10, 5, 0),
    "nubes__sample-001.anaes.preil": (3, 1, 0),
    "nubes__sample-001.anaes.recom": (4, 2, 0),
    "nubes__sample-001.cardi.chico": (93, 29, 0),
    "nubes__sample-001.cardi.preil": (49, 20, 0),
    "turku__b107": (5, 0, 0),
    "turku__b204": (36, 0, 0),
    "turku__b308": (1, 0, 0),
}


def packed(members: Mapping[str, str | bytes], mode: str = "w") -> io.BytesIO:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as out:  # type: ignore[call-overload]
        for name, content in members.items():
            raw = content.encode() if isinstance(content, str) else content
            info = tarfile.TarInfo(name)
            info.size = len(raw)
            out.addfile(info, io.BytesIO(raw))
    buffer.seek(0)
    return buffer


def records(members: Mapping[str, str | bytes]) -> list[ParsedTask | Refused]:
    return list(read(packed(members), ReadOptions()))


@pytest.mark.skipif(not FOLDER.is_dir(), reason="the shared data are not here")
@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_all_real_files_are_read(mode: str) -> None:
    members = {path.name: path.read_bytes() for path in sorted(FOLDER.iterdir(), reverse=True)}
    found = {}
    for record in read(packed(members, mode), ReadOptions()):
        assert isinstance(record, ParsedTask), record
        content = record.completions[0].content
        attributes = sum(len(span.attributes) for span in content.spans)
        found[record.external_id] = (len(content.spans), len(content.relations), attributes)
        raw = members[f"{record.external_id}.txt"].decode()
        assert record.text == raw
        if record.ordinal == 1:
            (note,) = record.notes
            assert note.startswith("nubes__annotation.conf: not read")
        else:
            assert record.notes == ()
    assert found == REAL


def test_texts_without_and_with_empty_annotations() -> None:
    first, second, third = records(
        {"b.ann": "", "a.txt": "one", "b.txt": "two\r\n", "sub/c.ann": "T1\tX 0 1\tt\n", "x/": "",
         "sub/c.txt": b"\xff\xfet\x00w\x00o\x00", "._a.txt": "apple"}
    )  # fmt: skip
    assert isinstance(first, ParsedTask)
    assert (first.external_id, first.text) == ("b", "two\r\n")
    assert len(first.completions) == 1
    assert first.completions[0].content.spans == ()
    assert isinstance(second, ParsedTask)
    assert second.completions == ()
    assert isinstance(third, ParsedTask)
    assert (third.external_id, third.text) == ("sub/c", "two")
    assert third.labels == {"X": (3, "sub/c.ann:1")}


@pytest.mark.parametrize(
    ("ann", "reason", "field", "words"),
    [
        ("T1\tX 0 9\tabc", Reason.OFFSET_INVALID, "a.ann:1", "outside the text"),
        ("T1\tX 0 2\tbc", Reason.OFFSET_INVALID, "a.ann:1", "marks 'ab'"),
        ("\nT1\tX 2 2\t", Reason.OFFSET_INVALID, "a.ann:2", "not behind start"),
        ("T1\tX 0 3;1 2\tabc b", Reason.OFFSET_INVALID, "a.ann:1", "overlap"),
        ("T1\tX 0\ta", Reason.FIELD_INVALID, "a.ann:1", "0 5;10 15"),
        ("T1\tX 0 1\ta\nT1\tY 1 2\tb", Reason.FIELD_INVALID, "a.ann:2", "twice"),
        ("T1\tX 0 1\ta\nR1\tr Arg1:T1 Arg2:T9", Reason.FIELD_INVALID, "a.ann:2", "T9"),
        ("E1\tX:T9", Reason.FIELD_INVALID, "a.ann:1", "T9"),
        ("A1\tNeg T9", Reason.FIELD_INVALID, "a.ann:1", "T9"),
        ("R1 broken", Reason.FIELD_INVALID, "a.ann:1", "tab"),
        ("N1\tReference T1", Reason.FIELD_INVALID, "a.ann:1", "Reference T1 DB:id"),
        (b"T1\tX 0 1\t\xff", Reason.REQUEST_MALFORMED, "a.ann", "UTF-8"),
    ],
)
def test_one_bad_pair_is_refused_and_the_rest_read(
    ann: str | bytes, reason: Reason, field: str, words: str
) -> None:
    refused, task = records({"a.txt": "abc de", "a.ann": ann, "b.txt": "b"})
    assert isinstance(refused, Refused)
    assert (refused.line, refused.reason, refused.field) == (1, reason, field)
    assert words in refused.message
    assert isinstance(task, ParsedTask)


def test_other_units_are_named_but_not_guessed() -> None:
    refused, *_ = records({"a.txt": "👍 abc", "a.ann": "T1\tX 3 6\tabc"})
    assert isinstance(refused, Refused)
    assert "UTF16" in refused.message
    (task,) = read(
        packed({"a.txt": "👍 abc", "a.ann": "T1\tX 3 6\tabc"}),
        ReadOptions(encoding=OffsetEncoding.UTF16),
    )
    assert isinstance(task, ParsedTask)
    assert (task.completions[0].content.spans[0].start, task.text[2:5]) == (2, "abc")


def test_line_ends_within_a_span_are_blanks_in_its_text_column() -> None:
    (task,) = records({"a.txt": "one\r\ntwo  three", "a.ann": "T1\tX 0 15\tone two three\n"})
    assert isinstance(task, ParsedTask), task


def test_spans_that_are_there_twice_become_one() -> None:
    (task,) = records(
        {"a.txt": "ab", "a.ann": "T1\tX 0 1\ta\nT2\tX 0 1\ta\nT3\tY 1 2\tb\nR1\tr Arg1:T2 Arg2:T3"}
    )
    assert isinstance(task, ParsedTask)
    content = task.completions[0].content
    assert [span.id for span in content.spans] == ["T1", "T3"]
    assert content.relations[0].source == "T1"
    assert task.notes == ("a.ann:2: T2 has the label and extent of T1: read as one span.",)


@pytest.mark.parametrize(
    ("line", "assertion", "kept"),
    [
        ("A1\tAssertion T1 absent", "absent", "Assertion"),
        ("A1\tNegated T1", "Negated", "Negated"),
        ("A1\tPolarity T1 Hypo", "Hypo", "Polarity"),
        ("A1\tassertion T1 absent", "absent", ""),
    ],
)
def test_attributes_that_are_assertions(line: str, assertion: str, kept: str) -> None:
    entries = entries_of(f"T1\tX 0 1\ta\n{line}", "a.ann")
    parsed = parse("ab", entries, "a.ann", None, frozenset({"Negated", "Hypo"}))
    (span,) = parsed.content.spans
    assert (span.assertion, span.attributes) == (assertion, ())
    assert (f'"{kept}"' in parsed.content.extra) == bool(kept)


def test_assertions_follow_the_labelling_config() -> None:
    config = LabelingConfig(
        source="", labels=(ConfigLabel(value="Absent", alias="neg", assertion=True),)
    )
    pair = {"a.txt": "ab", "a.ann": "T1\tX 0 1\ta\nT2\tX 1 2\tb\nA1\tneg T1\nA2\tother T2\n"}
    (task,) = read(packed(pair), ReadOptions(config=config))
    assert isinstance(task, ParsedTask)
    first, second = task.completions[0].content.spans
    assert (first.assertion, first.attributes) == ("neg", ())
    assert (second.assertion, second.attributes) == ("", (("other", "true"),))


def test_members_that_are_no_plain_files_are_refused_by_name() -> None:
    buffer = packed({"../up.txt": "x", "/abs.txt": "x", "a\\b.txt": "x", "ok.txt": "x"})
    with tarfile.open(fileobj=buffer, mode="a") as out:
        link = tarfile.TarInfo("link.txt")
        link.type = tarfile.SYMTYPE
        link.linkname = "/etc/passwd"
        out.addfile(link)
        device = tarfile.TarInfo("device.txt")
        device.type = tarfile.CHRTYPE
        out.addfile(device)
        again = tarfile.TarInfo("ok.txt")
        out.addfile(again)
    buffer.seek(0)
    task, *refused = read(buffer, ReadOptions())
    assert isinstance(task, ParsedTask)
    assert [one.field for one in refused if isinstance(one, Refused)] == [
        "../up.txt",
        "/abs.txt",
        "a\\b.txt",
        "link.txt",
        "device.txt",
        "ok.txt",
    ]
    assert {one.reason for one in refused if isinstance(one, Refused)} == {Reason.FIELD_INVALID}


def test_annotations_without_a_text_and_texts_that_are_too_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(archive, "MAX_TEXT_BYTES", 10)
    alone, long = records({"a.ann": "", "b.txt": "x" * 11})
    assert isinstance(alone, Refused)
    assert (alone.reason, alone.field) == (Reason.FIELD_INVALID, "a.ann")
    assert isinstance(long, Refused)
    assert (long.reason, long.field) == (Reason.REQUEST_TOO_LARGE, "b.txt")


def _cut(data: bytes) -> bytes:
    return data[:700]


def _negative(data: bytes) -> bytes:
    header = bytearray(data[:512])
    header[124:136] = b"\xff" * 12  # a size of -1, as GNU tar writes numbers
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header) + data[512:]


def _absurd(data: bytes) -> bytes:
    info = tarfile.TarInfo("x")
    info.type = tarfile.XHDTYPE
    info.size = 2 * 1024 * 1024
    return info.tobuf() + b"1" * info.size + data


@pytest.mark.parametrize("damage", [_cut, _negative, _absurd, lambda data: b"no archive" * 100])
def test_damaged_archives_are_refused_as_a_whole(damage) -> None:  # type: ignore[no-untyped-def]
    data = damage(packed({"a.txt": "x" * 1000}).getvalue())
    with pytest.raises(InvalidArgumentError) as caught:
        list(read(io.BytesIO(data), ReadOptions()))
    assert caught.value.reason is Reason.REQUEST_MALFORMED


def test_an_archive_that_unpacks_to_too_much_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MAX_ARCHIVE_BYTES", 1_000_000)
    bomb = gzip.compress(packed({"a.txt": b"\0" * 3_000_000}).getvalue())
    with pytest.raises(InvalidArgumentError) as caught:
        list(read(io.BytesIO(bomb), ReadOptions()))
    assert caught.value.reason is Reason.REQUEST_TOO_LARGE


def test_an_archive_without_texts_is_refused() -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        list(read(packed({"annotation.conf": "[entities]"}), ReadOptions()))
    assert caught.value.reason is Reason.IMPORT_EMPTY


def test_a_compressed_archive_that_is_cut_off_is_refused() -> None:
    data = packed({"a.txt": os.urandom(5_000).hex()}, "w:gz").getvalue()
    with pytest.raises(InvalidArgumentError) as caught:
        list(read(io.BytesIO(data[: len(data) // 2]), ReadOptions()))
    assert caught.value.reason is Reason.REQUEST_MALFORMED
