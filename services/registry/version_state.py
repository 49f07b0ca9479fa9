"""The state machine of a model version: one table, one transition function.

::

    REGISTERED ──parity passed──▶ READY ──retire──▶ RETIRED
         └───────parity failed──▶ FAILED
"""

from __future__ import annotations

from collections.abc import Mapping

from services.common.errors import FailedPreconditionError, Reason
from services.registry.domain import VersionState

TRANSITIONS: Mapping[VersionState, frozenset[VersionState]] = {
    VersionState.REGISTERED: frozenset({VersionState.READY, VersionState.FAILED}),
    VersionState.READY: frozenset({VersionState.RETIRED}),
    VersionState.RETIRED: frozenset(),
    VersionState.FAILED: frozenset(),
}


def transition(name: str, current: VersionState, new: VersionState) -> VersionState:
    """Return `new` if the version may move there from `current`.

    Raises:
        FailedPreconditionError: It may not (STATE_CONFLICT); the message names both states.
    """
    if new not in TRANSITIONS[current]:
        raise FailedPreconditionError(
            Reason.STATE_CONFLICT,
            f"{name} is {current.name} and cannot become {new.name}.",
            metadata={"resource": name, "state": current.name},
        )
    return new


def sources(new: VersionState) -> tuple[VersionState, ...]:
    """Return the states from which `new` is reached: the guard of the write that moves there."""
    return tuple(state for state, targets in TRANSITIONS.items() if new in targets)


def is_terminal(state: VersionState) -> bool:
    """Return whether nothing follows."""
    return not TRANSITIONS[state]
