"""Trials of model versions on live traffic: values, their one state machine, and decisions. Pure.

::

    RUNNING ──PROMOTE: the candidate is deployed────────────────▶ PROMOTED
       ├──────END: by hand, or else of its line is deployed─────▶ ENDED
       └──────EXCEED: a limit───────────────────────────────────▶ ROLLED_BACK
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from services.common.call import SYSTEM_ACTOR
from services.common.errors import FailedPreconditionError, Reason, etag_mismatch
from services.registry.domain import ModelVersion
from services.registry.pointers import DeployedModel, Deployment, deployed_model, deployment_name

MIN_REQUESTS = 100
CANARY_ERROR_RATE = 0.01
"""What a canary keeps to unless told otherwise: it answers, so something must end it."""


class TrialMode(StrEnum):
    """What a candidate does with the requests that fall to it."""

    SHADOW = "shadow"
    CANARY = "canary"


class TrialState(StrEnum):
    """Where a trial stands."""

    RUNNING = "running"
    PROMOTED = "promoted"
    ENDED = "ended"
    ROLLED_BACK = "rolled_back"


class TrialEvent(StrEnum):
    """What happens to a trial."""

    PROMOTE = "promote"
    END = "end"
    EXCEED = "exceed"


_MOVES: Mapping[tuple[TrialState, TrialEvent], TrialState] = {
    (TrialState.RUNNING, TrialEvent.PROMOTE): TrialState.PROMOTED,
    (TrialState.RUNNING, TrialEvent.END): TrialState.ENDED,
    (TrialState.RUNNING, TrialEvent.EXCEED): TrialState.ROLLED_BACK,
}


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a candidate must keep to.

    Attributes:
        min_requests: How many are needed to judge.
        max_error_rate: Errors per request; None: any.
        max_disagreement_rate: Texts answered otherwise, per text compared; None: any.
    """

    min_requests: int = MIN_REQUESTS
    max_error_rate: float | None = None
    max_disagreement_rate: float | None = None


