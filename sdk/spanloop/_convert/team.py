"""Messages of members, history, selection, agreement, labelling configs and rules."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from google.protobuf.json_format import MessageToDict, ParseDict, ParseError

from spanloop._convert import annotation, basic
from spanloop._types import annotation as base
from spanloop._types import team as types
from spanloop.annotation.v1 import (
    agreement_service_pb2,
    annotation_service_pb2,
    event_pb2,
    history_service_pb2,
    labeling_service_pb2,
    member_service_pb2,
    project_pb2,
    rule_service_pb2,
    selection_pb2,
    task_pb2,
)
from spanloop.errors import ConfigurationError


def filter_to(value: types.TaskFilter | None) -> selection_pb2.TaskFilter | None:
    """Return a filter as a message; None means all tasks."""
    if value is None:
        return None
    message = selection_pb2.TaskFilter(
        statuses=annotation.statuses_to(value.statuses),
        tags_any=value.tags_any,
        tags_all=value.tags_all,
        tags_none=value.tags_none,
        labels_any=value.labels_any,
        labels_all=value.labels_all,
        authors=value.authors,
        text_regex=value.text_regex,
        in_snapshot=value.in_snapshot,
        not_in_snapshot=value.not_in_snapshot,
        ground_truth=value.ground_truth,
    )
    for name in ("created_from", "created_before", "updated_from", "updated_before"):
        time = getattr(value, name)
        if time is not None:
            getattr(message, name).FromDatetime(time)
    return message


def selection_to(value: types.Selection | None) -> selection_pb2.Selection | None:
    """Return a selection as a message; None leaves it to the project."""
    if value is None:
        return None
    return selection_pb2.Selection(
        filter=filter_to(value.filter),
        reviewed_only=value.reviewed_only,
        tie_break=annotation.tie_break_to(value.tie_break),
    )


def selection_from(message: selection_pb2.Selection) -> types.Selection:
    """Return a selection."""
    found = message.filter
    times = {
        name: basic.time_from(getattr(found, name), found.HasField(name))
        for name in ("created_from", "created_before", "updated_from", "updated_before")
    }
    return types.Selection(
        filter=types.TaskFilter(
            statuses=tuple(
                basic.enum_from(base.TaskStatus, task_pb2.TaskStatus, "TASK_STATUS_", status)
                for status in found.statuses
            ),
            tags_any=tuple(found.tags_any),
            tags_all=tuple(found.tags_all),
            tags_none=tuple(found.tags_none),
            labels_any=tuple(found.labels_any),
            labels_all=tuple(found.labels_all),
            authors=tuple(found.authors),
            text_regex=found.text_regex,
            in_snapshot=found.in_snapshot,
            not_in_snapshot=found.not_in_snapshot,
            ground_truth=found.ground_truth,
            **times,
        ),
        reviewed_only=message.reviewed_only,
        tie_break=basic.enum_from(
            base.TieBreak, project_pb2.TieBreak, "TIE_BREAK_", message.tie_break
        )
        if message.tie_break
        else None,
    )


def decision(message: selection_pb2.TaskDecision) -> types.TaskDecision:
    """Return what a selection says about a task."""
    return types.TaskDecision(
        task=message.task,
        taken=message.taken,
        completions=tuple(
            types.CompletionDecision(
                completion=one.completion,
                author=one.author,
                taken=one.taken,
                reason=_short(selection_pb2.SelectionReason, "SELECTION_REASON_", one.reason),
            )
            for one in message.completions
        ),
    )


def difference(message: annotation_service_pb2.SnapshotDifference) -> types.SnapshotDifference:
    """Return what is different about a task."""
    return types.SnapshotDifference(
        task=message.task,
        change=_short(
            annotation_service_pb2.SnapshotChange, "SNAPSHOT_CHANGE_", message.change
        ).lower(),
        base=annotation.example(message.base) if message.HasField("base") else None,
        target=annotation.example(message.target) if message.HasField("target") else None,
    )


def diff(
    summary: annotation_service_pb2.SnapshotDiffSummary,
    differences: Iterable[types.SnapshotDifference],
) -> types.SnapshotDiff:
    """Return a comparison."""
    return types.SnapshotDiff(
        added=summary.added,
        removed=summary.removed,
        changed=summary.changed,
        unchanged=summary.unchanged,
        added_labels=tuple(summary.added_labels),
        removed_labels=tuple(summary.removed_labels),
        differences=tuple(differences),
    )


def member(message: member_service_pb2.Member) -> types.Member:
    """Return a member."""
    return types.Member(
        name=message.name,
        user=message.user,
        roles=tuple(
            basic.enum_from(types.Role, member_service_pb2.Role, "ROLE_", role)
            for role in message.roles
        ),
        priority=message.priority,
        etag=message.etag,
        create_time=basic.time_from(message.create_time, message.HasField("create_time")),
        update_time=basic.time_from(message.update_time, message.HasField("update_time")),
    )


def roles_to(roles: Iterable[types.Role | str]) -> list[str]:
    """Return roles as wire names."""
    return [f"ROLE_{types.Role(role).name}" for role in roles]


def access_token(message: member_service_pb2.AccessToken, secret: str = "") -> types.AccessToken:
    """Return an access token."""
    return types.AccessToken(
        name=message.name,
        display_name=message.display_name,
        create_time=basic.time_from(message.create_time, message.HasField("create_time")),
        expire_time=basic.time_from(message.expire_time, message.HasField("expire_time")),
        secret=secret,
    )


def revision(message: history_service_pb2.Revision) -> types.Revision:
    """Return an earlier state."""
    return types.Revision(
        version=message.version,
        ended_by=basic.enum_from(
            base.EventType, event_pb2.EventType, "EVENT_TYPE_", message.ended_by
        ),
        actor=message.actor,
        end_time=basic.time_from(message.end_time, message.HasField("end_time")),
        completion=annotation.completion(message.completion)
        if message.HasField("completion")
        else None,
        task=annotation.task(message.task) if message.HasField("task") else None,
    )


def validated(
    message: labeling_service_pb2.ValidateLabelingConfigResponse,
) -> types.ValidatedConfig:
    """Return what a labelling config says."""
    return types.ValidatedConfig(
        problems=tuple(
            types.ConfigProblem(
                line=one.line,
                column=one.column,
                severity=_short(
                    labeling_service_pb2.LabelingProblem.Severity, "SEVERITY_", one.severity
                ).lower(),
                code=one.code,
                message=one.message,
            )
            for one in message.problems
        ),
        labels=tuple(message.labels),
        assertion_labels=tuple(message.assertion_labels),
        choices=tuple(message.choices),
        trained_choices=message.trained_choices,
    )


def agreement(message: agreement_service_pb2.ComputeAgreementResponse) -> types.Agreement:
    """Return how far annotators agree."""
    return types.Agreement(
        authors=tuple(message.authors),
        overall=_summary(message.overall),
        labels=tuple(map(_summary, message.labels)),
        choices=tuple(map(_summary, message.choices)),
    )


def _summary(message: agreement_service_pb2.AgreementSummary) -> types.AgreementSummary:
    spans = message.HasField("exact_f1")
    return types.AgreementSummary(
        target=message.target,
        tasks=message.tasks,
        spans=message.spans,
        annotators=message.annotators,
        exact_f1=_measure(message.exact_f1) if spans else None,
        overlap_f1=_measure(message.overlap_f1) if spans else None,
        cohen_kappa=_measure(message.cohen_kappa),
        fleiss_kappa=_measure(message.fleiss_kappa),
        krippendorff_alpha=_measure(message.krippendorff_alpha),
        pairs=tuple(
            types.PairAgreement(
                first=one.first,
                second=one.second,
                tasks=one.tasks,
                spans=one.spans,
                exact_f1=_measure(one.exact_f1) if spans else None,
                overlap_f1=_measure(one.overlap_f1) if spans else None,
                cohen_kappa=_measure(one.cohen_kappa),
            )
            for one in message.pairs
        ),
    )


def _measure(message: agreement_service_pb2.AgreementMeasure) -> types.Measure:
    return types.Measure(
        value=message.value if message.HasField("value") else None,
        undefined_reason=message.undefined_reason,
    )


def rule_set(message: rule_service_pb2.RuleSet) -> types.RuleSet:
    """Return a rule set."""
    return types.RuleSet(
        name=message.name,
        display_name=message.display_name,
        rules=tuple(MessageToDict(one, preserving_proto_field_name=True) for one in message.rules),
        revision=message.revision,
        etag=message.etag,
        create_time=basic.time_from(message.create_time, message.HasField("create_time")),
        update_time=basic.time_from(message.update_time, message.HasField("update_time")),
    )


def rules_to(rules: Iterable[Mapping[str, Any]]) -> list[rule_service_pb2.Rule]:
    """Return rules as messages.

    Raises:
        ConfigurationError: When one has not the form of the contract.
    """
    found = []
    for place, rule in enumerate(rules):
        try:
            found.append(ParseDict(dict(rule), rule_service_pb2.Rule()))
        except ParseError as error:
            said = " ".join(str(error).split())
            raise ConfigurationError(f"rules[{place}]: {said}") from None
    return found


def progress(message: rule_service_pb2.ApplyRuleSetResponse) -> types.RuleProgress:
    """Return how far applying rules is."""
    return types.RuleProgress(
        generation=message.generation,
        tasks=message.tasks,
        written=message.written,
        unchanged=message.unchanged,
        spans=message.spans,
    )


def _short(wrapper: basic.EnumWrapper, prefix: str, number: int) -> str:
    try:
        return wrapper.Name(number).removeprefix(prefix)
    except ValueError:
        return "UNSPECIFIED"
