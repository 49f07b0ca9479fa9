"""What a new training job may ask for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from services.common.errors import Reason, invalid_field
from services.trainer.domain import RECOMMENDED_EXAMPLES, Parameters
from services.trainer.engines.contract import CONTRACT_PARAMETERS
from services.trainer.engines.trunk_names import TUNED_PREFIX
from services.trainer.ports import Snapshot

_MAX_LABELS = 1_000
_MAX_SOURCE = 500


def check_parameters(parameters: Parameters) -> None:
    """Return when every given parameter is within its limits; the engine's own: `check_engine`.

    Raises:
        InvalidArgumentError: Names the parameter and its limits.
    """
    for parameter in CONTRACT_PARAMETERS:
        value = getattr(parameters, parameter.name)
        low, high = parameter.minimum, parameter.maximum
        # The comparison is false for NaN too.
        if value is not None and not low <= value <= high:
            raise invalid_field(
                f"training_job.parameters.{parameter.name}",
                f"must be from {low:,g} to {high:,g}.",
            )


def check_trunk_source(source: str) -> None:
    """Return when a trunk source could be one.

    Raises:
        InvalidArgumentError: It is too long, holds control characters, or is a tuned trunk.
    """
    if len(source) > _MAX_SOURCE or not source.isprintable() or source != source.strip():
        raise invalid_field(
            "training_job.trunk_source",
            f"must be `embedded:all-MiniLM-L6-v2`, a hub name or a folder, in at most "
            f"{_MAX_SOURCE} printable characters.",
        )
    if source.startswith(TUNED_PREFIX):
        raise invalid_field(
            "training_job.trunk_source",
            "names a trunk that a job tuned: to train on it, name a version that reads it as "
            "base_model_version.",
        )


def check_labels(labels: Sequence[str], snapshot: Snapshot) -> None:
    """Return when the labels are distinct and all of the snapshot.

    Raises:
        InvalidArgumentError: Names the first that is not.
    """
    if len(labels) > _MAX_LABELS:
        raise invalid_field("training_job.labels", f"must have at most {_MAX_LABELS} entries.")
    known = set(snapshot.labels)
    seen: set[str] = set()
    for index, label in enumerate(labels):
        field = f"training_job.labels[{index}]"
        if label in seen:
            raise invalid_field(field, "is there twice.")
        if label not in known:
            raise invalid_field(
                field,
                f"{label[:100]!r} is not a label of the snapshot; it has: "
                f"{', '.join(sorted(known)) or 'none'}.",
                reason=Reason.LABEL_UNKNOWN,
            )
        seen.add(label)


def example_warnings(what: str, counts: Mapping[str, int]) -> tuple[str, ...]:
    """Return a remark for every label that is likely to train badly for want of examples.

    Args:
        what: What the names are: ``Label``, a control's values, ``Assertion status``.
        counts: Annotated examples by name.
    """
    return tuple(
        f"{what} {name!r} has {count} annotated {'example' if count == 1 else 'examples'} in the "
        "snapshot: 40–50 examples per label are recommended."
        for name, count in counts.items()
        if count < RECOMMENDED_EXAMPLES
    )
