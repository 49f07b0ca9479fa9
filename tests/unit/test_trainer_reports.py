"""Reports: who was taken for whom, calibration, the worst texts, the page."""

from __future__ import annotations

import asyncio
import dataclasses
import io
import json
import re
import subprocess
import sys
import zipfile
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.common.clock import ManualClock
from services.common.errors import InternalError
from services.common.store.sqlite import SqliteStore
from services.trainer.documents import COLLECTIONS
from services.trainer.domain import Lease, ModelType, SpanMetrics, SplitEvaluation, TrainingJob
from services.trainer.job_files import JobFilesError, JobFolder
from services.trainer.job_log import JobLog
from services.trainer.reports import confusion as confusing
from services.trainer.reports.calibration import calibration
from services.trainer.reports.confusion import confusion
from services.trainer.reports.documents import report_of, report_value
from services.trainer.reports.logs import CHUNK_BYTES, log_archive
from services.trainer.reports.making import split_report
from services.trainer.reports.model import (
    LabelErrors,
    LearningCurvePoint,
    PrecisionReport,
    ScoredText,
    Span,
    TrainingReport,
)
from services.trainer.reports.page_process import PageProcess
from services.trainer.reports.repository import ReportRepository
from services.trainer.reports.worst import MAX_EXAMPLES, MAX_TEXT, worst_examples

METRICS = SpanMetrics(precision=0.5, recall=0.4, f1=0.44, support=10, predicted=8, correct=4)


def scored(gold: list[Span], predicted: list[Span], text: str = "x" * 40) -> ScoredText:
    return ScoredText(text=text, gold=gold, predicted=[(*span, 0.5) for span in predicted])


def cells(text: ScoredText) -> dict[tuple[str, str], int]:
    found = confusion([text], ["A", "B"])
    return {(cell.annotated, cell.predicted): cell.count for cell in found.cells}


def errors(text: ScoredText) -> dict[str, LabelErrors]:
    return {entry.label: entry for entry in confusion([text], ["A", "B"]).errors}


@pytest.mark.parametrize(
    ("gold", "predicted", "matrix", "of_a", "of_b"),
    [
        ([(0, 4, "A")], [(0, 4, "A")], {("A", "A"): 1}, {"correct": 1}, {}),
        ([(0, 4, "A")], [(0, 4, "B")], {("A", "B"): 1}, {"wrong_label": 1}, {}),
        ([(0, 4, "A")], [(2, 9, "A")], {("A", "A"): 1}, {"boundary": 1}, {}),
        ([(0, 4, "A")], [(2, 9, "B")], {("A", "B"): 1}, {"missed": 1}, {"spurious": 1}),
        ([(0, 4, "A")], [], {("A", ""): 1}, {"missed": 1}, {}),
        ([], [(0, 4, "A")], {("", "A"): 1}, {"spurious": 1}, {}),
        # touching is no overlap
        (
            [(0, 4, "A")],
            [(4, 9, "A")],
            {("A", ""): 1, ("", "A"): 1},
            {"missed": 1, "spurious": 1},
            {},
        ),
        # the exact extent goes first, then the same label, then the longest overlap
        (
            [(0, 4, "A"), (2, 8, "A")],
            [(2, 8, "B"), (0, 3, "A")],
            {("A", "B"): 1, ("A", "A"): 1},
            {"wrong_label": 1, "boundary": 1},
            {},
        ),
        (
            [(0, 10, "A")],
            [(0, 2, "A"), (2, 9, "A"), (0, 9, "B")],
            {("A", "A"): 1, ("", "A"): 1, ("", "B"): 1},
            {"boundary": 1, "spurious": 1},
            {"spurious": 1},
        ),
        # labels may overlap, and be repeated
        (
            [(0, 4, "A"), (0, 4, "B"), (0, 4, "A")],
            [(0, 4, "B"), (0, 4, "A")],
            {("A", "A"): 1, ("B", "B"): 1},
            {"correct": 1},
            {"correct": 1},
        ),
    ],
)
def test_annotations_and_predictions_are_matched(
    gold: list[Span],
    predicted: list[Span],
    matrix: dict[tuple[str, str], int],
    of_a: dict[str, int],
    of_b: dict[str, int],
) -> None:
    text = scored(gold, predicted)
    assert cells(text) == matrix
    found = errors(text)
    assert found["A"] == LabelErrors(label="A", **of_a)
    assert found["B"] == LabelErrors(label="B", **of_b)


spans = st.lists(
    st.builds(
        lambda start, size, label: (start, start + size, label),
        st.integers(0, 20),
        st.integers(1, 8),
        st.sampled_from("AB"),
    ),
    max_size=12,
)


