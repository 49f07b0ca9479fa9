"""Trials: messages ↔ domain values, and what watchers are told."""

from __future__ import annotations

import re
from dataclasses import dataclass

from services.common.errors import invalid_field
from services.common.names import parse_name
from services.common.times import to_timestamp
from services.common.trial_counts import COUNTS_NUMBERS, DIFFERENCE_NUMBERS, Counts, Difference
from services.common.validate import check_count, check_id, check_line, check_range
from services.registry.convert import (
    MODEL_TYPE_VALUES,
    MODEL_TYPES,
    project_of,
    version_or_alias,
)
from services.registry.domain import ModelType, version_name
from services.registry.feed import Told, TrialUpdate
from services.registry.handlers.trials import TrialWish
from services.registry.pointer_convert import deployment_message
from services.registry.trial import MIN_REQUESTS, Limits, Trial, TrialMode, TrialState
from services.registry.trial_counts import AnswerKey, Candidate, Report
from services.registry.trial_reports import Findings
from spanloop.registry.v1 import registry_service_pb2, trial_pb2
from spanloop.registry.v1 import trial_service_pb2 as pb

MAX_MESSAGE = 1000
MAX_DIFFERENCES = 2000
MAX_COUNT = 2**53
_MAX_MIN_REQUESTS = 10**9

_MODES = {
    trial_pb2.TRIAL_MODE_SHADOW: TrialMode.SHADOW,
    trial_pb2.TRIAL_MODE_CANARY: TrialMode.CANARY,
}
_MODE_VALUES = {value: key for key, value in _MODES.items()}
_STATE_VALUES = {
    TrialState.RUNNING: trial_pb2.TRIAL_STATE_RUNNING,
    TrialState.PROMOTED: trial_pb2.TRIAL_STATE_PROMOTED,
    TrialState.ENDED: trial_pb2.TRIAL_STATE_ENDED,
    TrialState.ROLLED_BACK: trial_pb2.TRIAL_STATE_ROLLED_BACK,
}
_CANDIDATES = {
    trial_pb2.CANDIDATE_STATE_LOADING: Candidate.LOADING,
    trial_pb2.CANDIDATE_STATE_READY: Candidate.READY,
    trial_pb2.CANDIDATE_STATE_ERROR: Candidate.ERROR,
}
_CANDIDATE_VALUES = {value: key for key, value in _CANDIDATES.items()}


@dataclass(frozen=True, kw_only=True)
class TrialRef:
    """Which trial is meant."""

    project: str
    number: int


def trial_of_name(name: str) -> TrialRef:
    """Return the trial of a name."""
    parts = parse_name("projects/{project}/trials/{trial}", name)
    if not re.fullmatch(r"[1-9][0-9]{0,8}", parts["trial"], re.ASCII):
        raise invalid_field("name", "must end with the number of a trial.")
    return TrialRef(project=check_id(parts["project"], "name"), number=int(parts["trial"]))


def wish_of(request: pb.StartTrialRequest) -> TrialWish:
    """Return the trial that a request describes."""
    message = request.trial
    project = project_of(request.parent)
    owner, version = version_or_alias(message.model_version, "trial.model_version")
    if owner != project:
        raise invalid_field("trial.model_version", "must be a version of the same project.")
    mode = _MODES.get(message.mode)
    if mode is None:
        raise invalid_field("trial.mode", "must be TRIAL_MODE_SHADOW or TRIAL_MODE_CANARY.")
    share = check_range(message.share, "trial.share", 0, 1)
    if not share:
        raise invalid_field("trial.share", "must be above 0.")
    return TrialWish(
        project=project,
        version=version,
        mode=mode,
        share=share,
        limits=_limits_of(message.limits, "trial.limits"),
        force=request.force,
    )


def _limits_of(message: trial_pb2.TrialLimits, field: str) -> Limits:
    rates: dict[str, float | None] = {}
    for name in ("max_error_rate", "max_disagreement_rate"):
        rates[name] = None
        if message.HasField(name):
            rates[name] = check_range(getattr(message, name), f"{field}.{name}", 0, 1)
    count = check_range(message.min_requests, f"{field}.min_requests", 0, _MAX_MIN_REQUESTS)
    return Limits(min_requests=count or MIN_REQUESTS, **rates)


