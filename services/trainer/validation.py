"""What a new training job may ask for."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from services.common.errors import Reason, invalid_field
from services.trainer.domain import RECOMMENDED_EXAMPLES, Parameters
from services.trainer.ports import Snapshot


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """Limits of a number.

    Attributes:
        low: Least value.
        high: Largest value; None: no limit here.
        low_open: Whether `low` itself is excluded.
        high_open: Whether `high` itself is excluded.
    """

    low: float
    high: float | None
    low_open: bool = False
    high_open: bool = False

    def hold(self, value: float) -> bool:
        """Return whether the value is within the limits; NaN never is."""
        if not math.isfinite(value):
            return False
        low = value > self.low if self.low_open else value >= self.low
        if self.high is None:
            return low
        return low and (value < self.high if self.high_open else value <= self.high)

    def __str__(self) -> str:
        low = f"{'above' if self.low_open else 'at least'} {self.low:,g}"
        if self.high is None:
            return low
        return f"{low} and {'below' if self.high_open else 'at most'} {self.high:,g}"


PARAMETER_BOUNDS = {
    "epochs": Bounds(low=1, high=1_000),
    "patience": Bounds(low=1, high=1_000),
    "learning_rate": Bounds(low=0, high=1, low_open=True),
    "weight_decay": Bounds(low=0, high=1),
    "dropout": Bounds(low=0, high=1, high_open=True),
    "tap_dropout": Bounds(low=0, high=1, high_open=True),
    "batch_words": Bounds(low=64, high=1_000_000),
    "width": Bounds(low=4, high=512),
    "context": Bounds(low=0, high=4),
    # The trunk's own limit is known to the worker only; it refuses more with INVALID_PARAMETERS.
    "max_length": Bounds(low=16, high=None),
}
"""Limits of the contract by parameter; `seed` may be any number."""

_MAX_LABELS = 1_000
_MAX_SOURCE = 500


def check_parameters(parameters: Parameters) -> None:
    """Return when every given parameter is within its limits.

    Raises:
        InvalidArgumentError: Names the parameter and its limits.
    """
    for name, bounds in PARAMETER_BOUNDS.items():
        value = getattr(parameters, name)
        if value is not None and not bounds.hold(value):
            raise invalid_field(f"training_job.parameters.{name}", f"must be {bounds}.")


def check_trunk_source(source: str) -> None:
    """Return when a trunk source could be one.

    Raises:
        InvalidArgumentError: It is too long, or holds control characters.
    """
    if len(source) > _MAX_SOURCE or not source.isprintable() or source != source.strip():
        raise invalid_field(
            "training_job.trunk_source",
            f"must be `embedded:all-MiniLM-L6-v2`, a hub name or a folder, in at most "
            f"{_MAX_SOURCE} printable characters.",
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


def example_warnings(labels: Sequence[str], snapshot: Snapshot) -> tuple[str, ...]:
    """Return a remark for every label that is likely to train badly for want of examples."""
    return tuple(
        f"Label {label!r} has {count} annotated {'example' if count == 1 else 'examples'} in the "
        "snapshot: 40–50 examples per label are recommended."
        for label in (labels or snapshot.labels)
        if (count := snapshot.span_counts.get(label, 0)) < RECOMMENDED_EXAMPLES
    )
