"""Whether a new version may take the served one's place by itself. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from services.trainer.automation.settings import Gate
from services.trainer.domain import ModelType, SplitEvaluation, TrainingJob
from services.trainer.ports import DeployedVersion, RegisteredVersion


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """Whether it may, and the sentence that says why."""

    passed: bool
    message: str


def judge(
    gate: Gate, job: TrainingJob, version: RegisteredVersion, served: DeployedVersion | None
) -> Verdict:
    """Decide on a DONE job.

    Args:
        gate: The project's gate.
        job: The job with its evaluation, and with the baseline measured while it ran.
        version: The version that it made.
        served: What the project serves now for the job's type and control.
    """
    by_split = {split.split: split for split in job.evaluation}
    measured = by_split.get("dev") or by_split.get("test")
    if measured is None:
        return _refused("it was measured on no split")
    reasons = []
    if measured.micro.f1 < gate.min_micro_f1:
        reasons.append(
            f"its micro F1 on {measured.split} is {measured.micro.f1:.4f}, and "
            f"{gate.min_micro_f1:.4f} is asked for"
        )
    if served is not None:
        if why := _incomparable(job, measured, served):
            reasons.append(why)
        elif worse := _worse_labels(gate, job, measured, version, served):
            reasons.append(
                f"compared with {_id(served.name)} on {measured.split}, where a label may lose "
                f"{gate.max_label_regression:g}: {', '.join(worse)}"
            )
    if reasons:
        return _refused("; ".join(reasons))
    compared = f", and no label is worse than in {_id(served.name)}" if served else ""
    return Verdict(
        passed=True,
        message=f"The gate passed: micro F1 {measured.micro.f1:.4f} on {measured.split}{compared}.",
    )


def _incomparable(job: TrainingJob, measured: SplitEvaluation, served: DeployedVersion) -> str:
    """Return why the new version was not compared with the one served, or nothing."""
    name, baseline = _id(served.name), job.baseline
    if baseline is None or baseline.model_version != served.name:
        seen = "nothing" if baseline is None else _id(baseline.model_version)
        return (
            f"{name} came to be served while it was trained, and it was compared with {seen}: "
            "train again, or deploy it by hand"
        )
    if baseline.evaluation is None:
        return f"{name} could not be measured on its examples: {baseline.reason}"
    if baseline.evaluation.split != measured.split:
        return (
            f"it was measured on {measured.split}, and {name} on {baseline.evaluation.split}: give "
            "the snapshot a dev split"
        )
    return ""


def _worse_labels(
    gate: Gate,
    job: TrainingJob,
    measured: SplitEvaluation,
    version: RegisteredVersion,
    served: DeployedVersion,
) -> list[str]:
    before = job.baseline.evaluation if job.baseline else None
    worse = []
    for label, old in sorted(before.labels.items() if before else ()):
        new = measured.labels.get(label)
        # A label that nobody annotated on these examples says nothing about quality, and an
        # adapter that is the same one is as good as before.
        same = _adapter_of(label, job, served.adapters) == _adapter_of(label, job, version.adapters)
        if not old.support or same:
            continue
        if new is None:
            worse.append(f"{label} is served with F1 {old.f1:.4f} and was not trained")
        elif old.f1 - new.f1 > gate.max_label_regression:
            worse.append(f"{label} falls from F1 {old.f1:.4f} to {new.f1:.4f}")
    return worse


def _adapter_of(label: str, job: TrainingJob, adapters: Mapping[str, str]) -> str:
    """Return the digest of the adapter that predicts a label, or nothing."""
    if job.model_type is ModelType.NER:
        return adapters.get(label, "")
    # One adapter predicts all values, or all statuses.
    return next(iter(adapters.values()), "")


def _refused(why: str) -> Verdict:
    return Verdict(passed=False, message=f"Not deployed: {why}.")


def _id(name: str) -> str:
    return name.rpartition("/")[2]