@dataclass(frozen=True, kw_only=True)
class Trial:
    """A candidate that is tried on the live traffic of a project.

    Attributes:
        number: Counts the project's trials from 1.
        candidate: As it would be deployed.
        share: Of the requests that fall to it.
        reason: Why it is not RUNNING any more.
        deployment_revision: The deployment's when it began.
        promoted_revision: The one that serves the candidate; 0 unless PROMOTED.
        create_time: Microseconds UTC.
        end_time: The same; None while it is RUNNING.
        actor, end_actor: Who began and who ended it.
        violations: Rules of the gate that were overridden when it began.
    """

    project: str
    number: int
    candidate: DeployedModel
    mode: TrialMode
    share: float
    limits: Limits
    state: TrialState = TrialState.RUNNING
    reason: str = ""
    deployment_revision: int
    promoted_revision: int = 0
    create_time: int
    end_time: int | None = None
    actor: str
    end_actor: str = ""
    violations: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The resource name."""
        return trial_name(self.project, self.number)

    @property
    def running(self) -> bool:
        """Whether its candidate gets requests."""
        return self.state is TrialState.RUNNING

    @property
    def etag(self) -> str:
        """Changes when it ends, which is the one change of a trial."""
        return "1" if self.running else "2"


def trial_name(project: str, number: int) -> str:
    """Return the resource name of a trial."""
    return f"projects/{project}/trials/{number}"


def transition(trial: Trial, event: TrialEvent) -> TrialState:
    """Return the state that follows.

    Raises:
        FailedPreconditionError: The trial is over (STATE_CONFLICT).
    """
    following = _MOVES.get((trial.state, event))
    if following is None:
        why = f": {trial.reason}" if trial.reason else "."
        raise FailedPreconditionError(
            Reason.STATE_CONFLICT,
            f"{trial.name} is {trial.state.name}{why}",
            metadata={"resource": trial.name, "state": trial.state.name},
        )
    return following


def start(
    last: Trial | None,
    current: Deployment,
    version: ModelVersion,
    *,
    mode: TrialMode,
    share: float,
    limits: Limits,
    now: int,
    actor: str,
    violations: tuple[str, ...] = (),
) -> Trial:
    """Return the trial of a version against what is served of its line.

    Args:
        last: The newest trial of the project.
        current: What is deployed.
        version: The candidate.
        mode: What it does.
        share: Of the requests.
        limits: What it keeps to.
        now: Microseconds UTC.
        actor: Who begins it.
        violations: Rules of the gate that are overridden.

    Raises:
        FailedPreconditionError: Another trial runs, or the candidate is deployed (STATE_CONFLICT);
            nothing of its line is deployed (NOTHING_DEPLOYED).
    """
    if last is not None and last.running:
        raise FailedPreconditionError(
            Reason.STATE_CONFLICT,
            f"{last.name} is RUNNING: end it first.",
            metadata={"resource": last.name, "state": last.state.name},
        )
    candidate = deployed_model(version)
    served = served_of(current, candidate)
    if served is None:
        raise FailedPreconditionError(
            Reason.NOTHING_DEPLOYED,
            f"{current.name} serves nothing of {candidate.line}, so {version.name} can be "
            "compared with nothing: deploy it.",
            metadata={"resource": current.name, "line": candidate.line},
        )
    if served == candidate.version:
        raise FailedPreconditionError(
            Reason.STATE_CONFLICT,
            f"{version.name} is what is deployed: there is nothing to try.",
            metadata={"resource": version.name, "deployment": current.name},
        )
    if mode is TrialMode.CANARY and limits.max_error_rate is None:
        limits = replace(limits, max_error_rate=CANARY_ERROR_RATE)
    return Trial(
        project=version.project,
        number=last.number + 1 if last else 1,
        candidate=candidate,
        mode=mode,
        share=share,
        limits=limits,
        deployment_revision=current.revision,
        create_time=now,
        actor=actor,
        violations=violations,
    )


def check_etag(trial: Trial, etag: str) -> None:
    """Refuse to end a trial that changed since the caller looked; no etag passes.

    Raises:
        AbortedError: It did (ETAG_MISMATCH).
    """
    if etag and etag != trial.etag:
        raise etag_mismatch(trial.name)


def end(trial: Trial, now: int, actor: str) -> Trial:
    """Return the trial after somebody ended it.

    Raises:
        FailedPreconditionError: It is over (STATE_CONFLICT).
    """
    return _over(trial, TrialEvent.END, "It was ended.", now, actor)


def roll_back(trial: Trial, reason: str, now: int) -> Trial:
    """Return the trial after a limit was exceeded.

    Raises:
        FailedPreconditionError: It is over (STATE_CONFLICT).
    """
    return _over(trial, TrialEvent.EXCEED, reason, now, SYSTEM_ACTOR)


def after_move(trial: Trial | None, before: Deployment | None, after: Deployment) -> Trial | None:
    """Return the trial that a move of the deployment ends, or None when it ends none.

    A trial goes on when other lines or pins move: both sides of its comparison do.
    """
    if trial is None or not trial.running or before is None:
        return None
    new = served_of(after, trial.candidate)
    if new == served_of(before, trial.candidate):
        return None
    now, actor = after.create_time, after.actor
    if new == trial.candidate.version:
        reason = f"It is deployed with revision {after.revision}."
        promoted = _over(trial, TrialEvent.PROMOTE, reason, now, actor)
        return replace(promoted, promoted_revision=after.revision)
    reason = (
        f"What it was compared with is not deployed any more: revision {after.revision} of "
        f"{deployment_name(trial.project)} serves {new or 'nothing'} of {trial.candidate.line}."
    )
    return _over(trial, TrialEvent.END, reason, now, actor)


def served_of(deployment: Deployment, candidate: DeployedModel) -> str | None:
    """Return the version that a deployment serves of a candidate's line."""
    return next((one.version for one in deployment.models if one.line == candidate.line), None)


def _over(trial: Trial, event: TrialEvent, reason: str, now: int, actor: str) -> Trial:
    return replace(
        trial,
        state=transition(trial, event),
        reason=reason,
        end_time=max(now, trial.create_time),
        end_actor=actor,
    )
