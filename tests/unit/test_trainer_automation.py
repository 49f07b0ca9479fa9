"""Decisions without a hand: is the data fit, is a run due, may a version be deployed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from services.trainer.automation.gate import judge
from services.trainer.automation.policy import Step, counted, decide, run_message
from services.trainer.automation.policy_state import LearningState
from services.trainer.automation.settings import Gate, Policy
from services.trainer.data_checks import MIN_TRAIN_TEXTS, check_examples
from services.trainer.domain import (
    Baseline,
    DeploymentOutcome,
    Failure,
    FailureReason,
    JobFailedError,
    ModelType,
    Parameters,
    SpanMetrics,
    SplitEvaluation,
    TrainingJob,
)
from services.trainer.job_files import Example
from services.trainer.job_state import JobState
from services.trainer.ports import Change, DeployedVersion, RegisteredVersion

SECOND = 1_000_000
NER = TrainingJob(project="p", id="j", snapshot="s", trunk_source="t")


def example(text: str, label: str = "A", split: str = "train") -> Example:
    return Example(
        text=text,
        spans=((0, 1, label),) if label else (),
        split=split,
        choices=(("topic", label), ("other", text)),
        assertions=((0, 1, label),) if label else (),
    )


def fit(
    texts: Sequence[tuple[str, str]], job: TrainingJob = NER, labels: Sequence[str] = ("A", "B")
) -> tuple[str, ...]:
    return check_examples(job, [example(*text) for text in texts], labels).warnings


FINE = [(str(number), "AB"[number % 2]) for number in range(10)]


@pytest.mark.parametrize("kind", list(ModelType))
def test_good_examples_are_trained(kind: ModelType) -> None:
    job = replace(NER, model_type=kind, control="topic")
    found = check_examples(job, [example(*text) for text in FINE], ("A", "B"))
    assert (found.labels, found.warnings) == (("A", "B"), ())


def failed(texts: Sequence[tuple[str, str]], job: TrainingJob = NER) -> tuple[FailureReason, str]:
    with pytest.raises(JobFailedError) as caught:
        fit(texts, job)
    return caught.value.failure.reason, caught.value.failure.message


def test_too_few_completions_are_refused() -> None:
    reason, message = failed(FINE[: MIN_TRAIN_TEXTS - 1])
    assert reason is FailureReason.TOO_FEW_COMPLETIONS
    assert str(MIN_TRAIN_TEXTS) in message
    assert fit(FINE[:MIN_TRAIN_TEXTS]) == ()


def test_something_must_be_left_to_hold_out() -> None:
    job = replace(NER, parameters=Parameters(validation_split=0.05))
    reason, message = failed(FINE, job)
    assert reason is FailureReason.TOO_FEW_COMPLETIONS
    assert "validation_split" in message
    # nothing is to be held out, or there is a dev split
    fit(FINE, replace(NER, parameters=Parameters(validation_split=0)))
    dev = [*(example(*text) for text in FINE), example("d", "A", "dev")]
    check_examples(job, dev, ("A",))


def test_nothing_annotated_is_no_data() -> None:
    assert failed([(text, "") for text, _ in FINE])[0] is FailureReason.NO_TRAINING_DATA


@pytest.mark.parametrize("kind", list(ModelType))
def test_contradictions_are_told_and_then_refused(kind: ModelType) -> None:
    job = replace(NER, model_type=kind, control="topic")
    (warning,) = fit([*FINE, ("0", "B")], job)
    assert "2 of 11 train texts" in warning
    assert "'0'" in warning
    reason, message = failed([*FINE, ("0", "B"), ("1", "A")], job)
    assert reason is FailureReason.CONTRADICTORY_ANNOTATIONS
    assert "4 of 12" in message
    # the same said twice is no contradiction
    assert fit([*FINE, *FINE], job) == ()


POLICY = Policy(enabled=True, min_new_completions=5, max_interval=60 * SECOND)


@pytest.mark.parametrize(
    ("count", "elapsed", "running", "queued", "step"),
    [
        (0, 0, False, False, Step.WAIT),
        (4, 59, False, False, Step.WAIT),
        (5, 0, False, False, Step.START),
        (0, 1000, False, False, Step.WAIT),
        (1, 60, False, False, Step.START),
        (5, 0, True, False, Step.QUEUE),
        (9, 99, True, True, Step.WAIT),
        (0, 0, False, True, Step.START),
    ],
)
def test_when_a_run_is_due(
    count: int, elapsed: int, running: bool, queued: bool, step: Step
) -> None:
    state = LearningState(
        project="p", new_completions=count, last_run_time=SECOND, queued=queued, running=running
    )
    now = SECOND + elapsed * SECOND
    assert decide(POLICY, state, now, running=running) is step
    assert decide(replace(POLICY, enabled=False), state, now, running=running) is Step.WAIT


def test_before_the_first_run_time_counts_from_the_first_completion() -> None:
    state = LearningState(project="p", new_completions=1, first_completion_time=10 * SECOND)
    assert decide(POLICY, state, 69 * SECOND, running=False) is Step.WAIT
    assert decide(POLICY, state, 70 * SECOND, running=False) is Step.START
    without = replace(POLICY, max_interval=0)
    assert decide(without, state, 10**15, running=False) is Step.WAIT


def test_a_run_begins_with_nothing_counted() -> None:
    state = LearningState(project="p", new_completions=7, queued=True, token="t").begun(5)
    assert (state.run, state.new_completions, state.queued) == (1, 0, False)
    assert (state.token, state.last_run_time, state.starting, state.running) == ("t", 5, True, True)
    assert state.begun(6).request_id != state.request_id


def test_events_are_counted_with_their_place() -> None:
    changes = [
        Change(token="a", submitted=True, time=3),
        Change(token="b", time=4),
        Change(token="c", submitted=True, time=9),
    ]
    state = counted(LearningState(project="p", new_completions=1), changes)
    assert (state.token, state.new_completions, state.first_completion_time) == ("c", 3, 3)
    later = counted(LearningState(project="p", count_after=3), changes)
    assert later.new_completions == 1


def test_a_run_says_what_came_of_it() -> None:
    done = replace(
        NER,
        state=JobState.DONE,
        model_version="projects/p/modelVersions/ner_p_v2",
        deployment=DeploymentOutcome(deployed=False, message="Not deployed: why."),
    )
    broke = replace(
        NER,
        model_type=ModelType.CLASSIFICATION,
        control="topic",
        state=JobState.FAILED,
        failure=Failure(reason=FailureReason.INTERNAL, message="A bug."),
    )
    ended = replace(NER, state=JobState.CANCELLED)
    assert run_message([done, broke, ended]) == (
        "ner_p_v2: Not deployed: why. classification topic failed: A bug. ner was cancelled."
    )


OLD = "projects/p/modelVersions/ner_p_v1"


def split(name: str, micro: float, labels: Mapping[str, float]) -> SplitEvaluation:
    return SplitEvaluation(
        split=name,
        labels={label: SpanMetrics(f1=f1, support=5) for label, f1 in labels.items()},
        micro=SpanMetrics(f1=micro),
        macro=SpanMetrics(),
        texts=9,
    )


def served(**adapters: str) -> DeployedVersion:
    return DeployedVersion(
        name=OLD, model_type="ner", control="", trunk_digest="t", adapters=adapters
    )


def verdict(
    gate: Gate,
    new: SplitEvaluation | None,
    old: SplitEvaluation | None = None,
    *,
    before: DeployedVersion | None = None,
    baseline: Baseline | None = None,
    adapters: Mapping[str, str] | None = None,
) -> tuple[bool, str]:
    if old is not None:
        baseline, before = Baseline(model_version=OLD, evaluation=old), before or served(A="1")
    job = replace(NER, evaluation=(new,) if new else (), baseline=baseline)
    version = RegisteredVersion(
        name="v2", state="READY", adapters=adapters or {"A": "2"}, trunk_digest="t"
    )
    found = judge(gate, job, version, before)
    return found.passed, found.message


def test_the_gate_looks_at_micro_f1() -> None:
    gate = Gate(min_micro_f1=0.5)
    assert verdict(gate, split("dev", 0.5, {"A": 0.5}))[0]
    passed, message = verdict(gate, split("dev", 0.49, {"A": 0.49}))
    assert not passed
    assert "0.4900" in message
    assert "0.5000" in message
    assert not verdict(gate, None)[0]


@pytest.mark.parametrize(
    ("new", "old", "passed"), [(0.5, 0.5, True), (0.49, 0.5, True), (0.47, 0.5, False)]
)
def test_the_gate_looks_at_every_label(new: float, old: float, passed: bool) -> None:
    found, message = verdict(
        Gate(), split("dev", 0.9, {"A": new, "B": 1}), split("dev", 0.1, {"A": old})
    )
    assert found is passed
    assert passed or "A falls from F1 0.5000 to 0.4700" in message


def test_labels_that_say_nothing_do_not_count() -> None:
    old = split("dev", 0.9, {"A": 0.9})
    unseen = replace(old, labels={"A": SpanMetrics(f1=0.9, support=0)})
    new = split("dev", 0.9, {"A": 0.0})
    assert verdict(Gate(), new, unseen)[0]
    # the same adapter: kept from the base version, or trained to the same
    assert verdict(Gate(), new, old, adapters={"A": "1"})[0]
    passed, message = verdict(Gate(), split("dev", 0.9, {"B": 1.0}), old)
    assert not passed
    assert "A is served" in message


def test_one_adapter_predicts_all_values_of_a_control() -> None:
    new, old = split("dev", 0.5, {"law": 0.1}), split("dev", 0.9, {"law": 0.9})
    job = replace(
        NER,
        model_type=ModelType.CLASSIFICATION,
        control="topic",
        evaluation=(new,),
        baseline=Baseline(model_version=OLD, evaluation=old),
    )
    before = replace(served(topic="1"), model_type="classification", control="topic")
    for digest, passed in (("1", True), ("2", False)):
        version = RegisteredVersion(
            name="v2", state="READY", adapters={"topic": digest}, trunk_digest="t"
        )
        assert judge(Gate(), job, version, before).passed is passed


@pytest.mark.parametrize(
    ("baseline", "why"),
    [
        (None, "compared with nothing"),
        (Baseline(model_version="projects/p/modelVersions/ner_p_v0"), "ner_p_v0"),
        (Baseline(model_version=OLD, reason="no dev split"), "no dev split"),
        (Baseline(model_version=OLD, evaluation=split("test", 0, {"A": 0})), "on test"),
    ],
)
def test_what_was_not_compared_is_not_deployed(baseline: Baseline | None, why: str) -> None:
    passed, message = verdict(
        Gate(), split("dev", 1, {"A": 1}), before=served(A="1"), baseline=baseline
    )
    assert not passed
    assert why in message
