"""The one transition function of pre-annotation jobs; the guard is repeated inside each write.

WAITING --CLAIM--> RUNNING --FINISH--> DONE
   |                  |----FAIL------> FAILED
   |--CANCEL--+-------|----CANCEL----> CANCELLED
   ^                  |
   +-----REQUEUE------+   the server stopped or its lease ran out
"""

from __future__ import annotations

from enum import StrEnum

from services.common.errors import FailedPreconditionError, Reason
from services.inference.domain import JobState


class JobEvent(StrEnum):
    """What happens to a job."""

    CLAIM = "CLAIM"
    REQUEUE = "REQUEUE"
    FINISH = "FINISH"
    FAIL = "FAIL"
    CANCEL = "CANCEL"


_MOVES: dict[tuple[JobState, JobEvent], JobState] = {
    (JobState.WAITING, JobEvent.CLAIM): JobState.RUNNING,
    (JobState.WAITING, JobEvent.CANCEL): JobState.CANCELLED,
    (JobState.RUNNING, JobEvent.REQUEUE): JobState.WAITING,
    (JobState.RUNNING, JobEvent.FINISH): JobState.DONE,
    (JobState.RUNNING, JobEvent.FAIL): JobState.FAILED,
    (JobState.RUNNING, JobEvent.CANCEL): JobState.CANCELLED,
}


def transition(state: JobState, event: JobEvent) -> JobState:
    """Return the state that follows.

    Raises:
        FailedPreconditionError: The event is not allowed in this state (STATE_CONFLICT).
    """
    following = _MOVES.get((state, event))
    if following is None:
        raise FailedPreconditionError(
            Reason.STATE_CONFLICT,
            f"The job is {state}; {event} is not possible any more.",
            metadata={"state": state.value},
        )
    return following
