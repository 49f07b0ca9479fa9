"""Labels are independent, runs resume, torch and onnxruntime agree: on a tiny trunk."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from services.common.modeling import states as states_module
from services.common.modeling.adapter import load_adapter
from services.common.modeling.manifest import AdapterManifest, ManifestError
from services.common.modeling.onnx.bank import Bank, BankRuntime
from services.common.modeling.onnx.trunk import TrunkRunner
from services.common.modeling.packing import WordInputs
from services.common.modeling.predictor import TextPredictor
from services.common.modeling.states import Segment, WordStateReader
from services.trainer.engines import ladder_training, memory
from services.trainer.engines import parity as parity_module
from services.trainer.engines.batch import CachedStates, Layout
from services.trainer.engines.dataset import Split
from services.trainer.engines.distillation import with_opinions
from services.trainer.engines.interface import (
    AdapterArtifact,
    Cancelled,
    EngineError,
    Example,
    NoTrainingDataError,
    TrainEvent,
    TrainRequest,
    TrainResult,
)
from services.trainer.engines.ladder import Dropout, Ladder
from services.trainer.engines.ladder_engine import train
from services.trainer.engines.params import LadderParams
from services.trainer.reports.calibration import calibration
from services.trainer.reports.confusion import confusion
from tests.unit.tiny_trunk import write_trunk

NAMES = ["Acme", "Bolt", "Cora", "Dune", "Echo", "Fox", "Gild", "Hale"]
PLACES = ["rome", "oslo", "bonn", "kyiv", "lima"]
PARAMS = LadderParams(width=8, tap_dropout=0.1, batch_words=64, epochs=8, learning_rate=5e-3)


def examples(count: int, seed: int) -> list[Example]:
    draw = random.Random(seed)
    made = []
    for _ in range(count):
        name, place = draw.choice(NAMES), draw.choice(PLACES)
        text = f"the firm {name} Ltd. of {place} pays {draw.randint(1, 99)}"
        start, at = text.index(name), text.index(place)
        party = (start, start + len(name) + 5, "PARTY")
        spans = [party, (at, at + len(place), "PLACE"), (start, at + len(place), "BOTH")]
        made.append(Example(text=text, spans=spans))
    return made


@pytest.fixture(scope="module")
def trunk_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trunk")
    write_trunk(folder)
    return folder


def request(trunk_folder: Path, tmp_path: Path, **changes: object) -> TrainRequest:
    values: dict[str, object] = {
        "train": examples(60, 1),
        "dev": examples(20, 2),
        "test": examples(20, 3),
        "labels": ["PARTY", "PLACE", "BOTH"],
        "trunk_folder": trunk_folder,
        "work_dir": tmp_path / "work",
        "cache_dir": tmp_path / "cache",
        "params": PARAMS,
        "lineage": {"snapshot": "s1"},
        "threads": 1,
    }
    return TrainRequest(**(values | changes))  # type: ignore[arg-type]


def run(wanted: TrainRequest) -> tuple[TrainResult, list[TrainEvent]]:
    events: list[TrainEvent] = []
    return train(wanted, events.append, lambda: False), events


@pytest.fixture(scope="module")
def trained(
    trunk_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[TrainResult, list[TrainEvent]]:
    return run(request(trunk_folder, tmp_path_factory.mktemp("run")))


def test_learns_overlapping_labels(trained: tuple[TrainResult, list[TrainEvent]]) -> None:
    result, events = trained
    assert set(result.adapters) == {"PARTY", "PLACE", "BOTH"}
    assert result.evaluations["test"].micro.f1 > 0.8
    assert result.evaluations["test"].micro.support == 60
    assert set(result.evaluations) == {"dev", "test"}
    assert result.parity.passed, result.parity.reason
    assert result.parity.max_abs_diff < 1e-3
    assert result.parity.texts > 60
    assert set(result.timings) >= {"activations", "training", "evaluating", "parity"}
    progress = [event.progress for event in events]
    assert progress == sorted(progress)
    assert progress[-1] == 1.0
    assert any("dev_f1/PARTY" in event.metrics for event in events)


def test_adapters_are_scored_on_the_trunk_in_fp32_too(trunk_folder: Path, tmp_path: Path) -> None:
    # A trunk that says something else of every word stands in for what rounding does.
    other = tmp_path / "other"
    write_trunk(other, seed=8)
    wanted = request(trunk_folder, tmp_path, params=dataclasses.replace(PARAMS, epochs=4))
    result, events = run(dataclasses.replace(wanted, fp32_trunk_folder=other))
    assert set(result.fp32_evaluations) == {"dev"}
    served, in_fp32 = result.evaluations["dev"], result.fp32_evaluations["dev"]
    assert in_fp32.micro.support == served.micro.support == 60
    assert in_fp32.micro.f1 < served.micro.f1 - 0.1
    assert any("on the trunk in fp32: micro F1" in event.message for event in events)
    # The same trunk gives the same figures; without dev, texts that were held out are read.
    same, _ = run(dataclasses.replace(wanted, dev=(), fp32_trunk_folder=trunk_folder))
    assert set(same.fp32_evaluations) == {"held_out"}
    assert same.fp32_evaluations["held_out"].micro == same.evaluations["held_out"].micro
    few = dataclasses.replace(wanted, dev=(), train=wanted.train[:2])
    nothing, _ = run(dataclasses.replace(few, fp32_trunk_folder=trunk_folder))
    assert nothing.fp32_evaluations == {}


def test_adapters_serve_what_was_evaluated(
    trained: tuple[TrainResult, list[TrainEvent]], trunk_folder: Path
) -> None:
    result, _ = trained
    trunk = TrunkRunner.open_folder(trunk_folder, providers=["CPUExecutionProvider"], threads=1)
    adapters = [load_adapter(a.manifest, a.weights) for a in result.adapters.values()]
    bank = Bank.stack(BankRuntime(trunk.manifest, providers=["CPUExecutionProvider"]), adapters)
    reader = WordStateReader(trunk, max_length=PARAMS.max_length, stride=PARAMS.stride)
    gold = examples(20, 3)
    found = TextPredictor(reader, bank).predict([example.text for example in gold])
    correct = sum(
        len({(s.start, s.end, s.label) for s in spans} & set(example.spans))
        for spans, example in zip(found, gold, strict=True)
    )
    # float16 in the cache may turn a close call, not more.
    assert abs(correct - result.evaluations["test"].micro.correct) <= 1
    manifest = adapters[0].manifest
    assert manifest.lineage["snapshot"] == "s1"
    assert manifest.metrics["test"]["support"] == 20


def test_a_label_alone_is_the_label_in_company(
    trained: tuple[TrainResult, list[TrainEvent]], trunk_folder: Path, tmp_path: Path
) -> None:
    together, _ = trained
    for label in ("BOTH", "PLACE"):
        alone, _ = run(request(trunk_folder, tmp_path / label, labels=[label]))
        assert alone.best_epochs[label] == together.best_epochs[label]
        one, other = alone.adapters[label], together.adapters[label]
        first = load_adapter(one.manifest, one.weights)
        second = load_adapter(other.manifest, other.weights)
        assert first.manifest.decoding == second.manifest.decoding
        for name, tensor in first.tensors.items():
            np.testing.assert_allclose(tensor, second.tensors[name], atol=1e-4, err_msg=name)


def test_a_learning_curve_leaves_the_result_as_it_is(
    trained: tuple[TrainResult, list[TrainEvent]], trunk_folder: Path, tmp_path: Path
) -> None:
    plain, _ = trained
    assert plain.learning_curve == ()
    wanted = request(trunk_folder, tmp_path, options={"learning_curve": True})
    result, events = run(wanted)
    texts = len(wanted.train)
    assert [point.texts for point in result.learning_curve] == [
        round(share * texts) for share in (0.25, 0.5, 0.75, 1)
    ]
    assert result.learning_curve[-1].micro_f1 == result.evaluations["dev"].micro.f1
    assert all(0 <= point.micro_f1 <= 1 for point in result.learning_curve)
    assert result.adapters == plain.adapters
    assert result.evaluations == plain.evaluations
    # the passes that are shown are those of the whole
    epochs = [event.epoch for event in events if event.epoch]
    assert epochs == [event.epoch for event in trained[1] if event.epoch]
    # what is reported is what was evaluated
    for split, evaluation in result.evaluations.items():
        report = confusion(result.texts[split], sorted(evaluation.labels))
        for entry in report.errors:
            score = evaluation.labels[entry.label]
            assert entry.correct == score.correct
            assert (
                entry.correct + entry.boundary + entry.wrong_label + entry.missed == score.support
            )
        bins, _ = calibration(result.texts[split])
        assert sum(entry.count for entry in bins) == evaluation.micro.predicted
    # asked again: nothing is trained a second time
    again, _ = run(wanted)
    assert again.learning_curve == result.learning_curve


def test_equal_runs_give_equal_digests(
    trained: tuple[TrainResult, list[TrainEvent]], trunk_folder: Path, tmp_path: Path
) -> None:
    again, _ = run(request(trunk_folder, tmp_path))
    assert again.adapters == trained[0].adapters
    other, _ = run(
        request(trunk_folder, tmp_path / "x", params=dataclasses.replace(PARAMS, seed=1))
    )
    assert other.adapters["PARTY"].weights != again.adapters["PARTY"].weights


def test_the_cache_never_changes_an_adapter(
    trained: tuple[TrainResult, list[TrainEvent]], trunk_folder: Path, tmp_path: Path
) -> None:
    cold, _ = trained
    # Half of the texts are there from another job, in other company; then all; then none fit.
    half = request(trunk_folder, tmp_path, train=examples(60, 1)[::2], dev=[], work_dir=tmp_path)
    run(dataclasses.replace(half, labels=["PLACE"], params=dataclasses.replace(PARAMS, epochs=1)))
    for name, changes in {
        "partly": {},
        "warm": {},
        "bounded": {"cache_bytes": 20_000},
        "none": {"cache_bytes": 0},
    }.items():
        result, events = run(request(trunk_folder, tmp_path, work_dir=tmp_path / name, **changes))
        assert result.adapters == cold.adapters, name
        (line,) = (e.message for e in events if e.message.startswith("train: 540 words, "))
        cached = int(line.split()[3])
        assert {"partly": 100 < cached < 530, "warm": cached == 540}.get(name, cached < 540), line
        kept = any("kept for this job only" in note for note in result.notes)
        assert kept == bool(changes)


def test_a_damaged_cache_is_said_and_changes_nothing(
    trained: tuple[TrainResult, list[TrainEvent]], trunk_folder: Path, tmp_path: Path
) -> None:
    wanted = request(trunk_folder, tmp_path)
    run(dataclasses.replace(wanted, params=dataclasses.replace(PARAMS, epochs=1)))
    for path in Path(wanted.cache_dir).glob("*/*.rows"):
        with path.open("r+b") as file:
            file.write(bytes(100))
    result, events = run(dataclasses.replace(wanted, work_dir=tmp_path / "again"))
    assert result.adapters == trained[0].adapters
    assert any("damaged entries were computed again" in event.message for event in events)


@pytest.mark.parametrize("stops_in", [1, 3, 6])
def test_a_stopped_run_resumes_to_the_same_result(
    trained: tuple[TrainResult, list[TrainEvent]],
    trunk_folder: Path,
    tmp_path: Path,
    stops_in: int,
) -> None:
    wanted = request(trunk_folder, tmp_path)
    epochs: list[int] = []
    asked = [0]

    def should_stop() -> bool:
        # Some steps into an epoch, so that work after the checkpoint is lost.
        asked[0] += len(epochs) >= stops_in
        return asked[0] > 2

    def on_event(event: TrainEvent) -> None:
        if event.epoch:
            epochs.append(event.epoch)

    with pytest.raises(Cancelled):
        train(wanted, on_event, should_stop)
    result, events = run(wanted)
    assert any(f"resumed after epoch {stops_in}" in event.message for event in events)
    assert next(event.epoch for event in events if event.epoch) == stops_in + 1
    assert result.adapters == trained[0].adapters
    assert result.evaluations == trained[0].evaluations


def test_a_label_that_has_stopped_costs_nothing_more_and_changes_nothing(
    trunk_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def elsewhere(example: Example) -> Example:
        # What dev calls a place no text of train does: the label gets worse with every epoch.
        word = example.text.index("pays")
        kept = [span for span in example.spans if span[2] != "PLACE"]
        return dataclasses.replace(example, spans=[*kept, (word, word + 4, "PLACE")])

    rows: list[tuple[str, ...]] = []
    learned = Ladder.forward

    def forward(ladder: Ladder, *inputs: torch.Tensor) -> torch.Tensor:
        if torch.is_grad_enabled():
            rows.append(ladder.labels)
        return learned(ladder, *inputs)

    monkeypatch.setattr(Ladder, "forward", forward)
    wanted = request(
        trunk_folder,
        tmp_path / "whole",
        dev=[elsewhere(example) for example in examples(20, 2)],
        params=dataclasses.replace(PARAMS, patience=2),
    )
    whole, events = run(wanted)
    assert whole.best_epochs["PLACE"] < whole.best_epochs["PARTY"]
    assert rows[0] == ("BOTH", "PARTY", "PLACE")
    assert rows[-1] == ("BOTH", "PARTY")
    # Of a label that has stopped its best is told.
    told = [event.metrics["dev_f1/PLACE"] for event in events if event.epoch]
    assert len(told) == PARAMS.epochs

    alone, _ = run(
        dataclasses.replace(wanted, labels=["BOTH"], work_dir=tmp_path / "alone" / "work")
    )
    assert alone.best_epochs["BOTH"] == whole.best_epochs["BOTH"]

    # A run goes on with those that still learned.
    stopping = dataclasses.replace(wanted, work_dir=tmp_path / "stopped" / "work")
    seen: list[int] = []
    last = whole.best_epochs["PLACE"] + 3
    with pytest.raises(Cancelled):
        train(stopping, lambda event: seen.append(event.epoch), lambda: last in seen)
    rows.clear()
    resumed, _ = run(stopping)
    assert rows[0] == ("BOTH", "PARTY")
    assert resumed.adapters == whole.adapters


def test_when_memory_runs_out_the_batch_is_halved_and_nothing_else_changes(
    trunk_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Dropout's masks follow from the shape of what goes through at once.
    calm = dataclasses.replace(PARAMS, dropout=0.0, tap_dropout=0.0, epochs=2)
    whole, _ = run(request(trunk_folder, tmp_path / "a", params=calm))
    real = CachedStates.read

    def short_of_memory(self: CachedStates, split: Split, layout: Layout) -> object:
        if torch.is_grad_enabled() and len(layout.rows) > 3:
            raise MemoryError
        return real(self, split, layout)

    monkeypatch.setattr(CachedStates, "read", short_of_memory)
    halved, events = run(request(trunk_folder, tmp_path / "b", params=calm))
    said = [event.message for event in events if "Memory ran out" in event.message]
    assert len(said) == 2
    assert "halved to 4 of 7 texts" in said[0]
    for label, artifact in whole.adapters.items():
        other = halved.adapters[label]
        expected = load_adapter(artifact.manifest, artifact.weights).tensors
        found = load_adapter(other.manifest, other.weights).tensors
        for name, tensor in expected.items():
            np.testing.assert_allclose(tensor, found[name], atol=2e-3, err_msg=name)


def test_a_schedule_trains_and_resumes(trunk_folder: Path, tmp_path: Path) -> None:
    params = dataclasses.replace(
        PARAMS, batch_words_start=16, batch_growth=1.1, learning_rate_decay=0.1, epochs=3
    )
    wanted = request(trunk_folder, tmp_path / "a", params=params)
    whole, events = run(wanted)
    assert next(event.step for event in events if event.epoch) > 15
    stopped = request(trunk_folder, tmp_path / "b", params=params)
    epochs: list[int] = []
    with pytest.raises(Cancelled):
        train(stopped, lambda e: epochs.append(e.epoch) if e.epoch else None, lambda: bool(epochs))
    assert run(stopped)[0].adapters == whole.adapters


def test_training_goes_on_from_adapters_of_another_run(
    trained: tuple[TrainResult, list[TrainEvent]], trunk_folder: Path, tmp_path: Path
) -> None:
    initial = {"PARTY": trained[0].adapters["PARTY"], "BOTH": trained[0].adapters["BOTH"]}
    # Texts that teach to find nothing: the start is kept, to the last bit.
    wild = dataclasses.replace(PARAMS, epochs=2, learning_rate=0.1, ema=0.0)
    silent = [Example(text=example.text) for example in examples(60, 1)]
    wanted = request(
        trunk_folder,
        tmp_path / "a",
        initial=initial,
        params=wild,
        labels=["PARTY", "NEW"],
        train=silent,
    )
    result, _ = run(wanted)
    assert result.best_epochs["PARTY"] == 0
    kept = result.adapters["PARTY"]
    assert kept.weights == initial["PARTY"].weights
    assert result.evaluations["dev"].labels["PARTY"].f1 > 0.8
    # A label that is new begins as if there were no others.
    alone, _ = run(request(trunk_folder, tmp_path / "b", params=wild, labels=["NEW"], train=silent))
    first, second = (
        load_adapter(one.adapters["NEW"].manifest, one.adapters["NEW"].weights)
        for one in (result, alone)
    )
    for name, tensor in first.tensors.items():
        np.testing.assert_allclose(tensor, second.tensors[name], atol=1e-4, err_msg=name)


def test_a_run_from_other_adapters_is_another_run(
    trained: tuple[TrainResult, list[TrainEvent]], trunk_folder: Path, tmp_path: Path
) -> None:
    short = dataclasses.replace(PARAMS, epochs=1)
    run(request(trunk_folder, tmp_path, params=short))
    wanted = request(trunk_folder, tmp_path, params=short, initial=trained[0].adapters)
    _, events = run(wanted)
    assert not any("resumed" in event.message for event in events)
    _, events = run(wanted)
    assert any("resumed after epoch 1" in event.message for event in events)


def test_adapters_that_do_not_fit_are_refused(
    trained: tuple[TrainResult, list[TrainEvent]], trunk_folder: Path, tmp_path: Path
) -> None:
    initial = {"PARTY": trained[0].adapters["PARTY"]}
    wider = dataclasses.replace(PARAMS, width=16)
    with pytest.raises(EngineError, match=r"'PARTY' has another shape: width 8 instead of 16"):
        run(request(trunk_folder, tmp_path, initial=initial, params=wider))
    manifest = AdapterManifest.from_bytes(initial["PARTY"].manifest)
    foreign = dataclasses.replace(manifest, trunk_digest="sha256:" + "0" * 64).to_bytes()
    with pytest.raises(EngineError, match="train from nothing"):
        run(
            request(
                trunk_folder,
                tmp_path,
                initial={"PARTY": dataclasses.replace(initial["PARTY"], manifest=foreign)},
            )
        )
    aged = dataclasses.replace(manifest, featuriser="word-shape-v0").to_bytes()
    with pytest.raises(EngineError, match=r"features word-shape-v0.*train from nothing"):
        run(
            request(
                trunk_folder,
                tmp_path,
                initial={"PARTY": dataclasses.replace(initial["PARTY"], manifest=aged)},
            )
        )


def test_teachers_are_asked_about_texts_that_they_have_not_seen(
    trained: tuple[TrainResult, list[TrainEvent]], trunk_folder: Path, tmp_path: Path
) -> None:
    wanted = request(trunk_folder, tmp_path, options={"distillation_folds": 3})
    result, events = run(wanted)
    lines = [event.message for event in events]
    assert [line for line in lines if line.startswith("teacher")] == [
        f"teacher {fold} of 3 is trained on 40 texts and asked about 20" for fold in (1, 2, 3)
    ]
    progress = [event.progress for event in events]
    assert progress == sorted(progress)
    assert result.parity.passed
    assert result.evaluations["test"].micro.f1 > 0.8
    assert result.adapters != trained[0].adapters

    # A run that dies goes on, and its teachers are not trained anew.
    stopping = dataclasses.replace(wanted, work_dir=tmp_path / "again" / "work")
    seen: list[int] = []
    with pytest.raises(Cancelled):
        train(stopping, lambda event: seen.append(event.epoch), lambda: 2 in seen)
    steps: list[object] = []
    resumed, _ = run_counting(stopping, steps)
    assert resumed.adapters == result.adapters
    assert {epoch for epoch, _ in steps} == set(range(2, PARAMS.epochs))


def run_counting(wanted: TrainRequest, steps: list[object]) -> tuple[TrainResult, list[TrainEvent]]:
    """Run, and note the epoch and step of every step that is made."""
    learn = ladder_training.LadderTrainer._learn
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            ladder_training.LadderTrainer,
            "_learn",
            lambda trainer, batch, rate: (
                steps.append((trainer._epoch, trainer._step)),
                learn(trainer, batch, rate),
            )[1],
        )
        return run(wanted)


def test_opinions_come_from_other_folds_and_copies_stay_together() -> None:
    texts = ["a b", "c", "a b", "d e f", "g"]
    offsets = np.asarray([0, 2, 3, 5, 8, 9])
    split = Split(
        examples=[Example(text=text) for text in texts],
        texts=[None] * 5,  # type: ignore[list-item]
        states=Rowless(),  # type: ignore[arg-type]
        features=np.zeros((9, 1), dtype=np.float32),
        present=np.ones(9, dtype=bool),
        tags=np.zeros((1, 9), dtype=np.int8),
        offsets=offsets,
    )
    asked: list[tuple[list[str], list[str]]] = []

    def ask(rest: Split, left_out: Split, fold: int) -> np.ndarray:
        asked.append(([e.text for e in rest.examples], [e.text for e in left_out.examples]))
        return np.full((1, left_out.words, 3), fold + 1, dtype=np.float32)

    joined = with_opinions(split, 2, ask)
    assert asked == [
        (["c", "g"], ["a b", "a b", "d e f"]),
        (["a b", "a b", "d e f"], ["c", "g"]),
    ]
    assert joined.opinions is not None
    assert joined.opinions[0, :, 0].tolist() == [1, 1, 2, 1, 1, 1, 1, 1, 2]
    assert joined.subset([1, 3]).opinions[0, :, 0].tolist() == [2, 1, 1, 1]  # type: ignore[index]
    with pytest.raises(EngineError, match="6 different train texts at least; there are 4"):
        with_opinions(split, 3, ask)


class Rowless:
    """States that nobody reads."""

    def take(self, rows: object) -> Rowless:
        return self


@pytest.mark.parametrize("changes", [{"distillation_folds": 1}, {"distillation_folds": 31}])
def test_folds_that_cannot_be_are_refused(
    trunk_folder: Path, tmp_path: Path, changes: dict[str, object]
) -> None:
    with pytest.raises(EngineError, match="distillation_folds"):
        run(request(trunk_folder, tmp_path, options=changes))


def test_a_torn_or_foreign_checkpoint_is_ignored(
    trained: tuple[TrainResult, list[TrainEvent]], trunk_folder: Path, tmp_path: Path
) -> None:
    wanted = request(trunk_folder, tmp_path)
    work = Path(wanted.work_dir)
    work.mkdir(parents=True)
    (work / "checkpoint.safetensors").write_bytes(b"\x10" * 100)
    assert run(wanted)[0].adapters == trained[0].adapters
    whole = (work / "checkpoint.safetensors").read_bytes()
    (work / "checkpoint.safetensors").write_bytes(whole[: len(whole) // 2])
    assert run(wanted)[0].adapters == trained[0].adapters
    other = dataclasses.replace(wanted, train=examples(50, 9))
    _, events = run(other)
    assert not any("resumed" in event.message for event in events)


def test_without_dev_some_training_texts_decide(trunk_folder: Path, tmp_path: Path) -> None:
    result, _ = run(request(trunk_folder, tmp_path, dev=[]))
    assert set(result.evaluations) == {"held_out", "test"}
    assert any("held out" in note for note in result.notes)
    fixed = dataclasses.replace(PARAMS, held_out=0.0, epochs=3)
    result, _ = run(request(trunk_folder, tmp_path, dev=[], test=[], params=fixed))
    assert set(result.best_epochs.values()) == {3}
    assert not result.evaluations
    assert result.parity.passed
    manifest = AdapterManifest.from_bytes(result.adapters["PARTY"].manifest)
    assert manifest.decoding.outside_bias == 0.0


def test_odd_data_trains(trunk_folder: Path, tmp_path: Path) -> None:
    odd = [
        Example(text=""),
        Example(text=" "),
        Example(text="\ufffd"),
        Example(text="x" * 500, spans=[(3, 9, "PARTY"), (0, 500, "PARTY")]),
        Example(text="ab cd", spans=[(0, 99, "PARTY"), (2, 3, "PLACE"), (0, 2, "UNKNOWN")]),
    ]
    quick = dataclasses.replace(PARAMS, epochs=2, max_length=32, stride=8)
    result, _ = run(
        request(
            trunk_folder,
            tmp_path,
            train=odd,
            dev=odd,
            test=odd[:3],
            labels=["PARTY", "PLACE", "NEVER"],
            params=quick,
        )
    )
    assert set(result.adapters) == {"NEVER", "PARTY", "PLACE"}
    assert result.parity.passed, result.parity.reason
    notes = " ".join(result.notes)
    for part in ("no span of NEVER", "border inside a word", "overlap a longer", "no word"):
        assert part in notes
    # Evaluation counts every gold span, also those that words cannot express.
    assert result.evaluations["dev"].labels["PARTY"].support == 3


@pytest.mark.parametrize("changes", [{"train": []}, {"train": [Example(text=" ")]}, {"labels": []}])
def test_refuses_to_train_on_nothing(
    trunk_folder: Path, tmp_path: Path, changes: dict[str, object]
) -> None:
    with pytest.raises(NoTrainingDataError):
        run(request(trunk_folder, tmp_path, **changes))


def test_parity_catches_a_bank_that_computes_something_else(
    trained: tuple[TrainResult, list[TrainEvent]],
    trunk_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    trunk = TrunkRunner.open_folder(trunk_folder, providers=["CPUExecutionProvider"], threads=1)
    reader = WordStateReader(trunk, max_length=256, stride=64)

    class Skewed(parity_module.Bank):
        def run(self, *args: object, **kwargs: object) -> np.ndarray:
            return super().run(*args, **kwargs) * np.float32(1.01)  # type: ignore[arg-type]

    def check(adapters: dict[str, AdapterArtifact]) -> object:
        return parity_module.check_parity(
            adapters,
            reader=reader,
            providers=["CPUExecutionProvider"],
            texts=["the firm Acme Ltd. of rome"],
        )

    adapters = dict(trained[0].adapters)
    monkeypatch.setattr(parity_module, "Bank", Skewed)
    report = check(adapters)
    assert isinstance(report, parity_module.ParityReport)
    assert not report.passed
    assert "differ by" in report.reason
    damaged = dataclasses.replace(adapters["BOTH"], weights=adapters["BOTH"].weights[:-4])
    with pytest.raises(ManifestError, match="BOTH"):
        check({**adapters, "BOTH": damaged})


def test_parity_runs_the_trunk_once_where_serving_does_not_cut(
    trained: tuple[TrainResult, list[TrainEvent]],
    trunk_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    trunk = TrunkRunner.open_folder(trunk_folder, providers=["CPUExecutionProvider"], threads=1)
    reader = WordStateReader(trunk, max_length=256, stride=64)
    texts = ["the firm Acme Ltd. of rome", "of rome " * 40]
    read: list[tuple[int, int]] = []
    segments_of = reader.read

    def noted(segments: Sequence[Segment], **options: bool) -> list[WordInputs]:
        read.extend((one.start, one.end) for one in segments if "rome" in one.text.encoded.text)
        return segments_of(segments, **options)

    monkeypatch.setattr(reader, "read", noted)

    def check() -> parity_module.ParityReport:
        return parity_module.check_parity(
            dict(trained[0].adapters),
            reader=reader,
            providers=["CPUExecutionProvider"],
            texts=texts,
        )

    assert check().passed
    assert read == [(0, 7), (0, 80)]
    read.clear()
    monkeypatch.setattr(states_module, "_WORDS_AT_ONCE", 30)
    monkeypatch.setattr(parity_module, "_WORDS_AT_ONCE", 30)
    report = check()
    assert report.passed, report.reason
    # The long one is served in three pieces, and compared with what it is as a whole.
    assert (0, 80) in read
    assert len(read) == 5


def test_dropping_taps_leaves_states_alone_that_a_gradient_needs() -> None:
    dropout = Dropout(taps=0.5, hidden=0.0, seed=0, step=1)
    learned = torch.ones(2, 3, 4, requires_grad=True)
    dropped = dropout.on_taps(learned)
    assert (learned == 1).all()
    assert set(dropped.flatten().tolist()) == {0.0, 2.0}
    cached = torch.ones(2, 3, 4)
    again = Dropout(taps=0.5, hidden=0.0, seed=0, step=1).on_taps(cached)
    assert again.data_ptr() == cached.data_ptr()
    assert (again == dropped).all()


def test_freed_memory_is_kept_where_the_c_library_can(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[int, int]] = []

    class Glibc:
        def mallopt(self, option: int, value: int) -> int:
            told.append((option, value))
            return 1

    monkeypatch.setattr(memory.sys, "platform", "linux")
    monkeypatch.setattr(memory.ctypes, "CDLL", lambda _: Glibc())
    memory.keep_freed_memory()
    # M_TRIM_THRESHOLD and M_MMAP_THRESHOLD, the latter at most 32 MiB
    assert dict(told) == {-1: 2**31 - 1, -3: 32 * 1024 * 1024}
    monkeypatch.setattr(memory.ctypes, "CDLL", lambda _: object())
    memory.keep_freed_memory()
    monkeypatch.setattr(memory.sys, "platform", "darwin")
    memory.keep_freed_memory()
    assert len(told) == 2
