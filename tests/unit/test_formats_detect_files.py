"""Which format real and made-up files are recognised as."""

from __future__ import annotations

import gzip
import io
import json
import os
import tarfile
import zlib
from pathlib import Path

import pytest

from services.annotation.formats.detect import HEAD_BYTES, detect, explain, needs_more
from services.annotation.formats.records import TaskFormat

ROOT = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("SPANLOOP_TEST_DATA", ROOT.parent / "shared" / "data"))
FOLDER = DATA / "formats"

LS, DOCCANO, SPACY = TaskFormat.LABEL_STUDIO, TaskFormat.DOCCANO, TaskFormat.SPACY_JSON
CONLL, CSV, TEXT = TaskFormat.CONLL, TaskFormat.CSV, TaskFormat.TEXT
WEBANNO = TaskFormat.WEBANNO_TSV
EXPORT, IMPORT = "data_export__pipeline__examples__", "data_import__pipeline__examples__"
TESTS = "data_import__tests__data__"
EXPECTED: dict[str, dict[str, TaskFormat | None]] = {
    "": {"SOURCE.txt": None},
    "annotation_lab": {
        "alab_demo.excerpt.json": TaskFormat.GENERATIVE_AI_LAB,
        "alab_visualner.excerpt.json": TaskFormat.GENERATIVE_AI_LAB,
    },
    "bioc": {
        "example-with-incomplete-metadata.xml": TaskFormat.BIOC,
        "example-with-multiple-documents.xml": TaskFormat.BIOC,
        "example-with-sentences-ref.xml": TaskFormat.BIOC,
        "example-with-sentences.xml": TaskFormat.BIOC,
        "example-with-text-in-passage.xml": TaskFormat.BIOC,
    },
    "brat": {  # one by one: only a packed folder is an import
        name: result
        for stem in (
            "ncbi__9288106", "ncbi__9294109", "ncbi__9311732", "nubes__sample-001.anaes.diate",
            "nubes__sample-001.anaes.phyex", "nubes__sample-001.anaes.preil",
            "nubes__sample-001.anaes.recom", "nubes__sample-001.cardi.chico",
            "nubes__sample-001.cardi.preil", "turku__b107", "turku__b204", "turku__b308",
        )
        for name, result in ((f"{stem}.ann", None), (f"{stem}.txt", TEXT))
    } | {"nubes__annotation.conf": None},
    "conll": {
        "germeval_4col_nested_comments.tsv": TaskFormat.GERMEVAL,
        "iob1_space_wikigold.txt": CONLL,
        "iob2_space_lener.conll": CONLL,
        "iob2_tab_wnut17.tsv": CONLL,
        "iobes_tab_bc5cdr.tsv": CONLL,
    },
    "doccano": {
        "LICENSE": None,
        f"{EXPORT}intent_detection__example.jsonl": DOCCANO,
        f"{EXPORT}relation_extraction__example.jsonl": DOCCANO,
        f"{EXPORT}sequence_labeling__example.jsonl": DOCCANO,
        f"{EXPORT}text_classification__example.csv": CSV,
        f"{EXPORT}text_classification__example.json": DOCCANO,
        f"{EXPORT}text_classification__example.jsonl": DOCCANO,
        f"{EXPORT}text_classification__example.txt": TaskFormat.FASTTEXT,
        f"{IMPORT}intent_detection__example.jsonl": DOCCANO,
        f"{IMPORT}relation_extraction__example.jsonl": DOCCANO,
        f"{IMPORT}sequence_labeling__example.jsonl": DOCCANO,
        f"{IMPORT}sequence_labeling__example.txt": CONLL,
        f"{IMPORT}sequence_to_sequence__example.csv": CSV,
        f"{IMPORT}sequence_to_sequence__example.json": DOCCANO,
        f"{IMPORT}sequence_to_sequence__example.jsonl": DOCCANO,
        f"{IMPORT}task_agnostic__text_files.txt": TEXT,
        f"{IMPORT}task_agnostic__text_lines.txt": TEXT,
        f"{IMPORT}text_classification__example.csv": CSV,
        f"{IMPORT}text_classification__example.json": DOCCANO,
        f"{IMPORT}text_classification__example.jsonl": DOCCANO,
        f"{IMPORT}text_classification__example.txt": TaskFormat.FASTTEXT,
        f"{TESTS}intent__example.jsonl": DOCCANO,
        f"{TESTS}relation_extraction__example.jsonl": DOCCANO,
        f"{TESTS}sequence_labeling__example.conll": CONLL,
        f"{TESTS}sequence_labeling__example.jsonl": DOCCANO,
        f"{TESTS}sequence_labeling__example_overlapping.jsonl": DOCCANO,
        f"{TESTS}sequence_labeling__labeling.invalid.conll": CONLL,
        f"{TESTS}sequence_labeling__labeling.trailing.conll": CONLL,
        f"{TESTS}text_classification__example.csv": CSV,
        f"{TESTS}text_classification__example.invalid.2.csv": CSV,
        f"{TESTS}text_classification__example.json": DOCCANO,
        f"{TESTS}text_classification__example.jsonl": DOCCANO,
        f"{TESTS}text_classification__example_fasttext.txt": TaskFormat.FASTTEXT,
        f"{TESTS}text_classification__example_out_of_order_columns.csv": CSV,
    },
    "inception_webanno_tsv": {
        "LICENSE": None,
        "rels__1sentencesamerel.tsv": WEBANNO,
        "rels__1sentencesamerel2.tsv": WEBANNO,
        "rels__1sentencesamerel3.tsv": WEBANNO,
        "rels__1sentencesamerel4.tsv": WEBANNO,
        "rels__1sentencesamerel5.tsv": WEBANNO,
        "simplespan__1sentence.tsv": WEBANNO,
        "simplespan__1sentenceNE.tsv": WEBANNO,
        "simplespan__1sentenceNEempty.tsv": WEBANNO,
        "simplespan__1sentenceNEstacked.tsv": WEBANNO,
        "simplespan__1sentenceNEstacked2.tsv": WEBANNO,
        "simplespan__1sentenceempty.tsv": WEBANNO,
        "simplespan__1sentenceposlabel.tsv": WEBANNO,
        "simplespan__1sentenceposlabel2.tsv": WEBANNO,
        "simplespan__1sentenceposlabel2and3merged.tsv": WEBANNO,
        "simplespan__1sentenceposlabel3.tsv": WEBANNO,
        "spanmultifeature__1sentenceNEFeatureA.tsv": WEBANNO,
        "spanmultifeature__1sentenceNEFeatureB.tsv": WEBANNO,
        "spanmultifeature__1sentenceNEFeatureempty.tsv": WEBANNO,
        "spanmultifeature__1sentenceNENoFeature.tsv": WEBANNO,
    },
    "label_studio": {
        "LICENSE.label-studio-sdk": None,
        "ner_annotations_mlbackend.json": LS,
        "sdk_coco_data.json": LS,
        "sdk_csv_test.json": LS,
        "sdk_csv_test2.json": LS,
        "sdk_csv_test_history.json": LS,
        "sdk_jsonmin_chat_data.json": LS,  # what JSON-MIN is made from
        "sdk_jsonmin_data.json": LS,
        "sdk_jsonmin_data_repeater.json": LS,
        "text_with_2_predictions.json": LS,
        "v0_completions_choices.json": LS,
    },
    "prodigy": {
        "LICENSE": None,
        "fashion_brands_eval.first60.jsonl": TaskFormat.PRODIGY,
        "rel_annotations.first20.jsonl": TaskFormat.PRODIGY,
    },
    "spacy": {
        "LICENSE": None,
        "LICENSE.street_ninja": None,
        "ner_example_data__README.md": None,
        "ner_example_data__ner-sent-per-line.iob": TaskFormat.SPACY_IOB,
        "ner_example_data__ner-sent-per-line.json": SPACY,
        "ner_example_data__ner-token-per-line-conll2003.iob": CONLL,
        "ner_example_data__ner-token-per-line-conll2003.json": SPACY,
        "ner_example_data__ner-token-per-line-with-pos.iob": CONLL,
        "ner_example_data__ner-token-per-line-with-pos.json": SPACY,
        "ner_example_data__ner-token-per-line.iob": CONLL,
        "ner_example_data__ner-token-per-line.json": SPACY,
        "spacy_v2_tuples_street_ninja.json": TaskFormat.SPACY_TUPLES,
        "textcat_example_data__CC0.txt": None,
        "textcat_example_data__CC_BY-SA-3.0.txt": None,
        "textcat_example_data__CC_BY-SA-4.0.txt": None,
        "textcat_example_data__README.md": None,
        "textcat_example_data__cooking.json": SPACY,
        "textcat_example_data__cooking.jsonl": TaskFormat.PRODIGY,
        "textcat_example_data__jigsaw-toxic-comment.json": SPACY,
        "textcat_example_data__jigsaw-toxic-comment.jsonl": TaskFormat.PRODIGY,
        "training-data.json": SPACY,
    },
}  # fmt: skip


