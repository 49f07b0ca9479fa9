"""Real BioC files, and collections that are refused."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest

from services.annotation.formats.bioc import read, stream
from services.annotation.formats.records import ParsedTask, ReadOptions, Refused
from services.common.errors import InvalidArgumentError, Reason

ROOT = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("SPANLOOP_TEST_DATA", ROOT.parent / "shared" / "data"))
FOLDER = DATA / "formats" / "bioc"

# name: per document its id, its text, spans as (start, end, label), relations, notes
PLAIN = [(str(n), f"Document {n} text.", [], 0, 0) for n in (1, 2, 3)]
SENTENCES = "          Sentence 1.\n        Sentence 2."
REAL = {
    "example-with-incomplete-metadata.xml": PLAIN,
    "example-with-multiple-documents.xml": PLAIN,
    "example-with-sentences-ref.xml": [
        ("some-id-1234567", SENTENCES, [(10, 18, "custom.Span"), (19, 20, "custom.Span")], 1, 1)
    ],
    "example-with-sentences.xml": [
        ("some-id-1234567", SENTENCES, [(10, 18, "annotation"), (19, 20, "annotation")], 1, 5)
    ],
    "example-with-text-in-passage.xml": [
        ("1", "Sentence 1.", [(0, 8, "annotation"), (9, 10, "annotation")], 1, 4)
    ],
}


@pytest.mark.skipif(not FOLDER.is_dir(), reason="the shared data are not here")
def test_all_real_files_are_read() -> None:
    found = {}
    for path in FOLDER.iterdir():
        tasks = []
        with path.open("rb") as file:
            for one in read(file, ReadOptions()):
                assert isinstance(one, ParsedTask), one
                contents = [completion.content for completion in one.completions]
                spans = [(s.start, s.end, s.label) for c in contents for s in c.spans]
                relations = sum(len(content.relations) for content in contents)
                tasks.append((one.external_id, one.text, spans, relations, len(one.notes)))
        found[path.name] = tasks
    assert found == REAL


SENTENCE = "<sentence><offset>{}</offset><text>{}</text></sentence>"


def collection(*passages: str, rest: str = "") -> io.BytesIO:
    body = "".join(f"<passage>{one}</passage>" for one in passages)
    return io.BytesIO(
        f"<collection><source/><date/><key/><document><id>d</id>{body}{rest}</document>"
        "<document><id>e</id><passage><offset>0</offset><text>next</text></passage></document>"
        "</collection>".encode()
    )


def annotation(start: int, length: int, text: str, id: str = "T1", type: str = "X") -> str:
    return (
        f'<annotation id="{id}"><infon key="type">{type}</infon>'
        f'<location offset="{start}" length="{length}"/><text>{text}</text></annotation>'
    )


def spans_of(file: io.BytesIO, options: ReadOptions | None = None) -> list[str]:
    first, *_ = read(file, options or ReadOptions())
    assert isinstance(first, ParsedTask), first
    return [first.text[s.start : s.end] for s in first.completions[0].content.spans]


@pytest.mark.parametrize(
    ("offset", "start"),
    [
        (9, 12),  # code points
        (10, 13),  # UTF-16 units
        (16, 19),  # UTF-8 bytes
    ],
)
def test_units_are_told_by_the_texts_of_annotations(offset: int, start: int) -> None:
    file = collection(
        "<offset>0</offset><text>👍 Überäß</text>",
        f"<offset>{offset}</offset><text>an end</text>" + annotation(start, 3, "end"),
    )
    assert spans_of(file) == ["end"]


@pytest.mark.parametrize(
    ("passage", "field", "words"),
    [
        ("<text>abc</text>", "passage[0].offset", "must be a number"),
        (
            "<offset>0</offset><text>abc def</text>" + annotation(0, 3, "def"),
            "passage[0].annotation[T1].location[0].offset",
            "stands elsewhere",
        ),
        (
            "<offset>0</offset><text>abc</text>" + annotation(1, 9, "bc"),
            "passage[0].annotation[T1].location[0].length",
            "in none of the texts",
        ),
        (
            f"<offset>0</offset>{SENTENCE.format(0, 'abc')}{SENTENCE.format(2, 'd')}",
            "passage[0].sentence[1].offset",
            "before the end",
        ),
        (
            "<offset>0</offset><text>abc</text>"
            + annotation(0, 1, "a")
            + annotation(1, 1, "b", "T2")
            + '<relation id="R"><node refid="T1" role=""/><node refid="T7" role=""/></relation>',
            "passage[0].relation[R]",
            "T7",
        ),
        ("<offset>0</offset><text></text>", "document.passage.text", "is required"),
        ("<offset>999999999</offset><text>abc</text>", "passage[0].offset", "more than"),
    ],
)
def test_one_bad_document_is_refused_and_the_rest_read(
    passage: str, field: str, words: str
) -> None:
    refused, task = read(collection(passage), ReadOptions())
    assert isinstance(refused, Refused)
    assert (refused.field, refused.line) == (field, 1)
    assert words in refused.message
    assert isinstance(task, ParsedTask)
    assert task.text == "next"


def test_repair_takes_offsets_against_the_text_of_an_annotation() -> None:
    file = collection("<offset>0</offset><text>abc def</text>" + annotation(0, 3, "def"))
    first, _ = read(file, ReadOptions(repair=True))
    assert isinstance(first, ParsedTask)
    assert first.completions[0].content.spans[0].end == 3
    assert "the offsets were taken" in first.notes[0]


def test_ids_that_begin_anew_in_each_passage() -> None:
    def link(id: str) -> str:
        return (
            f'<relation id="{id}"><node refid="T1" role="source"/>'
            '<node refid="T2" role="target"/></relation>'
        )

    passage = "<offset>{0}</offset><text>ab</text>"
    first, _ = read(
        collection(
            passage.format(0) + annotation(0, 1, "a") + annotation(1, 1, "b", "T2") + link("R1"),
            passage.format(3) + annotation(3, 1, "a") + annotation(4, 1, "b", "T2") + link("R1"),
        ),
        ReadOptions(),
    )
    assert isinstance(first, ParsedTask), first
    content = first.completions[0].content
    at = {span.id: span.start for span in content.spans}
    assert [(at[one.source], at[one.target]) for one in content.relations] == [(0, 1), (3, 4)]
    assert len({one.id for one in content.relations}) == 2

    ambiguous, _ = read(
        collection(
            passage.format(0) + annotation(0, 1, "a"),
            passage.format(3) + annotation(3, 1, "a"),
            rest='<relation id="R"><node refid="T1" role=""/><node refid="T1" role=""/></relation>',
        ),
        ReadOptions(),
    )
    assert isinstance(ambiguous, Refused)
    assert "own id" in ambiguous.message


@pytest.mark.parametrize(
    "xml",
    [
        "no xml",
        "<documents/>",
        "<collection><document>",
        '<!DOCTYPE collection [<!ENTITY a "b">]><collection><document/></collection>',
        '<!DOCTYPE collection [<!ENTITY a SYSTEM "file:///etc/hostname">]><collection/>',
    ],
)
def test_files_that_are_no_collection_are_refused_as_a_whole(xml: str) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        list(read(io.BytesIO(xml.encode()), ReadOptions()))
    assert caught.value.reason is Reason.REQUEST_MALFORMED


def test_entities_of_a_grammar_elsewhere_are_refused() -> None:
    xml = (
        '<!DOCTYPE collection SYSTEM "BioC.dtd"><collection><document><id>d</id><passage>'
        "<offset>0</offset><text>a&beta;c</text></passage></document></collection>"
    )
    (refused,) = read(io.BytesIO(xml.encode()), ReadOptions())
    assert isinstance(refused, Refused)
    assert "entity" in refused.message


def test_a_file_that_is_cut_off_gives_what_is_whole() -> None:
    data = collection("<offset>0</offset><text>abc</text>").getvalue()[:-60]
    first, refused = read(io.BytesIO(data), ReadOptions())
    assert isinstance(first, ParsedTask)
    assert isinstance(refused, Refused)
    assert refused.reason is Reason.REQUEST_MALFORMED


def test_a_document_that_is_too_large_ends_the_import(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "MAX_DOCUMENT_BYTES", 100_000)
    with pytest.raises(InvalidArgumentError) as caught:
        list(read(collection("<offset>0</offset><text>" + "x" * 300_000), ReadOptions()))
    assert caught.value.reason is Reason.REQUEST_TOO_LARGE


def test_documents_are_dropped_once_they_are_read() -> None:
    one = "<document><id>{}</id><passage><offset>0</offset><text>t</text></passage></document>"
    xml = "<collection>" + "".join(one.format(n) for n in range(3000)) + "</collection>"
    parents = []
    for found in stream.documents(io.BytesIO(xml.encode())):
        assert not isinstance(found, Refused)
        parents.append(len(found[1].getparent()))
    assert len(parents) == 3000
    # All documents of one chunk are parsed at once; none of the chunks before is held.
    assert max(parents) < 1500
