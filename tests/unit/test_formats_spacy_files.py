"""spaCy's training data: real files, what they mean, damaged ones."""

from __future__ import annotations

import contextlib
import gc
import json
import os
import pickle
import struct
import zlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.annotation.content import Choices
from services.annotation.formats.records import ParsedTask, ReadOptions, Refused
from services.annotation.formats.spacy_ import docbin, json2_reader, json2_writer, tuples
from services.common.errors import InvalidArgumentError, Reason
from tests.support.format_items import counts, extents, records, refused, tasks_of, written

ROOT = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("SPANLOOP_TEST_DATA", ROOT.parent / "shared" / "data"))
FOLDER = DATA / "formats" / "spacy"
# name: reader, and tasks, annotations, spans, relations, choices, refusals
REAL: dict[str, Any] = {
    "ner_example_data__ner-sent-per-line.json": (json2_reader, (1, 1, 7, 0, 0, 0)),
    "ner_example_data__ner-token-per-line-conll2003.json": (json2_reader, (1, 1, 7, 0, 0, 0)),
    "ner_example_data__ner-token-per-line-with-pos.json": (json2_reader, (1, 1, 7, 0, 0, 0)),
    "ner_example_data__ner-token-per-line.json": (json2_reader, (1, 1, 7, 0, 0, 0)),
    "textcat_example_data__cooking.json": (json2_reader, (10, 10, 0, 0, 10, 0)),
    "textcat_example_data__jigsaw-toxic-comment.json": (json2_reader, (10, 10, 0, 0, 8, 0)),
    "training-data.json": (json2_reader, (1, 1, 11, 0, 0, 0)),
    "spacy_v2_tuples_street_ninja.json": (tuples, (102, 102, 205, 0, 0, 0)),
    "textcat_example_data__cooking.jsonl": (tuples, (10, 10, 0, 0, 10, 0)),
    "textcat_example_data__jigsaw-toxic-comment.jsonl": (tuples, (10, 10, 0, 0, 8, 0)),
}


@pytest.mark.skipif(not FOLDER.is_dir(), reason="the shared data are not here")
def test_real_files() -> None:
    names = {one.name for one in FOLDER.iterdir() if one.suffix in (".json", ".jsonl")}
    assert names == set(REAL)
    for name, (module, expected) in REAL.items():
        options = ReadOptions(file_name=name)
        found = records(module.read, (FOLDER / name).read_bytes(), options)
        assert counts(found) == expected, name


@pytest.mark.skipif(not FOLDER.is_dir(), reason="the shared data are not here")
@pytest.mark.parametrize("name", [name for name in REAL if REAL[name][0] is json2_reader])
def test_real_paragraphs_come_back_token_by_token(name: str) -> None:
    raw = (FOLDER / name).read_bytes()
    back = json.loads(written(json2_writer.writer, tasks_of(json2_reader.read, raw))[0])
    before = [one for document in json.loads(raw) for one in document["paragraphs"]]
    after = [one for document in back for one in document["paragraphs"]]
    assert after == before


def paragraph(**body: Any) -> str:
    return json.dumps([{"id": 0, "paragraphs": [body]}])


def tokens(*pairs: tuple[str, str]) -> list[dict[str, Any]]:
    return [{"tokens": [{"orth": word, "ner": tag} for word, tag in pairs]}]


def test_tokens_are_found_in_the_raw_text() -> None:
    words = [("``", "O"), ("New", "B-X"), ("York", "L-X"), ("\n\n", "O"), ("-LRB-", "U-Y")]
    (task,) = tasks_of(
        json2_reader.read, paragraph(raw='"New  York \n\n (', sentences=tokens(*words))
    )
    assert extents(task) == [(1, 10, "X"), (14, 15, "Y")]
    assert not task.tokenised


def test_tokens_without_a_text_are_joined() -> None:
    (task,) = tasks_of(json2_reader.read, paragraph(sentences=tokens(("a", "U-X"), ("b", "O"))))
    assert task.text == "a b"
    assert task.tokenised
    assert extents(task) == [(0, 1, "X")]


def test_unknown_tags_leave_the_task_open() -> None:
    (task,) = tasks_of(json2_reader.read, paragraph(sentences=tokens(("a", "-"))))
    assert task.completions == ()


