"""The training job's state machine, and that the contract and the store agree with it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.trainer.convert import job_out
from services.trainer.domain import Failure, FailureReason, TrainingJob
from services.trainer.job_state import (
    LIVE_STATES,
    RUNNING_STATES,
    TERMINAL_STATES,
    IllegalTransitionError,
    JobEvent,
    JobState,
    next_state,
    sources,
    target,
)
from spanloop.trainer.v1.training_job_pb2 import TrainingFailureReason, TrainingJobState

_ORDER = [JobState.TRAINING, JobState.EVALUATING, JobState.REGISTERING, JobState.DONE]


@given(st.lists(st.sampled_from(JobEvent)))
def test_any_history_is_lawful(events: list[JobEvent]) -> None:
    state = JobState.WAITING
    for event in events:
        if state not in sources(event):
            with pytest.raises(IllegalTransitionError, match=f"a {state} job cannot {event}"):
                next_state(state, event)
            continue
        after = next_state(state, event)
        assert after is target(event)
        assert state in LIVE_STATES
        if event in (JobEvent.FAIL, JobEvent.CANCEL):
            assert after in TERMINAL_STATES
        elif event is JobEvent.REQUEUE:
            assert (state in RUNNING_STATES, after) == (True, JobState.WAITING)
        elif event is JobEvent.CLAIM:
            assert (state, after) == (JobState.WAITING, JobState.TRAINING)
        else:
            assert _ORDER.index(after) == _ORDER.index(state) + 1
        state = after


def test_states_fall_into_waiting_running_and_terminal() -> None:
    assert {*LIVE_STATES, *TERMINAL_STATES} == set(JobState)
    assert not {*LIVE_STATES} & {*TERMINAL_STATES}
    for state in TERMINAL_STATES:
        for event in JobEvent:
            with pytest.raises(IllegalTransitionError):
                next_state(state, event)
    for state in LIVE_STATES:
        assert next_state(state, JobEvent.CANCEL) is JobState.CANCELLED
        assert next_state(state, JobEvent.FAIL) is JobState.FAILED


def test_every_state_and_reason_has_its_public_one() -> None:
    shown = set()
    for state in JobState:
        job = TrainingJob(project="p", id="j", snapshot="s", trunk_source="t", state=state)
        shown.add(job_out(job).state)
    unspecified = TrainingJobState.TRAINING_JOB_STATE_UNSPECIFIED
    assert shown == set(TrainingJobState.values()) - {unspecified}
    reasons = set()
    for reason in FailureReason:
        failure = Failure(reason=reason, message="m")
        job = TrainingJob(project="p", id="j", snapshot="s", trunk_source="t", failure=failure)
        reasons.add(job_out(job).failure.reason)
    none = TrainingFailureReason.TRAINING_FAILURE_REASON_UNSPECIFIED
    assert reasons == set(TrainingFailureReason.values()) - {none}
