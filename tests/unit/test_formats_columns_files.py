"""CoNLL, GermEval and spaCy IOB: real files and made-up ones."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import pytest

from services.annotation.formats.columns import conll, germeval, spacy_iob
from services.annotation.formats.records import (
    ParsedTask,
    ReadOptions,
    Refused,
    TagScheme,
)
from services.common.errors import Reason
from tests.support.format_items import counts, extents, records, refused, tasks_of

ROOT = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("SPANLOOP_TEST_DATA", ROOT.parent / "shared" / "data"))
FORMATS = DATA / "formats"
SPACY = "spacy/ner_example_data__ner"
DOCCANO = "doccano/data_import__"
# Texts, spans, refusals.
EXPECTED = {
    "conll/iob1_space_wikigold.txt": (12, 41, 0),
    "conll/iob2_space_lener.conll": (15, 19, 0),
    "conll/iob2_tab_wnut17.tsv": (18, 8, 0),
    "conll/iobes_tab_bc5cdr.tsv": (13, 25, 0),
    f"{SPACY}-token-per-line-conll2003.iob": (2, 7, 0),
    f"{SPACY}-token-per-line-with-pos.iob": (1, 7, 0),
    f"{SPACY}-token-per-line.iob": (1, 7, 0),
    f"{DOCCANO}tests__data__sequence_labeling__example.conll": (2, 2, 0),
    f"{DOCCANO}tests__data__sequence_labeling__labeling.invalid.conll": (2, 3, 1),
    f"{DOCCANO}tests__data__sequence_labeling__labeling.trailing.conll": (1, 2, 0),
    f"{DOCCANO}pipeline__examples__sequence_labeling__example.txt": (2, 4, 0),
}
real = pytest.mark.skipif(not FORMATS.is_dir(), reason="the shared data are not here")


@real
@pytest.mark.parametrize("name", EXPECTED)
def test_every_real_file_of_columns(name: str) -> None:
    tasks, completions, spans, _, _, bad = counts(
        records(conll.read, (FORMATS / name).read_bytes())
    )
    assert (tasks, completions) == (EXPECTED[name][0],) * 2
    assert (spans, bad) == EXPECTED[name][1:]


@real
def test_the_real_file_that_is_broken() -> None:
    name = f"{DOCCANO}tests__data__sequence_labeling__labeling.invalid.conll"
    (bad,) = [
        one
        for one in records(conll.read, (FORMATS / name).read_bytes())
        if isinstance(one, Refused)
    ]
    assert (bad.line, bad.field, bad.reason) == (1, "tag", Reason.FIELD_INVALID)


@real
def test_real_germeval_and_spacy_iob() -> None:
    name = "conll/germeval_4col_nested_comments.tsv"
    tasks = tasks_of(germeval.read, (FORMATS / name).read_bytes())
    assert counts(tasks)[:3] == (16, 16, 27)
    assert tasks[0].metadata["source"] == (
        "http://www.heise.de/tp/r4/artikel/32/32883/1.html [2010-07-04]"
    )
    tasks = tasks_of(spacy_iob.read, (FORMATS / f"{SPACY}-sent-per-line.iob").read_bytes())
    assert [[task.text[a:b] for a, b, _ in extents(task)] for task in tasks] == [
        ["Sebastian Thrun", "Google", "2007"],
        ["American", "Thrun", "Recode", "earlier this week"],
    ]


# Of each label, as the page of the data set says.
WNUT = {
    "train.conll": {"person": 660, "location": 548, "group": 264, "corporation": 221,
                    "product": 142, "creative-work": 140},
    "dev.conll": {"person": 470, "product": 114, "creative-work": 105, "location": 74,
                  "group": 39, "corporation": 34},
    "test.conll": {"person": 429, "group": 165, "location": 150, "creative-work": 142,
                   "product": 127, "corporation": 66},
}  # fmt: skip


@pytest.mark.skipif(not (DATA / "wnut17").is_dir(), reason="the shared data are not here")
@pytest.mark.parametrize(
    ("name", "texts"), [("train.conll", 3394), ("dev.conll", 1009), ("test.conll", 1287)]
)
def test_the_whole_of_wnut17(name: str, texts: int) -> None:
    tasks = tasks_of(conll.read, (DATA / "wnut17" / name).read_bytes())
    assert len(tasks) == texts
    assert Counter(label for one in tasks for _, _, label in extents(one)) == WNUT[name]


@pytest.mark.skipif(not (DATA / "germeval2014").is_dir(), reason="the shared data are not here")
def test_the_whole_of_germeval() -> None:
    data = (DATA / "germeval2014" / "NER-de-dev.tsv").read_bytes()
    tasks = tasks_of(germeval.read, data)
    assert counts(tasks)[:3] == (2200, 2200, 2674 + 212)
    assert sum(len(one.text.split(" ")) for one in tasks) == 41_653
    found = Counter(label for one in tasks for _, _, label in extents(one))
    assert (found["LOC"], found["PER"], found["OTHderiv"]) == (763 + 106, 711 + 34, 16)


def test_columns_in_between_documents_and_comments() -> None:
    data = (
        "# a file\n-DOCSTART- -X- -X- O\n\n# id = 7\nEU NNP I-NP B-ORG\nrejects VBZ I-VP O\n\n"
        "-DOCSTART- -X- -X- O\n\n# X = O\nBonn NNP I-NP B-LOC\n"
    )
    first, second = tasks_of(conll.read, data)
    assert (first.text, first.group, first.line) == ("EU rejects", "document 1", 5)
    assert first.extra == (
        '{"conll": {"columns": [["NNP", "VBZ"], ["I-NP", "I-VP"]], '
        '"comments": ["# a file", "# id = 7"]}}'
    )
    # Where it has as many columns as the rest, a line with # and a tag is a token.
    assert (second.text, second.group) == ("# Bonn", "document 2")


@pytest.mark.parametrize(
    ("data", "options"),
    [
        ("a b\tB-X\nc\tO\n", ReadOptions()),
        ("a b,B-X\nc,O\n", ReadOptions(separator=",")),
        ("token\ttag\na b\tB-X\nc\tO\n", ReadOptions()),
        ("a b\tNN\tB-X \r\nc\tNN\tO\r\n\r\n", ReadOptions()),
        ("a b||B-X\nc||O\n", ReadOptions(separator="||")),
    ],
)
def test_separators(data: str, options: ReadOptions) -> None:
    (task,) = tasks_of(conll.read, data, options)
    assert (task.text, extents(task)) == ("a b c", [(0, 3, "X")])
    assert not task.tokenised


@pytest.mark.parametrize("sign", [",", "|", ";", " ", "   ", "\t"])
def test_separators_are_recognised(sign: str) -> None:
    (task,) = tasks_of(
        conll.read, f"Word{sign}POS{sign}Tag\nEve{sign}NN{sign}B-X\n.{sign}.{sign}O\n"
    )
    assert (task.text, extents(task), task.tokenised) == ("Eve .", [(0, 3, "X")], True)


def test_inconsistent_tags_are_refused_or_repaired() -> None:
    data = "Eve\tB-PER\n.\tO\n\nIn\tO\nNew\tI-LOC\nYork\tI-LOC\n"
    assert counts(records(conll.read, data, ReadOptions(scheme=TagScheme.IOB1)))[5] == 0
    found = records(conll.read, data)
    assert isinstance(found[1], Refused)
    assert (found[1].line, found[1].field) == (5, "tag")
    assert found[1].reason is Reason.TAGS_INCONSISTENT
    tasks = tasks_of(conll.read, data, ReadOptions(scheme=TagScheme.IOB2, repair=True))
    assert extents(tasks[1]) == [(3, 11, "LOC")]
    assert tasks[1].notes == ("line 5, tag: I-LOC does not continue an entity: repaired.",)
    many = "".join("a\tI-X\nb\tO\n" for _ in range(50))
    (task,) = tasks_of(conll.read, many, ReadOptions(scheme=TagScheme.IOB2, repair=True))
    assert len(task.notes) == 21


@pytest.mark.parametrize(
    ("data", "line", "field", "reason"),
    [
        ("alone\n", 1, "tag", Reason.FIELD_INVALID),
        ("a\tO\nb\tNN\tO\n", 2, "columns", Reason.FIELD_INVALID),
        ("a\tX-PER\n", 1, "tag", Reason.FIELD_INVALID),
        ("a\tO\n \tO\n", 2, "token", Reason.FIELD_INVALID),
        ("a\tB-" + "x" * 101 + "\n", 1, "tag", Reason.FIELD_INVALID),
        ("a\0b\tO\n", 1, "token", Reason.FIELD_INVALID),
        ("1\ta\tO\n2\tb\tO\n", 1, "token", Reason.FIELD_INVALID),
    ],
)
def test_texts_that_are_refused(data: str, line: int, field: str, reason: Reason) -> None:
    one = refused(conll.read, data)
    assert (one.line, one.field, one.reason) == (line, field, reason)
    found = records(conll.read, data + "\nfine\tO\n")
    assert isinstance(found[-1], ParsedTask)
    assert found[-1].ordinal == 2


def test_germeval_levels_and_refusals() -> None:
    data = "#\thttp://a\t[2010]\n1\tUniversity\tB-ORG\tO\n2\tof\tI-ORG\tO\n3\tBonn\tI-ORG\tB-LOC\n"
    (task,) = tasks_of(germeval.read, data)
    assert extents(task) == [(0, 18, "ORG"), (14, 18, "LOC")]
    assert (task.metadata, task.line) == ({"source": "http://a [2010]"}, 2)
    assert refused(germeval.read, "1\ta\tO\n").field == "columns"
    one = refused(germeval.read, "1\ta\tO\tI-X\n")
    assert (one.field, one.reason) == ("tag 2", Reason.TAGS_INCONSISTENT)


def test_spacy_iob_recognises_the_scheme_of_the_file() -> None:
    data = "In|O Bonn|I-LOC\n\nBonn|I-LOC Berlin|B-LOC\n"
    first, second = tasks_of(spacy_iob.read, data)
    assert extents(first) == [(3, 7, "LOC")]
    assert extents(second) == [(0, 4, "LOC"), (5, 11, "LOC")]
    one = refused(spacy_iob.read, "In|O Bonn\n")
    assert (one.field, one.line) == ("word 2", 1)
    assert refused(spacy_iob.read, "In|O Bonn|NE\n").field == "tag"