@pytest.mark.skipif(not FOLDER.is_dir(), reason="the shared data are not here")
def test_every_real_file_is_recognised() -> None:
    found = {}
    for path in sorted(FOLDER.rglob("*")):
        if path.is_file():
            with path.open("rb") as file:
                found[path.relative_to(FOLDER).as_posix()] = detect(
                    file.read(HEAD_BYTES), path.name
                )
    expected = {
        f"{folder}/{name}".lstrip("/"): result
        for folder, files in EXPECTED.items()
        for name, result in files.items()
    }
    assert found == expected


@pytest.mark.skipif(not FOLDER.is_dir(), reason="the shared data are not here")
def test_beginnings_are_enough() -> None:
    """A file that is cut off within its first value or line is recognised as well."""
    for folder, files in EXPECTED.items():
        for name, expected in files.items():
            data = (FOLDER / folder / name).read_bytes()
            if expected is not None and len(data) > 2_000:
                cut = data[:1_500].decode(errors="ignore").encode()
                assert detect(cut, name) is expected, name


def tar() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as out:
        out.addfile(tarfile.TarInfo("a.txt"), io.BytesIO(b""))
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("head", "name", "expected"),
    [
        (tar(), "a.tar", TaskFormat.BRAT),
        (gzip.compress(tar(), mtime=0), "", TaskFormat.BRAT),
        (gzip.compress(b'{"text": "x"}', mtime=0), "a.jsonl.gz", None),
        (zlib.compress(b"\x87\xa7version\xa30.1\xa5attrs\x90"), "", TaskFormat.SPACY_DOCBIN),
        (zlib.compress(b"something else"), "a.spacy", None),
        (b"\x89PNG\r\n\x1a\n\0\0", "a.png", None),
        (b"caf\xe9", "a.txt", None),
        (b"", "a.txt", None),
        (b" \n\n", "", None),
        (b"\xef\xbb\xbf" + b'{"text": "x"}\n', "", TaskFormat.JSONL),
        ('{"text": "é"}\n'.encode("utf-16"), "a.jsonl", TaskFormat.JSONL),
        ("é".encode()[:1], "", None),
        (b"x" * (HEAD_BYTES - 1) + "é".encode()[:1], "a.txt", TEXT),
    ],
)  # fmt: skip
def test_bytes(head: bytes, name: str, expected: TaskFormat | None) -> None:
    assert detect(head, name) is expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"text": "x"}, TaskFormat.JSONL),
        ({"text": "x", "spans": [{"start": 0, "end": 1, "label": "A"}]}, TaskFormat.JSONL),
        ({"id": "1", "text": "x", "split": "dev", "metadata": {"a": "b"}}, TaskFormat.JSONL),
        ({"text": "x", "completions": [{"spans": []}]}, TaskFormat.JSONL),
        ({"text": "x", "spans": [{"start": 0, "end": 1, "label": "A"}], "answer": "accept"},
         TaskFormat.PRODIGY),
        ({"text": "x", "spans": [{"start": 0, "end": 1, "token_start": 0}]}, TaskFormat.PRODIGY),
        ({"text": "x", "options": [{"id": "A"}], "accept": ["A"]}, TaskFormat.PRODIGY),
        ({"text": "x", "label": [[0, 1, "A"]]}, DOCCANO),
        ({"text": "x", "label": ["A"]}, DOCCANO),
        ({"text": "x", "entities": [[0, 1, "A"]], "relations": []}, DOCCANO),
        ({"id": 1, "data": "x", "label": ["A"]}, DOCCANO),
        ({"data": {"text": "x"}}, LS),
        ({"id": 1, "data": {"text": "x"}, "annotations": []}, LS),
        ({"data": {"text": "x"}, "completions": [{"result": [], "id": 1}]}, LS),
        ({"data": {"text": "x"}, "completions": [{"result": [], "created_username": "a"}]},
         TaskFormat.GENERATIVE_AI_LAB),
        ({"id": 1, "text": "x", "label": [{"start": 0, "end": 1, "labels": ["A"]}],
          "annotator": 1, "annotation_id": 3, "created_at": "2024", "lead_time": 1.0},
         TaskFormat.LABEL_STUDIO_MIN),
        ({"id": 0, "paragraphs": [{"sentences": []}]}, SPACY),
        (["x", {"entities": [[0, 1, "A"]]}], TaskFormat.SPACY_TUPLES),
        ({"classes": ["A"], "annotations": [["x", {"entities": []}]]}, TaskFormat.SPACY_TUPLES),
        ({"name": "no tasks", "version": 3}, None),
        ([1, 2, 3], None),
        ({}, None),
    ],
)  # fmt: skip
@pytest.mark.parametrize("many", [False, True])
def test_json(value: object, expected: TaskFormat | None, many: bool) -> None:
    text = json.dumps([value] * 3, indent=1) if many else f"{json.dumps(value)}\n" * 3
    assert detect(text.encode(), "a.json") is expected
    if not many:
        assert detect(text.encode(), "a.jsonl") is expected