def report_of(request: pb.ReportTrialRequest, now: int) -> Report:
    """Return what a server tells."""
    candidate = _CANDIDATES.get(request.candidate_state)
    if candidate is None:
        raise invalid_field("candidate_state", "must be a known state.")
    return Report(
        reporter=check_line(request.reporter, "reporter", 1, 100),
        sequence=check_range(request.sequence, "sequence", 1, MAX_COUNT),
        time=now,
        candidate=candidate,
        error_message=request.error_message[:MAX_MESSAGE],
        counts=_counts_of(request.counts, "counts"),
    )


def _counts_of(message: trial_pb2.TrialCounts, field: str) -> Counts[AnswerKey]:
    check_count(message.differences, f"{field}.differences", 0, MAX_DIFFERENCES)
    differences: dict[AnswerKey, Difference] = {}
    for index, one in enumerate(message.differences):
        at = f"{field}.differences[{index}]"
        kind = MODEL_TYPES.get(one.model_type)
        if kind is None:
            raise invalid_field(f"{at}.model_type", "must be a known type.")
        least = 0 if kind is ModelType.ASSERTION else 1
        key = (kind, check_line(one.name, f"{at}.name", least, 100))
        if key in differences:
            raise invalid_field(at, "is a second one of this name.")
        parts = {
            name: check_range(getattr(one, name), f"{at}.{name}", 0, MAX_COUNT)
            for name in DIFFERENCE_NUMBERS
        }
        differences[key] = Difference(**parts)
    numbers = {
        name: check_range(getattr(message, name), f"{field}.{name}", 0, MAX_COUNT)
        for name in COUNTS_NUMBERS
    }
    for part, whole in (
        ("errors", "requests"),
        ("compared_requests", "requests"),
        ("differing_texts", "compared_texts"),
    ):
        if numbers[part] > numbers[whole]:
            raise invalid_field(f"{field}.{part}", f"must not be more than {whole}.")
    return Counts(**numbers, differences=differences)


def trial_message(
    trial: Trial, findings: Findings | None = None, *, reporters: bool = True
) -> trial_pb2.Trial:
    """Return the message of a trial, with what is known of it if that is wanted."""
    message = trial_pb2.Trial(
        name=trial.name,
        model_version=version_name(trial.project, trial.candidate.version),
        mode=_MODE_VALUES[trial.mode],
        share=trial.share,
        limits=trial_pb2.TrialLimits(
            min_requests=trial.limits.min_requests,
            max_error_rate=trial.limits.max_error_rate,
            max_disagreement_rate=trial.limits.max_disagreement_rate,
        ),
        state=_STATE_VALUES[trial.state],
        reason=trial.reason,
        deployment_revision=trial.deployment_revision,
        promoted_revision=trial.promoted_revision,
        etag=trial.etag,
        create_time=to_timestamp(trial.create_time),
        actor=trial.actor,
        end_actor=trial.end_actor,
    )
    if trial.end_time is not None:
        message.end_time.CopyFrom(to_timestamp(trial.end_time))
    if findings is not None:
        message.counts.CopyFrom(_counts_message(findings.counts))
        if reporters:
            message.reporters.extend(map(_reporter_message, findings.reports))
    return message


def _counts_message(counts: Counts[AnswerKey]) -> trial_pb2.TrialCounts:
    return trial_pb2.TrialCounts(
        **{name: getattr(counts, name) for name in COUNTS_NUMBERS},
        differences=[
            trial_pb2.AnswerDifference(
                model_type=MODEL_TYPE_VALUES[kind],
                name=name,
                **{part: getattr(found, part) for part in DIFFERENCE_NUMBERS},
            )
            for (kind, name), found in counts.differences.items()
        ],
    )


def _reporter_message(report: Report) -> trial_pb2.TrialReporter:
    return trial_pb2.TrialReporter(
        reporter=report.reporter,
        candidate_state=_CANDIDATE_VALUES[report.candidate],
        error_message=report.error_message,
        report_time=to_timestamp(report.time),
    )


def watch_message(told: Told) -> registry_service_pb2.WatchDeploymentResponse:
    """Return a message of the watch stream; None is a heartbeat."""
    answer = registry_service_pb2.WatchDeploymentResponse
    if told is None:
        return answer(heartbeat=answer.Heartbeat())
    if not isinstance(told, TrialUpdate):
        return answer(deployment=deployment_message(told))
    update = answer.TrialUpdate(trial=trial_message(told.trial))
    if told.candidate is not None:
        update.candidate.CopyFrom(deployment_message(told.candidate))
    return answer(trial=update)