@given(spans, spans)
def test_nothing_is_matched_twice_and_nothing_forgotten(
    gold: list[Span], predicted: list[Span]
) -> None:
    text = scored(gold, predicted)
    pairs, missed, spurious = confusing.match(text)
    assert sorted([*(one for one, _ in pairs), *missed]) == sorted(set(gold))
    assert sorted([*(other for _, other in pairs), *spurious]) == sorted(set(predicted))
    assert not [1 for one in missed for two in spurious if one[0] < two[1] and two[0] < one[1]]
    found = errors(text)
    for label, entry in found.items():
        support = len({span for span in gold if span[2] == label})
        assert entry.correct + entry.boundary + entry.wrong_label + entry.missed == support
        both = {span for span in gold if span in set(predicted) and span[2] == label}
        assert entry.correct == len(both)


def test_values_and_statuses_are_extents_too() -> None:
    text = "all of it"
    chosen = scored([(0, len(text), "A")], [(0, len(text), "B")], text)
    assert cells(chosen) == {("A", "B"): 1}
    (worst,) = worst_examples([chosen])
    assert (worst.missed, worst.spurious) == (("A",), ("B",))


def test_a_matrix_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(confusing, "MAX_CELLS", 2)
    found = confusion([scored([(i, i + 1, label) for i, label in enumerate("AABBBC")], [])], [])
    assert [(cell.annotated, cell.count) for cell in found.cells] == [("B", 3), ("A", 2)]
    assert [entry.label for entry in found.errors] == ["A", "B", "C"]


def test_scores_are_compared_with_what_they_promise() -> None:
    text = ScoredText(
        text="x" * 20,
        gold=[(0, 1, "A"), (1, 2, "A")],
        predicted=[(0, 1, "A", 0.82), (1, 2, "A", 0.88), (2, 3, "A", 0.8), (3, 4, "A", 1.0)],
    )
    bins, error = calibration([text])
    assert [entry.count for entry in bins] == [0, 0, 0, 0, 0, 0, 0, 0, 3, 1]
    assert bins[8].mean_score == pytest.approx(2.5 / 3)
    assert bins[8].precision == pytest.approx(2 / 3)
    assert (bins[9].low, bins[9].high, bins[9].precision) == (0.9, 1.0, 0.0)
    assert error == pytest.approx((3 * (2.5 / 3 - 2 / 3) + 1.0) / 4)
    assert calibration([])[1] == 0


def test_the_worst_texts_come_first() -> None:
    long = "word " * 1000
    texts = [
        scored([(0, 4, "A")], [(0, 4, "A")], "fine"),
        ScoredText(text="Anna left", gold=[], predicted=[(0, 4, "A", 0.3)]),
        scored([(4000, 4004, "A")], [], long),
        scored([(0, 4, "A")], [(0, 5, "A")], "Anna left"),
    ]
    found = worst_examples(texts)
    assert [entry.loss for entry in found] == [1.5, 1.0, 0.3]
    assert found[0].missed == ('A 0-4 "Anna"',)
    assert found[0].spurious == ('A 0-5 "Anna "',)
    # a long text is cut around its first error
    assert len(found[1].text) <= MAX_TEXT
    assert found[1].text.startswith("…")
    many = [scored([(0, 4, "A")], [], f"text {index}") for index in range(50)]
    assert [entry.text for entry in worst_examples(many)] == [
        f"text {index}" for index in range(MAX_EXAMPLES)
    ]
    (crowded,) = worst_examples([scored([(i, i + 1, "A") for i in range(60)], [], "x" * 500)])
    assert len(crowded.missed) == 51
    assert crowded.missed[-1] == "… and 10 more"


def report(label: str = "A") -> TrainingReport:
    evaluation = SplitEvaluation(
        split="test", labels={label: METRICS}, micro=METRICS, macro=METRICS, texts=2
    )
    text = ScoredText(
        text="Anna <script>alert(1)</script> & $x$ 東京",
        gold=[(0, 4, label)],
        predicted=[(0, 4, label, 0.7), (5, 9, "<b>B</b>", 0.4)],
    )
    curve = (LearningCurvePoint(texts=5, micro_f1=0.2), LearningCurvePoint(texts=9, micro_f1=0.3))
    precision = PrecisionReport(
        precision="<int8>", fp32=evaluation, trained=True, max_label_loss=0.03, min_spans=50
    )
    return TrainingReport(
        splits=(split_report(evaluation, [text]),), learning_curve=curve, precision=precision
    )


def test_a_report_survives_its_document(tmp_path: Path) -> None:
    made = report()
    assert report_of(json.loads(json.dumps(report_value(made)))) == made
    folder = JobFolder(tmp_path)
    assert folder.read_report() is None
    folder.write_report(made)
    assert folder.read_report() == made
    older = report_value(made)
    del older["precision"]  # one of an earlier release
    assert report_of(older) == dataclasses.replace(made, precision=None)
    for damaged in (b"{", b"{}", b'{"splits": [{}], "learning_curve": []}'):
        folder.report_path.write_bytes(damaged)
        with pytest.raises(JobFilesError):
            folder.read_report()


