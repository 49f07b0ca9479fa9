"""Classifications and assertions: learned, fitted, resumed, reproduced, served: on a tiny trunk."""

from __future__ import annotations

import dataclasses
import random
from pathlib import Path

import numpy as np
import pytest

from services.common.modeling.adapter import load_adapter
from services.common.modeling.assertions import assert_spans
from services.common.modeling.choices import classify
from services.common.modeling.manifest import Head
from services.common.modeling.onnx.bank import BankRuntime
from services.common.modeling.onnx.pooled import PooledBank, PooledSums
from services.common.modeling.onnx.trunk import TrunkRunner
from services.common.modeling.states import WordStateReader
from services.trainer.engines import pooled_parity
from services.trainer.engines.interface import (
    Cancelled,
    EngineError,
    Example,
    NoTrainingDataError,
    ParityReport,
    TrainEvent,
    TrainRequest,
    TrainResult,
)
from services.trainer.engines.ladder_engine import train
from services.trainer.engines.params import DEFAULTS, LadderParams
from services.trainer.engines.pooled_selection import UNKNOWN, judge_multiple, judge_single
from services.trainer.engines.selection import LabelChoice
from tests.unit.tiny_trunk import write_trunk

PARAMS = LadderParams(width=8, tap_dropout=0.1, batch_words=64, epochs=8, learning_rate=1e-2)
CPU = ["CPUExecutionProvider"]
COLOURS = {"blue": ["sky", "sea"], "green": ["grass", "frog"], "red": ["fire", "brick"]}


def single(count: int, seed: int) -> list[Example]:
    draw = random.Random(seed)
    made = []
    for _ in range(count):
        colour = draw.choice(sorted(COLOURS))
        made.append(Example(text=f"look at the {draw.choice(COLOURS[colour])} !", choices=[colour]))
    return made


def multiple(count: int, seed: int) -> list[Example]:
    draw = random.Random(seed)
    made = []
    for _ in range(count):
        values = [colour for colour in sorted(COLOURS) if draw.random() < 0.4]
        words = [draw.choice(COLOURS[colour]) for colour in values]
        made.append(Example(text=f"look : {' or '.join(words)} .", choices=values))
    return made


def asserted(count: int, seed: int) -> list[Example]:
    """Two spans per text; which of them is absent hangs on the word before it."""
    draw = random.Random(seed)
    made = []
    for _ in range(count):
        text, spans = "patient", []
        for _ in range(2):
            status = draw.choice(["absent", "present", "present"])
            text += " has no " if status == "absent" else " has bad "
            name = draw.choice(["fever", "cough", "pain"])
            spans.append((len(text), len(text) + len(name), status))
            text += name + " and"
        made.append(Example(text=text, assertions=spans))
    return made


KINDS = {
    "single": (single, {"model_type": "classification", "control": "colour"}),
    "multiple": (multiple, {"model_type": "classification", "control": "all", "multiple": True}),
    "assertion": (asserted, {"model_type": "assertion"}),
}
NAMES = {"single": "colour", "multiple": "all", "assertion": "assertion"}


@pytest.fixture(scope="module")
def trunk_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trunk")
    write_trunk(folder)
    return folder


def request(kind: str, trunk_folder: Path, tmp_path: Path, **changes: object) -> TrainRequest:
    examples, options = KINDS[kind]
    values: dict[str, object] = {
        "train": examples(80, 1),
        "dev": examples(30, 2),
        "test": examples(30, 3),
        "labels": ["present", "absent"] if kind == "assertion" else list(COLOURS),
        "trunk_folder": trunk_folder,
        "work_dir": tmp_path / "work",
        "cache_dir": tmp_path / "cache",
        "params": PARAMS,
        "lineage": {"snapshot": "s1"},
        "threads": 1,
    }
    return TrainRequest(**(values | options | changes))  # type: ignore[arg-type]


def run(wanted: TrainRequest) -> tuple[TrainResult, list[TrainEvent]]:
    events: list[TrainEvent] = []
    return train(wanted, events.append, lambda: False), events


