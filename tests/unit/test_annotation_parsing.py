"""Reading and writing task files, without a service."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.annotation.domain import Completion, CompletionState, Span, Split, Task, TaskFormat
from services.annotation.handlers.exporting import conll_lines, json_line
from services.annotation.imports.conll import decode_tags
from services.annotation.imports.reader import FileReader, recognise
from services.annotation.imports.records import ParsedText, Record, Refused
from services.common.offsets import OffsetEncoding, to_code_points

LIMIT = 4096


def read(
    data: bytes | str,
    *,
    format: TaskFormat | None = None,
    encoding: OffsetEncoding = OffsetEncoding.CODE_POINT,
    piece: int = 7,
) -> list[Record]:
    data = data.encode() if isinstance(data, str) else data
    reader = FileReader(format, encoding, LIMIT)
    found = []
    for start in range(0, len(data), piece):
        found += reader.feed(data[start : start + piece])
    return [*found, *reader.end()]


def texts(records: Sequence[Record]) -> list[ParsedText]:
    assert all(isinstance(one, ParsedText) for one in records), records
    return [one for one in records if isinstance(one, ParsedText)]


def only_refusal(data: bytes | str, **options: object) -> Refused:
    (one,) = read(data, **options)
    assert isinstance(one, Refused), one
    return one


def extents(spans: Sequence[Span] | None) -> list[tuple[int, int, str]]:
    assert spans is not None
    return [(span.start, span.end, span.label) for span in spans]


def make_task(text: str, spans: Sequence[Span], *, tokenised: bool = False) -> Task:
    completion = Completion(
        id="c", author="a", state=CompletionState.SUBMITTED, spans=tuple(spans), copied_from="",
        version=1, created=1, updated=1, submitted=1,
    )  # fmt: skip
    return Task(
        project="p", id="t", text=text, external_id="x#1", split=Split.DEV, metadata={"a": "ü\n"},
        tokenised=tokenised, completions=(completion,), version=1, created=1, updated=1,
    )  # fmt: skip


# --- CoNLL


@pytest.mark.parametrize(
    ("tags", "wanted"),
    [
        ("B-x I-x O B-y", ["aa bb", "dd"]),  # IOB2
        ("I-x I-x O I-y", ["aa bb", "dd"]),  # IOB1
        ("I-x B-x O O", ["aa", "bb"]),  # IOB1: B- parts neighbours
        ("B-x E-x S-y S-y", ["aa bb", "cc", "dd"]),  # IOBES
        ("B-x L-x U-y O", ["aa bb", "cc"]),  # BILOU
        ("B-y I-x I-x O", ["aa", "bb cc"]),  # repaired as IOB1
        ("E-x O S-x I-x", ["aa", "cc", "dd"]),  # an end without a beginning; I- behind S-
        ("B-x I-x I-x I-x", ["aa bb cc dd"]),
    ],
)
def test_tag_schemes_decode_alike(tags: str, wanted: list[str]) -> None:
    text = "aa bb cc dd"
    spans = decode_tags(text.split(), tags.split())
    assert [text[span.start : span.end] for span in spans] == wanted


def test_conll_with_bom_crlf_comments_docstart_and_blank_lines_with_blanks() -> None:
    data = (
        "\ufeff-DOCSTART- O\r\n\r\n# source: web page\r\nEU NNP B-ORG\r\nrejects VBZ O\r\n \t\r\n"
        "# O O\r\ncall NN O"
    )
    found = texts(read(data))
    assert [(one.line, one.text, extents(one.spans)) for one in found] == [
        (4, "EU rejects", [(0, 2, "ORG")]),
        (7, "# call", []),
    ]
    assert all(one.tokenised for one in found)


@pytest.mark.parametrize(
    ("line", "field", "says"),
    [
        ("EU", "tag", "one column"),
        ("EU\tB-", "tag", "no tag"),
        ("EU\tX-ORG", "tag", "no tag"),
        ("EU\tNNP\tO", "columns", "3 columns"),
        ("\tO", "token", "blank"),
    ],
)
def test_a_malformed_line_refuses_its_text_only(line: str, field: str, says: str) -> None:
    first, bad, last = read(f"a\tO\n\nb\tO\n{line}\nc\tO\n\nd\tB-x\n")
    assert isinstance(first, ParsedText)
    assert isinstance(last, ParsedText)
    assert isinstance(bad, Refused)
    assert (bad.line, bad.field, bad.reason) == (4, field, "FIELD_INVALID")
    assert says in bad.message


def test_a_column_of_line_numbers_is_not_taken_for_the_text() -> None:
    bad = only_refusal("# GermEval\n1\tAda\tB-PER\tO\n2\tschlief\tO\tO\n")
    assert (bad.line, bad.field) == (2, "token")
    assert "numbers the lines" in bad.message
    (one,) = texts(read("1\tO\n2\tO\n"))  # two columns: these are the tokens
    assert one.text == "1 2"


def test_bytes_that_are_not_utf8_refuse_their_line() -> None:
    good, bad = read(b"a\tO\n\nb\tO\n\xff\tO\n")
    assert isinstance(good, ParsedText)
    assert isinstance(bad, Refused)
    assert (bad.line, bad.reason) == (4, "REQUEST_MALFORMED")
    utf16 = only_refusal("{}".encode("utf-16"))
    assert (utf16.line, utf16.reason) == (1, "REQUEST_MALFORMED")


def test_only_line_feeds_end_lines() -> None:
    (one,) = texts(read("a\u2028b\x85c\tO\nd\tO\n"))
    assert one.text == "a\u2028b\x85c d"


# --- JSON lines


def test_json_lines_with_everything() -> None:
    line = {
        "text": "Öl für Ada",
        "spans": [
            {"start": 7, "end": 10, "label": "PER", "id": "s1"},
            {"start": 0, "end": 2, "label": "x"},
        ],
        "id": 17,
        "split": "dev",
        "metadata": {"k": "v"},
        "intent": "ignored",
    }
    annotated, empty, open_task = texts(
        read(f'\n{json.dumps(line)}\r\n{{"text":"a","spans":[]}}\n{{"text":"b"}}\n')
    )
    assert annotated.spans == (
        Span(start=0, end=2, label="x", id="s2"),
        Span(start=7, end=10, label="PER", id="s1"),
    )
    assert (annotated.external_id, annotated.split) == ("17", Split.DEV)
    assert annotated.metadata == {"k": "v"}
    assert (annotated.line, annotated.ordinal, open_task.ordinal) == (2, 1, 3)
    assert empty.spans == ()
    assert open_task.spans is None


SPAN = '{"text":"a😀e\u0301b","spans":[%s]}'


@pytest.mark.parametrize(
    ("line", "reason", "field"),
    [
        ("{", "REQUEST_MALFORMED", ""),
        ("{}", "FIELD_INVALID", "text"),
        ('{"text":""}', "FIELD_INVALID", "text"),
        ('{"text":3}', "FIELD_INVALID", "text"),
        (r'{"text":"\ud800"}', "FIELD_INVALID", "text"),
        ('{"text":"a","spans":{}}', "FIELD_INVALID", "spans"),
        ('{"text":"a","split":"valid"}', "FIELD_INVALID", "split"),
        ('{"text":"a","split":["dev"]}', "FIELD_INVALID", "split"),
        ('{"text":"a","id":["x"]}', "FIELD_INVALID", "id"),
        ('{"text":"a","metadata":{"k":1}}', "FIELD_INVALID", "metadata"),
        (SPAN % "7", "FIELD_INVALID", "spans[0]"),
        (SPAN % '{"start":0,"end":1}', "FIELD_INVALID", "spans[0].label"),
        (SPAN % '{"start":0,"end":1,"label":" x"}', "FIELD_INVALID", "spans[0].label"),
        (SPAN % '{"start":true,"end":1,"label":"x"}', "OFFSET_INVALID", "spans[0].start"),
        (SPAN % '{"start":-1,"end":1,"label":"x"}', "OFFSET_INVALID", "spans[0].start"),
        (SPAN % '{"start":0,"end":6,"label":"x"}', "OFFSET_INVALID", "spans[0].end"),
        (SPAN % f'{{"start":0,"end":{10**400},"label":"x"}}', "OFFSET_INVALID", "spans[0].end"),
        (SPAN % '{"start":2,"end":1,"label":"x"}', "OFFSET_INVALID", "spans[0].end"),
        (SPAN % '{"start":1,"end":1,"label":"x"}', "OFFSET_INVALID", "spans[0].end"),
        (
            SPAN % '{"start":0,"end":1,"label":"x"},{"start":0,"end":1,"label":"x"}',
            "FIELD_INVALID",
            "spans[1]",
        ),
    ],
)
def test_bad_json_lines_are_refused_with_reason_and_field(
    line: str, reason: str, field: str
) -> None:
    bad = only_refusal(line, format=TaskFormat.JSONL)
    assert (bad.reason, bad.field, bad.line) == (reason, field, 1)


@pytest.mark.parametrize(
    ("encoding", "end", "refused"),
    [
        (OffsetEncoding.UTF16, 2, True),  # inside the surrogate pair
        (OffsetEncoding.UTF16, 3, False),
        (OffsetEncoding.UTF16, 4, True),  # between e and its accent
        (OffsetEncoding.UTF8, 3, True),  # inside the emoji's bytes
        (OffsetEncoding.UTF8, 5, False),
        (OffsetEncoding.UTF8, 6, True),
        (OffsetEncoding.CODE_POINT, 3, False),
    ],
)
def test_offsets_inside_characters(encoding: OffsetEncoding, end: int, refused: bool) -> None:
    line = SPAN % f'{{"start":0,"end":{end},"label":"x"}}'
    (one,) = read(line, encoding=encoding)
    if refused:
        assert isinstance(one, Refused)
        assert (one.reason, one.field) == ("OFFSET_INVALID", "spans[0].end")
    else:
        assert isinstance(one, ParsedText)


def test_overlapping_spans_of_different_labels_are_fine() -> None:
    wanted = [(0, 2, "x"), (1, 3, "x"), (0, 2, "y")]
    spans = [{"start": start, "end": end, "label": label} for start, end, label in wanted]
    (one,) = texts(read(json.dumps({"text": "abcd", "spans": spans})))
    assert extents(one.spans) == [(0, 2, "x"), (0, 2, "y"), (1, 3, "x")]


# --- lines and recognition


@pytest.mark.parametrize("format", list(TaskFormat))
def test_a_line_beyond_the_limit_is_refused_and_the_rest_read(format: TaskFormat) -> None:
    long = b"x" * (LIMIT * 3)
    good = b'{"text":"a"}\n' if format is TaskFormat.JSONL else b"a\tO\n\n"
    first, bad, last = read(good + long + b"\n\n" + good, format=format, piece=100)
    assert isinstance(first, ParsedText)
    assert isinstance(last, ParsedText)
    assert isinstance(bad, Refused)
    assert (bad.reason, bad.line) == ("LINE_TOO_LONG", good.count(b"\n") + 1)


def test_a_file_of_one_long_line_is_refused_in_any_format() -> None:
    assert only_refusal(b"x" * 10_000_000, piece=65_536).reason == "LINE_TOO_LONG"


@pytest.mark.parametrize(
    ("line", "format"),
    [
        ('{"text": "go B-x"}', TaskFormat.JSONL),
        ('  {"text"', TaskFormat.JSONL),
        ("{ O", TaskFormat.CONLL),
        ("{\tB-x", TaskFormat.CONLL),
        ("EU", TaskFormat.CONLL),
    ],
)
def test_recognition(line: str, format: TaskFormat) -> None:
    assert recognise(line) is format


# --- round trips

LABELS = st.sampled_from(["x", "y", "creative-work", "Ort und Zeit"])
PIECES = st.text(
    st.sampled_from("ab \n\r\t\u2028\u0301é😀👩‍👩‍👧🇩🇪\u200dहि"), min_size=1, max_size=30
)


@st.composite
def annotated(draw: st.DrawFn) -> tuple[str, list[Span]]:
    text = draw(PIECES)
    cuts = []
    for offset in range(len(text) + 1):
        try:  # only where every unit may cut
            utf8 = len(text[:offset].encode())
            if to_code_points(text, [utf8], OffsetEncoding.UTF8) == [offset]:
                cuts.append(offset)
        except Exception:  # noqa: BLE001 - inside a grapheme
            continue
    spans: dict[tuple[int, int, str], Span] = {}
    for number in range(draw(st.integers(0, 4))):
        start, end = sorted((draw(st.sampled_from(cuts)), draw(st.sampled_from(cuts))))
        label = draw(LABELS)
        if start < end:
            key = (start, end, label)
            spans[key] = Span(start=start, end=end, label=label, id=f"i{number}")
    return text, [spans[key] for key in sorted(spans)]


@given(annotated(), st.sampled_from(OffsetEncoding), st.integers(1, 50))
def test_json_lines_round_trip(
    example: tuple[str, list[Span]], encoding: OffsetEncoding, piece: int
) -> None:
    text, spans = example
    line = json_line(make_task(text, spans), encoding)
    (one,) = texts(read(line + line[:-1] + b"\r\n", encoding=encoding, piece=piece)[:1])
    assert (one.text, one.spans) == (text, tuple(spans))
    assert (one.external_id, one.split, one.metadata) == ("x#1", Split.DEV, {"a": "ü\n"})


@given(
    st.lists(
        st.tuples(
            st.text(st.sampled_from("aé😀#,{\u00a0\u0301"), min_size=1, max_size=4).filter(
                str.strip
            ),
            st.sampled_from(["O", "B-x", "I-x", "B-y", "I-y"]),
        ),
        min_size=1,
        max_size=12,
    )
)
def test_conll_round_trip(rows: list[tuple[str, str]]) -> None:
    data = "".join(f"{token}\t{tag}\n" for token, tag in rows)
    (one,) = texts(read(data, format=TaskFormat.CONLL))
    assert one.spans is not None
    written, omitted = conll_lines(make_task(one.text, one.spans, tokenised=True), one.spans)
    assert omitted == 0
    (again,) = texts(read(written, format=TaskFormat.CONLL))
    assert (again.text, again.spans) == (one.text, one.spans)


def test_conll_leaves_out_what_it_cannot_hold() -> None:
    text = "Fee: 5.50 (Ada's)"
    spans = [
        Span(start=0, end=3, label="x"),
        Span(start=5, end=9, label="MONEY"),
        Span(start=7, end=9, label="CENTS"),  # overlaps
        Span(start=12, end=14, label="x"),  # ends inside a word
        Span(start=0, end=4, label="y"),  # overlaps, and is longer
    ]
    written, omitted = conll_lines(make_task(text, spans), spans)
    assert omitted == 3
    rows = [line.split("\t") for line in written.decode().splitlines() if line]
    assert rows[:3] == [["Fee", "B-y"], [":", "I-y"], ["5", "B-MONEY"]]
    assert rows[-1] == [")", "O"]
    assert written.endswith(b"\n\n")
    assert conll_lines(make_task(" \n", []), []) == (b"", 0)