async def test_a_paused_holder_replaces_no_report(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "t.db")
    await store.open(COLLECTIONS)
    reports = ReportRepository(store)

    def held(token: int) -> TrainingJob:
        return TrainingJob(
            project="p", id="j", snapshot="s", trunk_source="t", lease=Lease(token=token)
        )

    assert await reports.find("j") is None
    await reports.save(held(3), report("new"))
    await reports.save(held(2), report("old"))
    assert await reports.find("j") == report("new")
    # the same attempt, and a later one, may repeat it
    await reports.save(held(3), report("again"))
    await reports.save(held(4), report("later"))
    assert await reports.find("j") == report("later")
    await store.close()


class Reader(HTMLParser):
    """Collects elements and text."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.addresses: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        for name, value in attrs:
            if name in ("src", "href", "xlink:href", "action", "data") or name.startswith("on"):
                self.addresses.append(f"{name}={value}")

    def handle_data(self, data: str) -> None:
        self.text += data


async def test_the_page_stands_alone() -> None:
    """One file: whatever the texts and labels hold, nothing runs and nothing is fetched."""
    given = {
        "title": "Report <of> x",
        "facts": [["job", "projects/p/trainingJobs/<j>"]],
        "epochs": [[1, 0.7, 0.1], [2, 0.5, 0.3]],
        "report": report_value(report("P$R$")),
    }
    made = (await PageProcess()(given)).decode()
    reader = Reader()
    reader.feed(made)
    assert reader.tags["svg"] == 4
    assert not {"script", "img", "image", "link", "iframe", "b", "i"} & set(reader.tags)
    assert [one for one in reader.addresses if not re.match(r"(xlink:)?href=#", one)] == []
    assert "url(http" not in made
    assert "@import" not in made
    for text in (
        "<script>alert(1)</script> & $x$ 東京",
        "P$R$",
        "<b>B</b>",
        "Report <of> x",
        "<int8>",
    ):
        assert text in reader.text
    assert "default-src 'none'" in made


async def test_a_page_that_cannot_be_made_is_an_error() -> None:
    for command in ((sys.executable, "-c", "raise SystemExit('broken')"), ("/does/not/exist",)):
        with pytest.raises(InternalError, match="trainer's log"):
            await PageProcess(command)({"report": {}})


async def test_a_caller_that_goes_away_ends_the_page_process(tmp_path: Path) -> None:
    started = tmp_path / "started"
    code = f"import os, time; open({str(started)!r}, 'w').write(str(os.getpid())); time.sleep(60)"
    process = PageProcess((sys.executable, "-c", code))
    making = asyncio.create_task(process({}))
    async with asyncio.timeout(20):
        while not started.exists() or not started.read_text():  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    making.cancel()
    await asyncio.gather(making, return_exceptions=True)
    assert not psutil.pid_exists(int(started.read_text()))


async def test_logs_of_a_group_are_one_archive(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "t.db")
    await store.open(COLLECTIONS)
    log = JobLog(store, ManualClock())
    jobs = [
        TrainingJob(
            project="p",
            id=f"j{index}",
            snapshot="s",
            trunk_source="t",
            model_type=kind,
            control=control,
            create_time=1_700_000_000_000_000,
        )
        for index, (kind, control) in enumerate(
            [(ModelType.NER, ""), (ModelType.CLASSIFICATION, "../a b"), (ModelType.ASSERTION, "")]
        )
    ]
    # more than a chunk of what does not shrink
    for index in range(2000):
        await log.append_one("j0", "info", f"line {index} {hash(str(index)) ** 5}")
    await log.append_one("j1", "warning", "ünicode")
    parts = [part async for part in log_archive(log, jobs)]
    assert len(parts) > 1
    assert max(map(len, parts)) < 4 * CHUNK_BYTES
    with zipfile.ZipFile(io.BytesIO(b"".join(parts))) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == [
            "ner_j0.log",
            "classification_..-a-b_j1.log",
            "assertion_j2.log",
        ]
        assert archive.read("ner_j0.log").count(b"\n") == 2000
        line = archive.read("classification_..-a-b_j1.log").decode()
        assert line == "2023-11-14T22:13:20.000Z warning ünicode\n"
        assert archive.read("assertion_j2.log") == b""
    await store.close()


def test_the_server_leaves_plots_to_a_child() -> None:
    code = (
        "import sys, services.trainer.bootstrap\n"
        "print([m for m in ('matplotlib', 'numpy') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "[]"