@pytest.fixture(scope="module", params=sorted(KINDS))
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def trained(
    kind: str, trunk_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[TrainResult, list[TrainEvent]]:
    return run(request(kind, trunk_folder, tmp_path_factory.mktemp("run")))


def test_learns(kind: str, trained: tuple[TrainResult, list[TrainEvent]]) -> None:
    result, events = trained
    (name,) = result.adapters
    assert name == NAMES[kind]
    evaluation = result.evaluations["test"]
    gold = KINDS[kind][0](30, 3)
    assert evaluation.micro.support == sum(len(e.choices) + len(e.assertions) for e in gold)
    assert evaluation.micro.f1 > 0.9
    statuses = {"absent", "present"}
    assert set(evaluation.labels) == (statuses if kind == "assertion" else set(COLOURS))
    assert result.parity.passed, result.parity.reason
    assert result.parity.texts > 60
    assert any("dev_f1/" in key for event in events for key in event.metrics)
    assert [len(texts) for texts in result.texts.values()] == [30, 30]
    artifact = result.adapters[name]
    manifest = load_adapter(artifact.manifest, artifact.weights).manifest
    assert manifest.label == name
    assert manifest.classes == tuple(sorted(evaluation.labels))
    assert manifest.metrics["test"]["micro"]["support"] == evaluation.micro.support
    wanted = "multiple" if kind == "multiple" else "single"
    assert manifest.decoding.scheme == wanted


def test_adapters_serve_what_was_evaluated(
    kind: str, trained: tuple[TrainResult, list[TrainEvent]], trunk_folder: Path
) -> None:
    result, _ = trained
    trunk = TrunkRunner.open_folder(trunk_folder, providers=CPU, threads=1)
    (artifact,) = result.adapters.values()
    adapter = load_adapter(artifact.manifest, artifact.weights)
    head = Head.ASSERTION if kind == "assertion" else Head.CHOICES
    bank = PooledBank.stack(BankRuntime(trunk.manifest, providers=CPU), head, [adapter])
    reader = WordStateReader(trunk, max_length=PARAMS.max_length, stride=PARAMS.stride)
    gold = KINDS[kind][0](30, 3)
    texts = reader.prepare([example.text for example in gold])
    classes = adapter.manifest.classes
    if kind == "assertion":
        spans = [[span[:2] for span in example.assertions] for example in gold]
        found = [
            [classes[int(column)] for column in rows.argmax(axis=1)]
            for rows in assert_spans(reader, bank, texts, spans)
        ]
        correct = sum(
            status == span[2]
            for statuses, example in zip(found, gold, strict=True)
            for status, span in zip(statuses, example.assertions, strict=True)
        )
    else:
        answers = classify(reader, bank, texts)
        correct = sum(
            len({classes[column] for column in choice.chosen} & set(example.choices))
            for (choice,), example in zip(answers, gold, strict=True)
        )
    # float16 in the cache may turn a close call, not more.
    assert abs(correct - result.evaluations["test"].micro.correct) <= 1


def test_adapters_are_scored_on_the_trunk_in_fp32_too(
    kind: str, trained: tuple[TrainResult, list[TrainEvent]], trunk_folder: Path, tmp_path: Path
) -> None:
    result, _ = run(request(kind, trunk_folder, tmp_path, fp32_trunk_folder=trunk_folder))
    assert result.fp32_evaluations == {"dev": result.evaluations["dev"]}
    assert trained[0].fp32_evaluations == {}


def test_equal_runs_give_equal_digests(
    kind: str,
    trained: tuple[TrainResult, list[TrainEvent]],
    trunk_folder: Path,
    tmp_path: Path,
) -> None:
    again, _ = run(request(kind, trunk_folder, tmp_path))
    assert again.adapters == trained[0].adapters
    params = dataclasses.replace(PARAMS, seed=1, epochs=2)
    other, _ = run(request(kind, trunk_folder, tmp_path / "x", params=params))
    assert other.adapters[NAMES[kind]].weights != again.adapters[NAMES[kind]].weights


def test_a_stopped_run_resumes_to_the_same_result(
    kind: str,
    trained: tuple[TrainResult, list[TrainEvent]],
    trunk_folder: Path,
    tmp_path: Path,
) -> None:
    wanted = request(kind, trunk_folder, tmp_path)
    epochs: list[int] = []
    asked = [0]

    def should_stop() -> bool:
        # Some steps into an epoch, so that work after the checkpoint is lost.
        asked[0] += len(epochs) >= 3
        return asked[0] > 2

    def on_event(event: TrainEvent) -> None:
        if event.epoch:
            epochs.append(event.epoch)

    with pytest.raises(Cancelled):
        train(wanted, on_event, should_stop)
    result, events = run(wanted)
    assert any("resumed after epoch 3" in event.message for event in events)
    assert result.adapters == trained[0].adapters
    assert result.evaluations == trained[0].evaluations


def test_other_annotations_are_another_run(kind: str, trunk_folder: Path, tmp_path: Path) -> None:
    params = dataclasses.replace(PARAMS, epochs=1)
    wanted = request(kind, trunk_folder, tmp_path, params=params)
    run(wanted)
    _, events = run(wanted)
    assert any("resumed after epoch 1" in event.message for event in events)
    first = wanted.train[0]
    changed = dataclasses.replace(
        first,
        choices=["green" if list(first.choices) != ["green"] else "red"] if first.choices else [],
        assertions=[(*span[:2], "absent") for span in first.assertions[:1]],
    )
    _, events = run(dataclasses.replace(wanted, train=[changed, *wanted.train[1:]]))
    assert not any("resumed" in event.message for event in events)


def test_a_long_text_counts_once(trunk_folder: Path, tmp_path: Path) -> None:
    long = Example(text="look at the sky ! " * 100, choices=["blue"])
    params = dataclasses.replace(PARAMS, epochs=3)
    wanted = request(
        "single", trunk_folder, tmp_path, train=[long, *single(40, 1)], dev=[long], params=params
    )
    result, _ = run(wanted)
    assert result.evaluations["dev"].micro.support == 1
    assert result.evaluations["dev"].micro.predicted == 1
    assert result.parity.passed, result.parity.reason


def test_texts_that_say_nothing_are_left_out(trunk_folder: Path, tmp_path: Path) -> None:
    params = dataclasses.replace(PARAMS, epochs=2)
    odd = [
        Example(text="nothing chosen"),
        Example(text="both", choices=["red", "blue"]),
        Example(text="other", choices=["violet"]),
        Example(text=" ", choices=["red"]),
    ]
    wanted = request(
        "single",
        trunk_folder,
        tmp_path,
        train=[*single(30, 1), *odd[:2]],
        dev=[*single(5, 2), *odd],
        labels=[*COLOURS, "never"],
        params=params,
    )
    result, _ = run(wanted)
    notes = " ".join(result.notes)
    assert "train: 1 texts without a value are left out" in notes
    assert "train: 1 texts with several values of a single choice" in notes
    assert "train: nothing has never" in notes
    dev = result.evaluations["dev"].micro
    # The unknown value is a wrong answer, the text of white space is answered by the prior.
    assert (dev.support, dev.predicted) == (6, 7)

    several = request(
        "multiple", trunk_folder, tmp_path / "m", train=[*multiple(30, 1), *odd], params=params
    )
    result, _ = run(several)
    assert any("without a value count as having none" in note for note in result.notes)

    spans = [(0, 4, "absent"), (0, 4, "present"), (4, 5, "present"), (0, 99, "absent")]
    blank = Example(text="    x", assertions=[(0, 1, "absent")])
    only = [Example(text="pain fever", assertions=spans), Example(text="no spans"), blank]
    result, _ = run(
        request(
            "assertion", trunk_folder, tmp_path / "a", train=only, dev=only, test=[], params=params
        )
    )
    assert any("1 spans have more than one status" in note for note in result.notes)
    assert result.evaluations["dev"].micro.support == 5
    assert result.parity.passed, result.parity.reason


def test_without_dev_some_training_texts_decide(
    kind: str, trunk_folder: Path, tmp_path: Path
) -> None:
    quick = dataclasses.replace(PARAMS, epochs=3)
    result, _ = run(request(kind, trunk_folder, tmp_path, dev=[], params=quick))
    assert set(result.evaluations) == {"held_out", "test"}
    fixed = dataclasses.replace(quick, held_out=0.0)
    # A dev split without anything of this type is none.
    nothing = [Example(text="one two")] if kind != "multiple" else []
    result, _ = run(request(kind, trunk_folder, tmp_path, dev=nothing, test=[], params=fixed))
    assert set(result.best_epochs.values()) == {3}
    assert not result.evaluations
    (artifact,) = result.adapters.values()
    decoding = load_adapter(artifact.manifest, artifact.weights).manifest.decoding
    assert decoding.thresholds == ((0.5,) * 3 if kind == "multiple" else ())


@pytest.mark.parametrize(
    ("kind", "changes", "message"),
    [
        ("single", {"labels": []}, "no label, value or status"),
        ("single", {"labels": ["red"]}, "control 'colour' needs at least two values"),
        ("single", {"train": [Example(text="a")]}, "exactly one value of the control 'colour'"),
        ("multiple", {"train": [Example(text=" ")]}, "a value of the control 'all'"),
        ("assertion", {"labels": ["absent"]}, "at least two statuses"),
        ("assertion", {"train": [Example(text="a")]}, "no span of the training split"),
        (
            "assertion",
            {"train": [Example(text="a  b", assertions=[(1, 2, "absent")])]},
            "no span of the training split",
        ),
    ],
)
def test_refuses_to_train_on_nothing(
    kind: str, changes: dict[str, object], message: str, trunk_folder: Path, tmp_path: Path
) -> None:
    with pytest.raises(NoTrainingDataError, match=message):
        run(request(kind, trunk_folder, tmp_path, **changes))


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"model_type": "relation"}, "'relation' is unknown"), ({"control": ""}, "its control")],
)
def test_refuses_what_it_cannot_train(
    changes: dict[str, object], message: str, trunk_folder: Path, tmp_path: Path
) -> None:
    with pytest.raises(EngineError, match=message):
        run(request("single", trunk_folder, tmp_path, **changes))


