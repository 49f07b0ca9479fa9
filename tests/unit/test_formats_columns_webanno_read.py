"""WebAnno TSV as other tools write it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from services.annotation.formats.columns.webanno import read, writer
from services.annotation.formats.records import ParsedTask, ReadOptions
from services.common.errors import InvalidArgumentError, Reason
from services.common.offsets import OffsetEncoding
from tests.support.format_items import counts, extents, records, refused, tasks_of, written

ROOT = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("SPANLOOP_TEST_DATA", ROOT.parent / "shared" / "data"))
INCEPTION = DATA / "formats" / "inception_webanno_tsv"
NE = "de.tudarmstadt.ukp.dkpro.core.api.ner.type.NamedEntity"
SPAN_LAYER = "#FORMAT=WebAnno TSV 3.3\n#T_SP=webanno.custom.Span|value\n"
RELATED = SPAN_LAYER + "#T_RL=webanno.custom.Relation|value|BT_webanno.custom.Span\n"


def only(data: str, options: ReadOptions | None = None) -> ParsedTask:
    (task,) = tasks_of(read, data, options)
    return task


def links(task: ParsedTask) -> list[tuple[str, str, tuple[str, ...]]]:
    """Relations as the texts of their ends and their labels."""
    content = task.completions[0].content
    spans = {one.id: task.text[one.start : one.end] for one in content.spans}
    return [(spans[one.source], spans[one.target], one.labels) for one in content.relations]


EXPECTED = {
    # spans, relations
    "rels__1sentencesamerel.tsv": (2, 1),
    "rels__1sentencesamerel2.tsv": (2, 1),
    "rels__1sentencesamerel3.tsv": (1, 0),
    "rels__1sentencesamerel4.tsv": (2, 1),
    "rels__1sentencesamerel5.tsv": (2, 0),
    "simplespan__1sentence.tsv": (1, 0),
    "simplespan__1sentenceNE.tsv": (2, 0),
    "simplespan__1sentenceNEempty.tsv": (0, 0),
    "simplespan__1sentenceNEstacked.tsv": (1, 0),  # the same label and extent twice
    "simplespan__1sentenceNEstacked2.tsv": (2, 0),
    "simplespan__1sentenceempty.tsv": (0, 0),
    "simplespan__1sentenceposlabel.tsv": (1, 0),
    "simplespan__1sentenceposlabel2.tsv": (1, 0),
    "simplespan__1sentenceposlabel2and3merged.tsv": (2, 0),
    "simplespan__1sentenceposlabel3.tsv": (1, 0),
    "spanmultifeature__1sentenceNEFeatureA.tsv": (1, 0),
    "spanmultifeature__1sentenceNEFeatureB.tsv": (1, 0),
    "spanmultifeature__1sentenceNEFeatureempty.tsv": (0, 0),
    "spanmultifeature__1sentenceNENoFeature.tsv": (1, 0),
}


@pytest.mark.skipif(not INCEPTION.is_dir(), reason="the shared data are not here")
def test_every_real_file() -> None:
    found = {}
    for path in sorted(INCEPTION.glob("*.tsv")):
        tasks, completions, spans, relations, _, bad = counts(records(read, path.read_bytes()))
        assert (tasks, completions, bad) == (1, 1, 0), path.name
        found[path.name] = (spans, relations)
    assert found == EXPECTED


@pytest.mark.skipif(not INCEPTION.is_dir(), reason="the shared data are not here")
def test_real_files_come_back_when_written() -> None:
    for path in sorted(INCEPTION.glob("*.tsv")):
        before = only(path.read_text("utf-8"))
        data, _ = written(writer, [before])
        after = only(data.decode())
        assert after.text == before.text
        assert after.completions == before.completions, path.name


@pytest.mark.skipif(not INCEPTION.is_dir(), reason="the shared data are not here")
def test_relations_and_features_of_version_2() -> None:
    task = only((INCEPTION / "rels__1sentencesamerel.tsv").read_text("utf-8"))
    assert task.text == "This is a simple sentence to be executed."
    assert [one[2] for one in extents(task)] == ["VAFIN", "NN"]
    assert links(task) == [("is", "sentence", ("OBJA",))]
    task = only((INCEPTION / "spanmultifeature__1sentenceNENoFeature.tsv").read_text("utf-8"))
    (span,) = task.completions[0].content.spans
    assert span.label == "Opinion"
    assert dict(span.attributes) == {"layer": "webanno.custom.Opinion", "opinion": "false"}


def test_spans_over_tokens_and_parts_of_them() -> None:
    task = only(
        SPAN_LAYER + "\n\n#Text=aaaaaa bbbbbb cccccc\n"
        "1-1\t0-6\taaaaaa\t2[1]|7[2]\t\n"
        "1-1.1\t3-6\taaa\t9[4]|6[5]\t\n"
        "1-2\t7-13\tbbbbbb\t2[1]|9[4]|6[5]\t\n"
        "1-2.1\t7-10\tbbb\t7[2]\t\n"
        "1-2.2\t9-11\tbb\t3\t\n"
        "1-2.3\t10-10\t\t10\t\n"
        "1-3\t14-20\tcccccc\t_\t\n"
        "1-3.1\t14-17\tccc\t9[4]\t\n"
    )
    assert task.text == "aaaaaa bbbbbb cccccc"
    assert extents(task) == [
        (0, 10, "7"), (0, 13, "2"), (3, 13, "6"), (3, 17, "9"), (9, 11, "3"),
    ]  # fmt: skip
    assert task.notes == ("spans: 1 without a character were left out.",)


def test_spans_over_sentences_and_values_with_signs() -> None:
    task = only(
        SPAN_LAYER + "\n\n#Text=He left .\n1-1\t0-2\tHe\t_\t\n1-2\t3-7\tleft\t*[1]\t\n"
        "1-3\t8-9\t.\t*[1]\t\n\n#Text=a\\\\b\\tc\n2-1\t12-15\ta\\b\t*[1]|x\\|y\\[1\\]\\_[2]\t\n"
        "2-2\t16-17\tc\t\\*\t\n"
    )
    assert task.text == "He left .\n  a\\b\tc"
    assert extents(task) == [(3, 15, "Span"), (12, 15, "x|y[1]_"), (16, 17, "*")]


def test_relations_of_stacked_spans_and_parts() -> None:
    task = only(
        RELATED
        + "\n\n#Text=Test again .\n1-1\t0-4\tTest\t_\t_\t_\t\n1-1.1\t0-1\tT\tA[1]|B[2]\t_\t_\t\n"
        "1-2\t5-10\tagain\tC\tx|*\t1-1.1[2_0]|1-3\t\n1-3\t11-12\t.\tD\t_\t_\t\n"
    )
    assert [one[2] for one in extents(task)] == ["A", "B", "C", "D"]
    assert links(task) == [("T", "again", ("x",)), (".", "again", ())]
    assert task.completions[0].content.relations[0].source == "s2"


def test_relations_of_tokens_make_spans_there() -> None:
    task = only(
        "#FORMAT=WebAnno TSV 3.2\n#T_RL=a.Dependency|DependencyType|flavor|BT_a.Token\n\n\n"
        "#Text=He left\n1-1\t0-2\tHe\tSUBJ\tbasic\t1-2\t\n1-2\t3-7\tleft\t_\t_\t_\t\n"
    )
    assert extents(task) == [(0, 2, "Token"), (3, 7, "Token")]
    assert links(task) == [("left", "He", ("SUBJ",))]
    assert task.notes == ("relations: feature flavor has no place and was left out.",)


def test_slots_are_relations() -> None:
    task = only(
        "#FORMAT=WebAnno TSV 3.3\n#T_SP=w.Simple|\n"
        "#T_SP=w.Host|ROLE_w.Host:links_w.LinkType|w.Simple\n\n\n#Text=This is a test .\n"
        "1-1\t0-4\tThis\t_\tp1;*\t1-2[1];1-5\t\n1-2\t5-7\tis\t*[1]\t_\t_\t\n1-3\t8-9\ta\t*[1]\t_\t_\t\n"
        "1-4\t10-14\ttest\t_\t*[7]\t*\t\n1-5\t15-16\t.\t*\t_\t_\t\n"
    )
    assert extents(task) == [
        (0, 4, "Host"), (5, 9, "Simple"), (10, 14, "Host"), (15, 16, "Simple"),
    ]  # fmt: skip
    assert links(task) == [("This", "is a", ("p1",)), ("This", ".", ("links",))]


def test_chains_are_relations_from_each_element_to_the_next() -> None:
    task = only(
        "#FORMAT=WebAnno TSV 3.3\n#T_CH=w.CoreferenceLink|referenceRelation|referenceType\n\n\n"
        "#Text=Eve has her hat\n1-1\t0-3\tEve\tsame->1-1\tPER[1]\t\n1-2\t4-7\thas\t_\t_\t\n"
        "1-3\t8-11\ther\t*->1-2\t*[1]\t\n1-4\t12-15\that\t*->1-2\t*[1]\t\n"
    )
    assert extents(task) == [(0, 3, "PER"), (8, 15, "CoreferenceLink")]
    assert links(task) == [("Eve", "her hat", ("same",))]


def body(first: tuple[int, int], second: tuple[int, int]) -> str:
    return (
        f"#FORMAT=WebAnno TSV 3.3\n#T_SP={NE}|identifier|value\n\n\n#Text=👍 Köln\n"
        f"1-1\t{first[0]}-{first[1]}\t👍\t_\t_\t\n1-2\t{second[0]}-{second[1]}\tKöln\tQ365\tLOC\t\n"
    )


def test_offsets_count_utf16_units_or_what_fits_the_tokens() -> None:
    for data in (
        body((0, 2), (3, 7)),
        body((0, 1), (2, 6)),
        body((0, 4), (5, 10)),
    ):
        task = only(data)
        assert extents(task) == [(2, 6, "LOC")]
        (span,) = task.completions[0].content.spans
        assert span.attributes == (("identifier", "Q365"),)
    assert only(body((0, 1), (2, 6)), ReadOptions(encoding=OffsetEncoding.CODE_POINT)).labels == {
        "LOC": (7, "NamedEntity"),
    }
    one = refused(read, body((0, 1), (2, 6)), ReadOptions(encoding=OffsetEncoding.UTF16))
    assert (one.reason, one.field) == (Reason.OFFSET_INVALID, "line 6")
    assert refused(read, body((0, 1), (3, 7))).reason is Reason.OFFSET_INVALID  # in no unit both


def test_text_escapes_of_old_versions() -> None:
    data = (
        SPAN_LAYER.replace("3.3", "3.1") + "\n\n#Text=\\u00e9\\ud83d\\udc4d\n1-1\t0-3\té👍\t_\t\n"
    )
    assert only(data).text == "é👍"


@pytest.mark.parametrize(
    ("data", "reason", "line"),
    [
        (SPAN_LAYER + "\n\n#Text=a\n1-1\t0-1\ta\t_\t_\tx\n", Reason.FIELD_INVALID, 6),
        (SPAN_LAYER + "\n\n#Text=a\n1-1\t0\ta\t_\t\n", Reason.REQUEST_MALFORMED, 6),
        (SPAN_LAYER + "\n\n#Text=a\n", Reason.FIELD_INVALID, 5),
        (SPAN_LAYER + "\n\n#Text=a\n1-1\t0-900000000\ta\t_\t\n", Reason.OFFSET_INVALID, 6),
        (SPAN_LAYER + "\n\n#Text=a\n1-1\t90000000-90000001\ta\t_\t\n", Reason.OFFSET_INVALID, 6),
        (RELATED + "\n\n#Text=a\n1-1\t0-1\ta\tX\t*\t1-9\t\n", Reason.FIELD_INVALID, 7),
        (RELATED + "\n\n#Text=a\n1-1\t0-1\ta\tX\t*\t1-1[4_0]\t\n", Reason.FIELD_INVALID, 7),
        (RELATED + "\n\n#Text=a\n1-1\t0-1\ta\tX\t*\t_\t\n", Reason.FIELD_INVALID, 7),
        (SPAN_LAYER + "\n\n#Text=a a\n1-1\t0-1\ta\t_\t\n1-1\t2-3\ta\t_\t\n",
         Reason.FIELD_INVALID, 7),
        (SPAN_LAYER + "\n\n#Text=" + "a" * 1_000_002 + "\n", Reason.REQUEST_TOO_LARGE, 5),
        (SPAN_LAYER + '\n\n#Spanloop.task={"id": "\\ud800"}\n#Text=a\n1-1\t0-1\ta\t_\t\n',
         Reason.REQUEST_MALFORMED, 5),
        (SPAN_LAYER + '\n\n#Spanloop.task={"split": "x"}\n#Text=a\n1-1\t0-1\ta\t_\t\n',
         Reason.FIELD_INVALID, 5),
    ],
)  # fmt: skip
def test_documents_that_are_refused(data: str, reason: Reason, line: int) -> None:
    one = refused(read, data)
    assert (one.reason, one.line) == (reason, line)


def test_one_bad_document_of_several() -> None:
    data = (
        SPAN_LAYER + '\n\n#Spanloop.task={"id": "a"}\n#Text=a\n1-1\t0-1\ta\tX\t\n\n'
        '#Spanloop.task={"id": "b"}\n#Text=b\n2-1\t2-3\tc\tX\t\n\n'
        '#Spanloop.task={"id": "c", "open": true}\n#Text=c\n3-1\t4-5\tc\t_\t\n'
    )
    first, second, third = records(read, data)
    assert isinstance(first, ParsedTask)
    assert isinstance(third, ParsedTask)
    assert (first.external_id, third.external_id, third.completions) == ("a", "c", ())
    assert not isinstance(second, ParsedTask)
    assert second.reason is Reason.OFFSET_INVALID


@pytest.mark.parametrize(
    "data", ["#FORMAT=WebAnno TSV 4.0\n", "1\tHeute\theute\tADV\n", "#FORMAT=Other 3.2\n"]
)
def test_other_files_are_refused_as_a_whole(data: str) -> None:
    with pytest.raises(InvalidArgumentError, match=r"WebAnno TSV 3\.3") as raised:
        records(read, data)
    assert raised.value.reason is Reason.REQUEST_MALFORMED


def test_inconsistent_tags_of_version_2() -> None:
    data = (
        f" # {NE} | value\n#id=1\n#text=Eve met Bob.\n1-1\tEve\tI-PER\t\n1-2\tmet\tO\t\n"
        "1-3\tBob\tB-PER\t\n1-4\t.\tO\t\n"
    )
    one = refused(read, data)
    assert (one.reason, one.field) == (Reason.TAGS_INCONSISTENT, "line 4")
    task = only(data, ReadOptions(repair=True))
    assert extents(task) == [(0, 3, "PER"), (8, 11, "PER")]
    assert task.text == "Eve met Bob."
    assert len(task.notes) == 1


def test_layers_of_the_first_task_are_declared_again() -> None:
    task = only(
        RELATED + "\n\n#Text=Eve met\n1-1\t0-3\tEve\tA\t_\t_\t\n1-2\t4-7\tmet\tB\tr\t1-1\t\n"
    )
    data, omitted = written(writer, [task])
    assert data.decode().splitlines()[:5] == [
        "#FORMAT=WebAnno TSV 3.3",
        "#T_SP=webanno.custom.Span|value",
        f"#T_SP={NE}|identifier|value",
        "#T_RL=webanno.custom.Relation|value|BT_webanno.custom.Span",
        "",
    ]
    assert "1-2\t4-7\tmet\tB[2]\t_\t_\tr\t1-1[1_2]\t\n" in data.decode()
    assert "#Spanloop.span" not in data.decode()
    assert only(data.decode()).completions == task.completions
    assert set(omitted) == {"authors and times of completions"}
