"""The training job's states, and the only function that moves between them.

             ┌──── lease expired or released, attempts left ────┐
             ▼                                                  │
  WAITING ──claim──▶ TRAINING ──▶ EVALUATING ──▶ REGISTERING ──▶ DONE
     │                  │             │              │
     └──────────────────┴──────┬──────┴──────────────┘
                               ├──▶ FAILED
                               └──▶ CANCELLED

The store holds the other half: every write of a state names, in its guard, the states it may come
from (`sources`), so that a decision made on an outdated view is refused by the write itself.
"""

from __future__ import annotations

from enum import StrEnum


class JobState(StrEnum):
    """Where a training job stands."""

    WAITING = "waiting"
    TRAINING = "training"
    EVALUATING = "evaluating"
    REGISTERING = "registering"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


class JobEvent(StrEnum):
    """What moves a job."""

    CLAIM = "claim"
    """A worker took it."""
    EVALUATE = "evaluate"
    """Training ended; the best weights are measured."""
    REGISTER = "register"
    """Evaluation ended; the results are published."""
    FINISH = "finish"
    """The model version is READY."""
    REQUEUE = "requeue"
    """The worker was lost, or gave it back."""
    FAIL = "fail"
    """It cannot succeed."""
    CANCEL = "cancel"
    """It was asked to end."""


class IllegalTransitionError(ValueError):
    """The event does not apply in the state."""

    def __init__(self, state: JobState, event: JobEvent) -> None:
        """Name both."""
        super().__init__(f"a {state} job cannot {event}")
        self.state = state
        self.event = event


RUNNING_STATES = (JobState.TRAINING, JobState.EVALUATING, JobState.REGISTERING)
"""A worker holds the job's lease."""
LIVE_STATES = (JobState.WAITING, *RUNNING_STATES)
"""The job will still change."""
TERMINAL_STATES = (JobState.DONE, JobState.FAILED, JobState.CANCELLED)
"""Nothing changes any more."""

_TABLE: dict[tuple[JobState, JobEvent], JobState] = {
    (JobState.WAITING, JobEvent.CLAIM): JobState.TRAINING,
    (JobState.TRAINING, JobEvent.EVALUATE): JobState.EVALUATING,
    (JobState.EVALUATING, JobEvent.REGISTER): JobState.REGISTERING,
    (JobState.REGISTERING, JobEvent.FINISH): JobState.DONE,
    **{(state, JobEvent.REQUEUE): JobState.WAITING for state in RUNNING_STATES},
    **{(state, JobEvent.FAIL): JobState.FAILED for state in LIVE_STATES},
    **{(state, JobEvent.CANCEL): JobState.CANCELLED for state in LIVE_STATES},
}


def next_state(state: JobState, event: JobEvent) -> JobState:
    """Return the state after `event`.

    Raises:
        IllegalTransitionError: The event does not apply in `state`.
    """
    try:
        return _TABLE[state, event]
    except KeyError:
        raise IllegalTransitionError(state, event) from None


def sources(event: JobEvent) -> tuple[JobState, ...]:
    """Return the states in which `event` applies, for the guard of the write that performs it."""
    return tuple(state for state, known in _TABLE if known is event)


def target(event: JobEvent) -> JobState:
    """Return the state that `event` leads to; each event has exactly one."""
    (state,) = {after for (_, known), after in _TABLE.items() if known is event}
    return state