def test_opinions_of_teachers_are_for_spans(trunk_folder: Path, tmp_path: Path) -> None:
    wanted = request("single", trunk_folder, tmp_path, options={"distillation_folds": 3})
    with pytest.raises(EngineError, match="distillation_folds must be 0"):
        run(wanted)


def test_parity_catches_a_bank_that_computes_something_else(
    kind: str,
    trained: tuple[TrainResult, list[TrainEvent]],
    trunk_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    trunk = TrunkRunner.open_folder(trunk_folder, providers=CPU, threads=1)
    reader = WordStateReader(trunk, max_length=256, stride=64)

    class Skewed(PooledBank):
        def run_sums(self, *args: object, **kwargs: object) -> list[PooledSums]:
            found = super().run_sums(*args, **kwargs)  # type: ignore[arg-type]
            return [PooledSums(value=s.value * np.float32(1.1), total=s.total) for s in found]

    def check() -> ParityReport:
        spans = kind == "assertion"
        compare = pooled_parity.check_spans_parity if spans else pooled_parity.check_choices_parity
        examples = KINDS[kind][0](5, 4)
        return compare(trained[0].adapters, reader=reader, providers=CPU, examples=examples)

    assert check().passed
    monkeypatch.setattr(pooled_parity, "PooledBank", Skewed)
    report = check()
    assert not report.passed
    assert "differ by" in report.reason


def test_thresholds_of_rare_values_follow_the_others() -> None:
    draw = np.random.default_rng(0)
    targets = np.zeros((400, 3), dtype=np.float32)
    targets[:200, 0] = 1
    targets[100:300, 1] = 1
    targets[0, 2] = 1
    # Right answers have logits about -1, wrong ones about -4: the threshold must come down.
    logits = np.where(targets > 0, -1.0, -4.0) + draw.normal(0, 0.3, targets.shape)
    logits[0, 2] = 5.0
    judged = judge_multiple(logits.astype(np.float32), targets, ("a", "b", "c"))
    (choice,) = judged.choices
    assert choice.thresholds[0] == pytest.approx(choice.thresholds[1])
    assert choice.thresholds[2] == pytest.approx(choice.thresholds[0])
    assert choice.thresholds[0] < 0.25
    assert judged.scores["a"].f1 > 0.99
    nothing = judge_multiple(np.zeros((0, 3), np.float32), targets[:0], ("a", "b", "c"))
    assert nothing.choices[0].thresholds == (0.5, 0.5, 0.5)


def test_single_choices_are_judged_by_their_best_class() -> None:
    logits = np.asarray([[2, 1], [0, 1], [3, 0], [0, 9]], dtype=np.float32)
    targets = np.asarray([0, 1, 1, UNKNOWN])
    judged = judge_single(logits, targets, ("a", "b"), np.asarray([1, 3]))
    assert (judged.scores["a"].correct, judged.scores["a"].predicted) == (1, 2)
    assert (judged.scores["b"].correct, judged.scores["b"].predicted) == (1, 2)
    assert judged.scores["b"].support == 3
    (choice,) = judged.choices
    assert choice.level == judged.choices[0].score.f1 == 0.5
    better = dataclasses.replace(choice, tie=choice.tie + 0.1, loss=choice.loss + 1)
    assert better.better_than(choice)


def test_epochs_of_smoothed_runs_are_compared_by_the_probability_of_the_right_class() -> None:
    targets = np.asarray([0, 0, UNKNOWN])

    def judged(*logits: float, smoothed: bool = True) -> LabelChoice:
        table = np.asarray([[logit, 0.0] for logit in logits], dtype=np.float32)
        support = np.asarray([2, 0])
        return judge_single(table, targets, ("a", "b"), support, smoothed=smoothed).choices[0]

    lucky, near, hopeless = judged(0.1, 0.1, 9), judged(3.0, -0.1, 9), judged(-20.0, 5.0, 9)
    assert lucky.score.f1 > near.score.f1
    assert near.better_than(lucky)
    assert judged(0.1, 0.1, 9, smoothed=False).better_than(judged(3.0, -0.1, 9, smoothed=False))
    assert near.level == pytest.approx((1 / (1 + np.exp(-3.0)) + 1 / (1 + np.exp(0.1))) / 2)
    # One answer that is confidently wrong counts as one answer, whatever the loss says.
    assert hopeless.loss > 10 * near.loss
    assert hopeless.level == pytest.approx(0.5, abs=0.01)
    empty = judge_single(
        np.zeros((1, 2), np.float32),
        np.asarray([UNKNOWN]),
        ("a", "b"),
        np.zeros(2, np.int64),
        smoothed=True,
    )
    assert empty.choices[0].level == 0.0


def test_labels_are_smoothed_for_assertions_only_unless_asked(
    trunk_folder: Path, tmp_path: Path
) -> None:
    assert DEFAULTS["assertion"].label_smoothing == 0.1
    assert DEFAULTS["classification"].label_smoothing == DEFAULTS["ner"].label_smoothing == 0.0

    def surest(smoothing: float) -> float:
        params = dataclasses.replace(PARAMS, label_smoothing=smoothing, epochs=20)
        home = tmp_path / str(smoothing)
        result, _ = run(request("assertion", trunk_folder, home, params=params))
        assert result.evaluations["test"].micro.f1 > 0.9
        chances = [span[3] for text in result.texts["test"] for span in text.predicted]
        return float(np.median(chances))

    plain, smooth = surest(0.0), surest(0.3)
    # Of two statuses the right one is taught as 1 - 0.3 / 2.
    assert plain > 0.95
    assert smooth == pytest.approx(0.85, abs=0.05)


def test_values_that_are_new_join_those_that_continue(trunk_folder: Path, tmp_path: Path) -> None:
    def of(*colours: str) -> dict[str, object]:
        def chosen(seed: int) -> list[Example]:
            return [e for e in single(120, seed) if e.choices[0] in colours]

        return {"train": chosen(1), "dev": chosen(2), "test": [], "labels": list(colours)}

    first, _ = run(request("single", trunk_folder, tmp_path / "a", **of("blue", "red")))
    initial = {"colour": first.adapters["colour"]}
    still = dataclasses.replace(PARAMS, epochs=1, learning_rate=1e-6)
    wanted = of("blue", "green", "red")
    joined, _ = run(
        request("single", trunk_folder, tmp_path / "b", initial=initial, params=still, **wanted)
    )
    before, after = (
        load_adapter(result.adapters["colour"].manifest, result.adapters["colour"].weights)
        for result in (first, joined)
    )
    assert after.manifest.classes == ("blue", "green", "red")
    np.testing.assert_allclose(
        after.tensors["head_weight"][:, [0, 2]], before.tensors["head_weight"], atol=1e-4
    )
    np.testing.assert_allclose(
        after.tensors["context_weight"], before.tensors["context_weight"], atol=1e-4
    )
    scores = joined.evaluations["dev"].labels
    assert scores["blue"].correct + scores["red"].correct > 0
