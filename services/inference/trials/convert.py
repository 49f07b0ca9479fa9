"""Trials: messages of the registry and of this service ↔ domain values."""

from __future__ import annotations

from dataclasses import replace

from services.common.trial_counts import COUNTS_NUMBERS, DIFFERENCE_NUMBERS, Counts
from services.inference.convert.registry import deployment_of
from services.inference.convert.serving import generation_message
from services.inference.domain import AdapterKind
from services.inference.trials.board import TrialBoard
from services.inference.trials.counts import AdapterKey
from services.inference.trials.domain import (
    CandidateState,
    Trial,
    TrialMode,
    TrialOver,
    TrialReport,
)
from spanloop.common.v1 import evaluation_pb2
from spanloop.inference.v1 import serving_state_pb2
from spanloop.registry.v1 import registry_service_pb2, trial_pb2, trial_service_pb2

_MODES = {
    trial_pb2.TRIAL_MODE_SHADOW: TrialMode.SHADOW,
    trial_pb2.TRIAL_MODE_CANARY: TrialMode.CANARY,
}
_STATES = {
    CandidateState.LOADING: trial_pb2.CANDIDATE_STATE_LOADING,
    CandidateState.READY: trial_pb2.CANDIDATE_STATE_READY,
    CandidateState.ERROR: trial_pb2.CANDIDATE_STATE_ERROR,
}
_KIND_VALUES = {
    AdapterKind.LABEL: evaluation_pb2.MODEL_TYPE_NER,
    AdapterKind.CONTROL: evaluation_pb2.MODEL_TYPE_CLASSIFICATION,
    AdapterKind.ASSERTION: evaluation_pb2.MODEL_TYPE_ASSERTION,
}


def trial_of(
    message: registry_service_pb2.WatchDeploymentResponse.TrialUpdate,
) -> Trial | TrialOver:
    """Return what the registry tells of a trial; in one of a mode new to us we take no part."""
    trial, mode = message.trial, _MODES.get(message.trial.mode)
    if mode is None or not message.HasField("candidate"):
        return TrialOver(name=trial.name)
    candidate = replace(deployment_of(message.candidate), trial=trial.name)
    return Trial(
        name=trial.name,
        mode=mode,
        share=trial.share,
        began=trial.create_time.ToMicroseconds(),
        candidate=candidate,
    )


def report_request(report: TrialReport) -> trial_service_pb2.ReportTrialRequest:
    """Return the message of a report."""
    return trial_service_pb2.ReportTrialRequest(
        name=report.trial,
        reporter=report.reporter,
        sequence=report.sequence,
        counts=_counts_message(report.counts),
        candidate_state=_STATES[report.state],
        error_message=report.error_message,
    )


def _counts_message(counts: Counts[AdapterKey]) -> trial_pb2.TrialCounts:
    return trial_pb2.TrialCounts(
        **{name: getattr(counts, name) for name in COUNTS_NUMBERS},
        differences=[
            trial_pb2.AnswerDifference(
                model_type=_KIND_VALUES[kind],
                name=name,
                **{part: getattr(found, part) for part in DIFFERENCE_NUMBERS},
            )
            for (kind, name), found in counts.differences.items()
        ],
    )


def candidate_messages(
    board: TrialBoard, project: str | None
) -> list[serving_state_pb2.TriedCandidate]:
    """Return the candidates on this server as GetServingState tells them."""
    found = []
    for tried in board.all():
        if project not in (None, tried.trial.project):
            continue
        message = serving_state_pb2.TriedCandidate(
            trial=tried.trial.name, paused=board.paused(tried)
        )
        generation = board.generation(tried)
        if generation is not None:
            message.generation.CopyFrom(generation_message(generation))
        found.append(message)
    return found