def test_iob_tags_and_listed_entities() -> None:
    (task,) = tasks_of(
        json2_reader.read,
        paragraph(
            raw="a b c",
            sentences=tokens(("a", "B-X"), ("b", "I-X"), ("c", "B-X")),
            entities=[
                {"start": 0, "end": 3, "label": "X"},
                {"start": 0, "end": 5, "label": "Z"},
            ],
            cats=[{"label": "p", "value": 1.0}, {"label": "q", "value": 0.0}],
        ),
    )
    assert extents(task) == [(0, 3, "X"), (0, 5, "Z"), (4, 5, "X")]
    assert task.completions[0].content.choices == (Choices(name="label", values=("p",)),)
    assert not task.notes


def test_paragraphs_of_a_document_are_a_group() -> None:
    one = {"sentences": tokens(("a", "O"))}
    data = json.dumps([{"id": 4, "paragraphs": [one, one]}, {"id": "x", "paragraphs": [one]}])
    found = tasks_of(json2_reader.read, data, ReadOptions(file_name="f.json"))
    assert [task.group for task in found] == ["f.json#4", "f.json#4", "x"]
    assert [task.ordinal for task in found] == [1, 2, 3]


@pytest.mark.parametrize(
    ("tags", "spans"),
    [
        (["I-X", "L-X"], [(0, 3, "X")]),
        (["B-X", "L-Y"], [(0, 1, "X"), (2, 3, "Y")]),
        (["B-X", "U-X"], [(0, 1, "X"), (2, 3, "X")]),
        (["L-X", "O"], [(0, 1, "X")]),
    ],
)
def test_inconsistent_tags_are_refused_or_repaired(
    tags: list[str], spans: list[tuple[int, int, str]]
) -> None:
    data = paragraph(sentences=tokens(*zip("ab", tags, strict=True)))
    assert refused(json2_reader.read, data).reason is Reason.TAGS_INCONSISTENT
    (task,) = tasks_of(json2_reader.read, data, ReadOptions(repair=True))
    assert extents(task) == spans
    assert task.notes


@pytest.mark.parametrize(
    ("data", "field"),
    [
        (paragraph(raw="a", sentences=tokens(("b", "O"))),
         "[0].paragraphs[0].sentences[0].tokens[0].orth"),
        (paragraph(sentences=tokens(("b", "X"))), "[0].paragraphs[0].sentences[0].tokens[0].ner"),
        (paragraph(raw=""), "[0].paragraphs[0].raw"),
        (paragraph(raw="a", cats=[{"label": "x"}]), "[0].paragraphs[0].cats.x"),
        ('[{"paragraphs": 1}]', "[0].paragraphs"),
    ],
)  # fmt: skip
def test_paragraphs_that_are_refused(data: str, field: str) -> None:
    one = refused(json2_reader.read, data)
    assert (one.reason, one.field) == (Reason.FIELD_INVALID, field)


def test_tuples_of_all_shapes() -> None:
    found = tasks_of(
        tuples.read,
        '[["a b", {"entities": [[0, 1, "X", "Q1"], {"start": 2, "end": 3, "label": "Y"}],'
        ' "spans": {"sc": [[0, 3, "Z"]]}, "links": 1}], ["c", {}],'
        ' {"text": "d", "cats": {"p": true}, "meta": {"id": 1}, "id": 9}]',
    )
    assert extents(found[0]) == [(0, 1, "X"), (0, 3, "Z"), (2, 3, "Y")]
    assert found[0].completions[0].content.spans[0].attributes == (("kb_id", "Q1"),)
    assert found[1].completions == ()
    assert found[2].completions[0].content.choices == (Choices(name="label", values=("p",)),)
    assert (found[2].metadata, found[2].external_id) == ({"id": "1"}, "9")


def test_tuples_within_an_object() -> None:
    data = '{"classes": ["X"], "annotations": [["a", {"entities": [[0, 1, "X"]]}], null, ["b", 1]]}'
    first, second = records(tuples.read, data)
    assert isinstance(first, ParsedTask)
    assert extents(first) == [(0, 1, "X")]
    assert isinstance(second, Refused)
    assert second.field == "annotations[2][1]"


@pytest.mark.parametrize(
    ("data", "reason", "field"),
    [
        ('[["a"]]', Reason.FIELD_INVALID, "[0]"),
        ('[["a", {"entities": [[0, 2, "X"]]}]]', Reason.OFFSET_INVALID, "[0][1].entities[0][1]"),
        ('[["a", {"entities": ["O"]}]]', Reason.FIELD_INVALID, "[0][1].entities[0]"),
        ('[[1, {}]]', Reason.FIELD_INVALID, "[0][0]"),
        ('[["a", {"cats": {"x": "y"}}]]', Reason.FIELD_INVALID, "[0][1].cats.x"),
    ],
)  # fmt: skip
def test_tuples_that_are_refused(data: str, reason: Reason, field: str) -> None:
    one = refused(tuples.read, data)
    assert (one.reason, one.field) == (reason, field)