@pytest.mark.parametrize(
    ("text", "name", "expected"),
    [
        ('{"text": broken\n{"text": "x", "label": ["A"]}\n', "a.jsonl", DOCCANO),
        ("{broken", "a.json", None),
        ("not json at all\n", "a.json", None),
        ("{\tO\nName\tB-X\n}\tO\n", "", CONLL),
        ("[1] A reference.\n[2] Another one.\n", "", TEXT),
        ("A O B-X\nC O O\n", "", CONLL),
        ("Peter|B-PER met|O Paul|B-PER\n", "", TaskFormat.SPACY_IOB),
        ("a|b is a pipe|line\n", "", TEXT),
        ("#FORMAT=WebAnno TSV 3.3\n\n\n#Text=x\n1-1\t0-1\tx\t_\n", "", WEBANNO),
        ("# a comment\n1\tMan\tO\tO\n2\tGoethe\tB-PER\tO\n", "", TaskFormat.GERMEVAL),
        ("1\tMan\tO\n2\tGoethe\tB-PER\n", "", CONLL),
        ("text,label\nGood,pos\n", "", CSV),
        ("text;label\nGood, very;pos\n", "", CSV),
        ("label\ttext\npos\tGood\n", "a.tsv", CSV),
        ("Dear Sir, thank you.\nYours, A.\n", "", TEXT),
        ("Dear Sir, thank you.\nYours, A.\n", "a.csv", CSV),
        ("__label__a x\n__label__b y\n", "", TaskFormat.FASTTEXT),
        ("EU,B-ORG\nis,O\n\nBonn,B-LOC\n", "", CONLL),
        ("EU,B-ORG\nis,O\n\nBonn,B-LOC\n", "a.csv", CONLL),
        ("-X-;O\nEU;B-ORG\nis;O\n", "a.txt", CONLL),
        ("token,pos,tag\nEU,NNP,B-ORG\nis,VBZ,O\n", "a.txt", CONLL),
        ("EU|B-ORG\nis|O\n\nBonn|B-LOC\n", "", CONLL),
        ("EU|NNP|I-NP|B-ORG\nis|VBZ|O|O\n", "", CONLL),
        ("EU|B-ORG is|O\nBonn|B-LOC\n", "", TaskFormat.SPACY_IOB),
        # Tables: classes that look like tags, blood groups, Kaggle's words below each other.
        ("text,label\nbuy shoes online,E-commerce\nread more,B-side\n", "a.csv", CSV),
        ("name,group\nAda,O\nBob,O\n", "a.csv", CSV),
        ("Sentence #,Word,Tag\nSentence: 1,EU,B-ORG\n,is,O\n,in,O\n", "a.csv", CSV),
        # JSON and Python source are no texts.
        ('{"name": "x", "version": 3}\n{"name": "y"}\n', "", None),
        ('[{"name": "x"}]\n', "a.txt", None),
        ('["a text", "another"]\n', "a.txt", None),
        ("{TL;DR} this is text.\n", "a.txt", TEXT),
        ("TRAIN_DATA = [('Who?', {'entities': [(0, 3, 'X')]})]\n", "", None),
        ('# data\nimport spacy\n\nDATA: list = [\n    ("Who?", {})]\n', "a.txt", None),
        ("{'text': 'x', 'label': 'y'}\n{'text': 'z'}\n", "a.txt", None),
        ("['tis the season]\n", "a.txt", TEXT),
        ("# Title\n\nA page.\n", "page.md", None),
        ("# Title\n\nA page.\n", "README", None),
        ("import os\n", "a.py", None),
        ("<html><p>x</p></html>", "a.html", None),
        ('<?xml version="1.0"?><feed/>', "a.xml", None),
        ('<?xml version="1.0"?>\n<!-- x --><collection/>', "", TaskFormat.BIOC),
        ("Permission is hereby granted, free of charge, to any person", "x.txt", None),
        ("T1\tX 0 1\ta\n", "a.ann", None),
    ],
)
def test_texts(text: str, name: str, expected: TaskFormat | None) -> None:
    assert detect(text.encode(), name) is expected
    assert detect(text.replace("\n", "\r\n").encode(), f"folder/{name}") is expected


