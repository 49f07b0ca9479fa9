"""What is counted of a trial: inference counts it, and the registry adds up what servers tell.

Each names what an adapter answers for in its own words, so the key of the differences is theirs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Generic, TypeVar

KeyT = TypeVar("KeyT", bound=tuple[str, str])
"""What an adapter answers for: its kind, and the name of a label or control."""


@dataclass(frozen=True, kw_only=True)
class Difference:
    """How the answers for one label or control differ; see ``AnswerDifference``."""

    served: int = 0
    added: int = 0
    missing: int = 0
    changed: int = 0

    def __add__(self, other: Difference) -> Difference:
        """Return both together."""
        return Difference(
            **{name: getattr(self, name) + getattr(other, name) for name in DIFFERENCE_NUMBERS}
        )

    @property
    def differs(self) -> bool:
        """Whether anything is answered otherwise."""
        return bool(self.added or self.missing or self.changed)


@dataclass(frozen=True, kw_only=True)
class Counts(Generic[KeyT]):
    """What was counted up to now; see ``TrialCounts``."""

    requests: int = 0
    errors: int = 0
    compared_requests: int = 0
    compared_texts: int = 0
    differing_texts: int = 0
    skipped_requests: int = 0
    dropped_requests: int = 0
    differences: Mapping[KeyT, Difference] = field(default_factory=dict)


COUNTS_NUMBERS = tuple(one.name for one in fields(Counts) if one.name != "differences")
"""Names of the numbers of ``Counts``."""

DIFFERENCE_NUMBERS = tuple(one.name for one in fields(Difference))
"""Names of the numbers of a ``Difference``."""
