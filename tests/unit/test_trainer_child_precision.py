"""The child measures what a precision costs, and refuses one that costs too much."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from services.common.modeling.evaluation import Evaluation, Score
from services.trainer import child_training
from services.trainer.domain import FailureReason, JobFailedError
from services.trainer.engines import interface
from services.trainer.engines.description import EngineInfo
from services.trainer.job_files import JobFolder, JobSpec, PrecisionCheck
from tests.unit.tiny_trunk import write_trunk


def result_of(request: interface.TrainRequest, served: float, fp32: float) -> interface.TrainResult:
    """Return what an engine would have made; F1 on dev as it serves, and on fp32."""

    def scores(correct: float) -> Evaluation:
        score = Score(correct=round(correct * 100), predicted=100, support=100)
        return Evaluation(labels={"X": score}, micro=score, macro_f1=score.f1)

    return interface.TrainResult(
        adapters={},
        evaluations={"dev": scores(served)},
        best_epochs={},
        parity=interface.ParityReport(texts=1, max_abs_diff=0.0, span_mismatches=0, passed=True),
        timings={},
        fp32_evaluations={} if request.fp32_trunk_folder is None else {"dev": scores(fp32)},
    )


@pytest.mark.parametrize(
    ("fp32", "refused"), [(0.55, ""), (0.53, ""), (0.54, "'X' 0.500 instead of 0.540")]
)
def test_the_child_refuses_a_precision_that_costs_too_much(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fp32: float, refused: str
) -> None:
    trunk, in_fp32 = tmp_path / "trunk", tmp_path / "fp32"
    write_trunk(trunk)
    write_trunk(in_fp32, seed=8)
    folder = JobFolder(tmp_path / "job")
    folder.create()
    folder.write_examples([])
    checked = fp32 != 0.55
    monkeypatch.setattr(
        EngineInfo, "load", lambda _: lambda request, *_: result_of(request, 0.5, fp32)
    )
    lines: list[object] = []
    spec = JobSpec(
        job="j",
        folder=str(folder.path),
        cache_folder=str(tmp_path / "cache"),
        cache_bytes=7,
        trunks_folder="",
        trunk_folder=str(trunk),
        trunk_source="s@int8",
        trunk_precision_reason="It was asked for.",
        precision_check=PrecisionCheck(
            fp32_folder=str(in_fp32), train=False, max_label_loss=0.03, min_spans=50
        )
        if checked
        else None,
        labels=("X",),
    )

    def send(kind: str, **fields: object) -> None:
        lines.append(fields.get("message"))

    if refused:
        with pytest.raises(JobFailedError, match=refused) as raised:
            child_training.train(spec, send, lambda: False)
        assert raised.value.failure.reason is FailureReason.PRECISION_REFUSED
        assert folder.read_result() is None
        return
    assert child_training.train(spec, send, lambda: False)
    result, report = folder.read_result(), folder.read_report()
    assert result is not None
    assert report is not None
    parameters = json.loads(result.parameters)["trunk_precision"]
    assert parameters == {"precision": "fp32", "reason": "It was asked for."}
    assert (report.precision is not None) == checked
    if report.precision is not None:
        assert report.precision.fp32.labels["X"].f1 == pytest.approx(fp32)
    assert result.fp32_trunk_folder == ""


@pytest.mark.parametrize("registered", [False, True])
def test_what_cannot_be_measured_is_said_and_exported_trunks_are_handed_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, registered: bool
) -> None:
    made: list[str] = []

    def export_into(
        trunks: Path, source: str, say: object, *, with_fp32: bool
    ) -> tuple[Path, Path | None]:
        made.append(source)
        write_trunk(trunks / source)
        if with_fp32:
            write_trunk(trunks / "s", seed=8)
        return trunks / source, trunks / "s" if with_fp32 else None

    monkeypatch.setattr("services.trainer.engines.trunk_folder.export_into", export_into)
    folder = JobFolder(tmp_path / "job")
    folder.create()
    folder.write_examples([])

    def without_dev(request: interface.TrainRequest, *_: object) -> interface.TrainResult:
        return replace(result_of(request, 0.5, 0.5), fp32_evaluations={})

    monkeypatch.setattr(EngineInfo, "load", lambda _: without_dev)
    if registered:
        write_trunk(tmp_path / "s@fp16")
    lines: list[object] = []
    spec = JobSpec(
        job="j",
        folder=str(folder.path),
        cache_folder=str(tmp_path / "cache"),
        cache_bytes=7,
        trunks_folder=str(tmp_path),
        trunk_folder=str(tmp_path / "s@fp16") if registered else "",
        trunk_source="s@fp16",
        precision_check=PrecisionCheck(
            fp32_folder="", train=False, max_label_loss=0.03, min_spans=50
        ),
        labels=("X",),
    )
    assert child_training.train(
        spec, lambda kind, **fields: lines.append(fields.get("message")), lambda: False
    )
    assert made == ["s" if registered else "s@fp16"]
    result = folder.read_result()
    assert result is not None
    wanted = (str(tmp_path / "s@fp16"), str(tmp_path / "s"))
    assert (result.trunk_folder, result.fp32_trunk_folder) == wanted
    assert any("What fp32 costs was not measured" in str(line) for line in lines)


@pytest.mark.parametrize("fp32", [0.53, 0.54])
def test_int8_is_held_against_a_training_on_fp32(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fp32: float
) -> None:
    trunk, in_fp32 = tmp_path / "trunk", tmp_path / "fp32"
    write_trunk(trunk)
    write_trunk(in_fp32, seed=8)
    folder = JobFolder(tmp_path / "job")
    folder.create()
    folder.write_examples([])
    asked: list[interface.TrainRequest] = []

    def engine(
        request: interface.TrainRequest, tell: interface.OnEvent, _: object
    ) -> interface.TrainResult:
        asked.append(request)
        event = interface.TrainEvent(
            stage=interface.Stage.TRAINING, progress=0.5, message="a pass", epoch=1
        )
        tell(event)
        return result_of(request, fp32 if request.trunk_folder == in_fp32 else 0.5, 0.0)

    monkeypatch.setattr(EngineInfo, "load", lambda _: engine)
    sent: list[tuple[str, object]] = []
    spec = JobSpec(
        job="j",
        folder=str(folder.path),
        cache_folder=str(tmp_path / "cache"),
        cache_bytes=7,
        trunks_folder="",
        trunk_folder=str(trunk),
        trunk_source="s@int8",
        precision_check=PrecisionCheck(
            fp32_folder=str(in_fp32), train=True, max_label_loss=0.03, min_spans=50
        ),
        labels=("X",),
    )

    def send(kind: str, **fields: object) -> None:
        sent.append((kind, fields.get("message")))

    if fp32 == 0.54:
        with pytest.raises(JobFailedError, match=r"'X' 0\.500 instead of 0\.540"):
            child_training.train(spec, send, lambda: False)
    else:
        assert child_training.train(spec, send, lambda: False)
        report = folder.read_report()
        assert report is not None
        assert report.precision is not None
        assert report.precision.fp32.labels["X"].f1 == pytest.approx(0.53)
        # What is published is what was trained on int8.
        assert report.splits[0].evaluation.labels["X"].f1 == 0.5
    assert [one.trunk_folder for one in asked] == [trunk, in_fp32]
    # The comparison has its checkpoint where a job in fp32 looks for one.
    assert [one.work_dir for one in asked] == [folder.run_path / "precision", folder.run_path]
    assert [one.fp32_trunk_folder for one in asked] == [None, None]
    assert ("log", "in fp32: a pass") in sent
    assert [kind for kind, _ in sent].count("progress") == 1