@pytest.mark.parametrize(
    ("head", "name", "words"),
    [
        (b"x", "a.ann", "pack the folder"),
        (b"x", "README.md", "page about the data"),
        (gzip.compress(b"x", mtime=0), "a.gz", "unpack it first"),
        (b"PK\x03\x04", "a.zip", "ZIP"),
        (b"\xff\0", "", "UTF-8"),
        (b"", "a.txt", "is empty"),
        (b"<?xml version='1.0'?><a/>", "a.xml", "no BioC collection"),
        (b"{oh no", "a.json", "but is none"),
        (b'{"a": 1}', "a.json", "no format has"),
        (b"print()", "a.py", "--format"),
        (b"TRAIN = [('x', {})]", "a.py", "json.dump"),
        (b'[{"a": 1}]', "", "no format has"),
    ],
)
def test_why_nothing_was_recognised(head: bytes, name: str, words: str) -> None:
    assert detect(head, name) is None
    assert words in explain(head, name)


def test_the_separator_that_a_user_names_helps() -> None:
    data = b"EU~B-ORG\nis~O\n"
    assert detect(data, "a.txt") is TEXT
    assert detect(data, "a.txt", "~") is CONLL
    assert detect(b"EU::B-ORG\nis::O\n", "", "::") is CONLL
    assert detect(b"EU,B-ORG\nis,O\n", "", ",") is CONLL
    assert detect(b"text|label\nWho is it?|a\n", "") is TEXT
    assert detect(b"text|label\nWho is it?|a\n", "", "|") is CSV
    for impossible in ("\n", '"'):
        assert detect(b"text,label\nWho is it?,a\n", "", impossible) is CSV


