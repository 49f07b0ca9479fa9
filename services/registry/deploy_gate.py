"""Whether a project's gate lets a model version be deployed. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from services.common.errors import FailedPreconditionError, PreconditionViolation, Reason
from services.registry.domain import ModelType, ModelVersion, SplitEvaluation
from services.registry.policy import Gate


def judge(
    gate: Gate, version: ModelVersion, served: ModelVersion | None
) -> tuple[PreconditionViolation, ...]:
    """Return the rules that a version violates.

    Args:
        gate: The project's.
        version: What is to be deployed.
        served: What is served of its line now, if anything.
    """
    if not gate.asks:
        return ()
    measured = _on(gate, version.evaluation)
    if measured is None:
        return (_violation("MEASURED", version.name, f"It was not measured on {gate.split}."),)
    found = []
    if measured.micro.f1 < gate.min_micro_f1:
        found.append(
            _violation(
                "MIN_MICRO_F1",
                version.name,
                f"Its micro F1 on {gate.split} is {measured.micro.f1:.4f}, "
                f"{gate.min_micro_f1:.4f} is asked for.",
            )
        )
    found += [
        _violation(
            "MIN_LABEL_F1",
            label,
            f"Its F1 on {gate.split} is {metrics.f1:.4f}, {gate.min_label_f1:.4f} is asked for.",
        )
        for label, metrics in sorted(measured.labels.items())
        if metrics.support and metrics.f1 < gate.min_label_f1
    ]
    if gate.max_label_regression is not None and served is not None and served.id != version.id:
        found += _regressions(gate, gate.max_label_regression, version, measured, served)
    return tuple(found)


def refuse(version: ModelVersion, violations: Sequence[PreconditionViolation]) -> None:
    """Refuse a version that violates a rule.

    Raises:
        FailedPreconditionError: GATE_FAILED, with all that it violates.
    """
    if violations:
        raise FailedPreconditionError(
            Reason.GATE_FAILED,
            f"The project's gate refuses {version.name}: "
            + " ".join(told(violation) for violation in violations)
            + " Deploy it with force to override the gate.",
            metadata={"resource": version.name},
            preconditions=violations,
        )


def told(violation: PreconditionViolation) -> str:
    """Return a violation in one line."""
    return f"{violation.type} ({violation.subject}): {violation.description}"


def _regressions(
    gate: Gate,
    allowed: float,
    version: ModelVersion,
    measured: SplitEvaluation,
    served: ModelVersion,
) -> list[PreconditionViolation]:
    before = _served_on(gate, version, served)
    if before is None:
        return [
            _violation(
                "MAX_LABEL_REGRESSION",
                served.name,
                f"It is served now, and was not measured on the {gate.split} examples of "
                f"{version.id}, so the two cannot be compared.",
            )
        ]
    found = []
    for label, old in sorted(before.labels.items()):
        same = _adapter_of(label, version) == _adapter_of(label, served)
        if not old.support or same:
            continue
        new = measured.labels.get(label)
        if new is None:
            why = f"It is served with F1 {old.f1:.4f} and {version.id} does not have it."
        elif old.f1 - new.f1 > allowed:
            why = (
                f"It falls from F1 {old.f1:.4f} of {served.id} to {new.f1:.4f} on {gate.split}; "
                f"{allowed:g} may be lost."
            )
        else:
            continue
        found.append(_violation("MAX_LABEL_REGRESSION", label, why))
    return found


def _served_on(gate: Gate, version: ModelVersion, served: ModelVersion) -> SplitEvaluation | None:
    """Return what the served version reached on the examples of the new one, where known."""
    baseline = version.baseline
    if (
        baseline is not None
        and baseline.model_version == served.name
        and baseline.evaluation.split is gate.split
    ):
        return baseline.evaluation
    content = version.lineage.snapshot_content_hash
    if content and content == served.lineage.snapshot_content_hash:
        return _on(gate, served.evaluation)
    return None


def _on(gate: Gate, evaluation: Sequence[SplitEvaluation]) -> SplitEvaluation | None:
    return next((entry for entry in evaluation if entry.split is gate.split), None)


def _adapter_of(label: str, version: ModelVersion) -> str:
    """Return the digest of the adapter that predicts a label, or nothing."""
    adapters: Mapping[str, str] = version.adapters
    if version.model_type is ModelType.NER:
        return adapters.get(label, "")
    # One adapter predicts all values, or all statuses.
    return next(iter(adapters.values()), "")


def _violation(type: str, subject: str, description: str) -> PreconditionViolation:
    return PreconditionViolation(type=type, subject=subject, description=description)
