"""When a project trains by itself. Pure: sees values, returns what to do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from enum import Enum

from services.trainer.automation.policy_state import LearningState
from services.trainer.automation.settings import Policy
from services.trainer.domain import TrainingJob
from services.trainer.job_state import JobState
from services.trainer.ports import Change


class Step(Enum):
    """What to do now."""

    WAIT = "wait"
    """Nothing."""
    QUEUE = "queue"
    """Remember that another run must follow the one under way."""
    START = "start"
    """Begin a run."""


def decide(policy: Policy, state: LearningState, now: int, *, running: bool) -> Step:
    """Return what to do.

    Args:
        policy: The project's policy.
        state: Where it stands.
        now: Microseconds UTC.
        running: Whether a run is under way.
    """
    if not policy.enabled:
        return Step.WAIT
    due = state.queued or is_due(policy, state, now)
    if not due:
        return Step.WAIT
    if not running:
        return Step.START
    return Step.WAIT if state.queued else Step.QUEUE


def is_due(policy: Policy, state: LearningState, now: int) -> bool:
    """Return whether enough was submitted, or anything long enough after the last run began.

    Before the first run the time counts from the first completion that was heard of.
    """
    if state.new_completions >= policy.min_new_completions:
        return True
    if not policy.max_interval or state.new_completions < 1:
        return False
    since = state.last_run_time or state.first_completion_time
    return now - since >= policy.max_interval


def counted(state: LearningState, changes: Sequence[Change]) -> LearningState:
    """Return the state behind these changes, with what was submitted added."""
    times = [c.time for c in changes if c.submitted and c.time > state.count_after]
    return replace(
        state,
        token=changes[-1].token,
        new_completions=state.new_completions + len(times),
        first_completion_time=state.first_completion_time or min(times, default=0),
    )


def run_message(jobs: Sequence[TrainingJob]) -> str:
    """Return what came of a run's jobs, for people."""
    return " ".join(_outcome(job) for job in jobs)


def _outcome(job: TrainingJob) -> str:
    what = f"{job.model_type.value} {job.control}".strip()
    match job.state:
        case JobState.DONE:
            version = job.model_version.rpartition("/")[2]
            told = job.deployment.message if job.deployment else "It was not to be deployed."
            return f"{version}: {told}"
        case JobState.FAILED:
            reason = "" if job.failure is None else job.failure.message
            return f"{what} failed: {reason}"
        case _:
            return f"{what} was {job.state.value}."