def made_by_spacy(**fields: Any) -> bytes:
    """A DocBin as spaCy itself writes it."""
    import spacy
    from spacy.tokens import Doc, DocBin, Span

    vocab = spacy.blank("xx").vocab
    doc = Doc(
        vocab,
        words=["New", "York", ",", "Paris", "\n"],
        spaces=[True, False, True, False, False],
    )
    doc.set_ents([Span(doc, 0, 2, label="GPE", kb_id="Q60"), Span(doc, 3, 4, label="GPE")])
    doc.spans["sc"] = [Span(doc, 0, 4, label="LIST")]
    doc.spans["ruler"] = [Span(doc, 0, 1, label="ADJ"), Span(doc, 3, 4, label="GPE")]
    doc.cats = {"travel": 1.0, "food": 0.0}
    made = DocBin(store_user_data=bool(fields))
    doc.user_data.update(fields)
    made.add(doc)
    made.add(Doc(vocab, words=["open", "task"]))
    made.add(Doc(vocab, words=["unknown", "blanks"], spaces=None))
    return made.to_bytes()


def test_what_spacy_wrote() -> None:
    first, second, third = tasks_of(docbin.read, made_by_spacy(a=1))
    assert first.text == "New York, Paris\n"
    assert extents(first) == [
        (0, 3, "ADJ"), (0, 8, "GPE"), (0, 15, "LIST"), (10, 15, "GPE"),
    ]  # fmt: skip
    content = first.completions[0].content
    assert content.spans[1].attributes == (("kb_id", "Q60"),)
    assert content.choices == (Choices(name="label", values=("travel",)),)
    assert len(first.notes) == 1
    assert first.labels["LIST"] == (1, "spans.sc[0].label")
    assert second.text == "open task"
    assert second.completions == ()
    assert second.tokenised
    assert third.text == "unknown blanks"


def test_what_is_no_docbin() -> None:
    for data in (b"", b"no", b'[["a", {}]]', pickle.dumps([1])):
        with pytest.raises(InvalidArgumentError) as caught:
            records(docbin.read, data)
        assert caught.value.reason is Reason.FORMAT_UNKNOWN


def test_what_is_damaged() -> None:
    whole = made_by_spacy()
    for data in (whole[:-1], whole[:40], whole[:30] + b"\x00" + whole[31:]):
        with pytest.raises(InvalidArgumentError) as caught:
            records(docbin.read, data)
        assert caught.value.reason is Reason.REQUEST_MALFORMED
    assert gc.isenabled()


@settings(deadline=None, max_examples=300)
@given(st.data())
def test_changed_bytes_never_do_more_than_be_refused(data: st.DataObject) -> None:
    plain = bytearray(zlib.decompress(WHOLE))
    for _ in range(data.draw(st.integers(1, 4))):
        plain[data.draw(st.integers(0, len(plain) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(InvalidArgumentError):
        found = records(docbin.read, zlib.compress(bytes(plain)))
        assert all(isinstance(one, ParsedTask | Refused) for one in found)
    assert gc.isenabled()


def test_spans_outside_their_document_are_refused_alone() -> None:

    from srsly import msgpack

    message = msgpack.loads(zlib.decompress(WHOLE), raw=False)
    group = {
        "name": "sc",
        "attrs": {},
        "spans": [struct.pack(">QQQllll", 0, 0, 0, 0, 1_000_000, 0, 1)],
    }
    message["span_groups"][0] = msgpack.dumps({msgpack.dumps(group): ["sc"]})
    found = records(docbin.read, zlib.compress(msgpack.dumps(message, use_bin_type=True)))
    assert isinstance(found[0], Refused)
    assert found[0].reason is Reason.REQUEST_MALFORMED
    assert [isinstance(one, ParsedTask) for one in found[1:]] == [True, True]


def test_a_bomb_is_not_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    from services.annotation.formats.spacy_ import docbin_bytes

    monkeypatch.setattr(docbin_bytes, "MAX_BYTES", 4 * 1024 * 1024)
    with pytest.raises(InvalidArgumentError) as caught:
        records(docbin.read, zlib.compress(bytes(64 * 1024 * 1024)))
    assert caught.value.reason is Reason.REQUEST_TOO_LARGE


WHOLE = made_by_spacy()
