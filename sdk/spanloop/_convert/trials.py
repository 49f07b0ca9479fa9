"""Messages of the registry's trial service."""

from __future__ import annotations

from spanloop._convert import basic
from spanloop._types import trials as types
from spanloop.registry.v1 import trial_pb2


def trial(message: trial_pb2.Trial) -> types.Trial:
    """Return a trial."""
    return types.Trial(
        name=message.name,
        model_version=message.model_version,
        mode=basic.enum_from(types.TrialMode, trial_pb2.TrialMode, "TRIAL_MODE_", message.mode),
        share=message.share,
        limits=_limits(message.limits),
        state=basic.enum_from(
            types.TrialState, trial_pb2.TrialState, "TRIAL_STATE_", message.state
        ),
        reason=message.reason,
        counts=_counts(message.counts),
        reporters=tuple(map(_reporter, message.reporters)),
        deployment_revision=message.deployment_revision,
        promoted_revision=message.promoted_revision,
        etag=message.etag,
        create_time=basic.time_from(message.create_time, message.HasField("create_time")),
        end_time=basic.time_from(message.end_time, message.HasField("end_time")),
        actor=message.actor,
        end_actor=message.end_actor,
    )


def mode_to(mode: types.TrialMode | str) -> str:
    """Return a mode's wire name."""
    return f"TRIAL_MODE_{types.TrialMode(mode).name}"


def limits_to(limits: types.TrialLimits) -> trial_pb2.TrialLimits:
    """Return the message of limits."""
    return trial_pb2.TrialLimits(
        min_requests=limits.min_requests,
        max_error_rate=limits.max_error_rate,
        max_disagreement_rate=limits.max_disagreement_rate,
    )


def _limits(message: trial_pb2.TrialLimits) -> types.TrialLimits:
    return types.TrialLimits(
        min_requests=message.min_requests,
        max_error_rate=message.max_error_rate if message.HasField("max_error_rate") else None,
        max_disagreement_rate=message.max_disagreement_rate
        if message.HasField("max_disagreement_rate")
        else None,
    )


def _counts(message: trial_pb2.TrialCounts) -> types.TrialCounts:
    return types.TrialCounts(
        requests=message.requests,
        errors=message.errors,
        compared_requests=message.compared_requests,
        compared_texts=message.compared_texts,
        differing_texts=message.differing_texts,
        skipped_requests=message.skipped_requests,
        dropped_requests=message.dropped_requests,
        differences=tuple(
            types.AnswerDifference(
                model_type=basic.model_type_from(one.model_type),
                name=one.name,
                served=one.served,
                added=one.added,
                missing=one.missing,
                changed=one.changed,
            )
            for one in message.differences
        ),
    )


def _reporter(message: trial_pb2.TrialReporter) -> types.TrialReporter:
    return types.TrialReporter(
        reporter=message.reporter,
        candidate_state=basic.enum_from(
            types.CandidateState,
            trial_pb2.CandidateState,
            "CANDIDATE_STATE_",
            message.candidate_state,
        ),
        error_message=message.error_message,
        report_time=basic.time_from(message.report_time, message.HasField("report_time")),
    )