LONG = "x" * 1_000_000


@pytest.mark.parametrize("name", ["", "a.json", "a.jsonl"])
@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"text": LONG}, TaskFormat.JSONL),
        ({"id": 1, "label": ["A"], "text": LONG}, DOCCANO),
        ({"id": 1, "data": {"text": LONG}, "annotations": []}, LS),
        ({"_input_hash": 1, "text": LONG}, TaskFormat.PRODIGY),
        ({"id": 0, "paragraphs": [{"raw": LONG}]}, SPACY),
    ],
)
@pytest.mark.parametrize("many", [False, True])
def test_long_texts_are_recognised_by_the_keys_before_their_end(
    value: object, name: str, expected: TaskFormat, many: bool
) -> None:
    head = json.dumps([value] if many else value).encode()[:HEAD_BYTES]
    assert detect(head, name) is expected
    assert needs_more(head) is (expected not in {TaskFormat.PRODIGY, SPACY})


def test_more_is_read_only_for_json_whose_first_object_is_long() -> None:
    whole = json.dumps({"text": "x"}) + "\n"
    long = json.dumps({"text": LONG})
    for text, more in (
        (whole, False),
        (whole + long, False),
        (f"[{whole}, {long}", False),
        (long, True),
        (json.dumps([LONG]), True),
        ('{"text": "broken\n' + long, False),
        (LONG, False),
        (" " * HEAD_BYTES, False),
    ):
        assert needs_more(text.encode()[:HEAD_BYTES]) is more
    broken = '{"text": "broken\n' + json.dumps({"text": "x", "label": ["A"]}) + "\n" + long
    assert detect(broken.encode()[:HEAD_BYTES], "a.jsonl") is DOCCANO
