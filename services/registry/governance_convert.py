"""Policies, retention, lineage, audit: messages ↔ domain values."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from services.common.errors import invalid_field
from services.common.names import WILDCARD, parse_name
from services.common.times import from_timestamp, to_timestamp
from services.common.validate import check_id, check_line, check_mask, check_range
from services.registry.audit import AuditAction, AuditEvent, AuditFilter
from services.registry.convert import adapter_digest_of, lineage_message, version_or_alias
from services.registry.domain import Split
from services.registry.handlers.lineage import Step
from services.registry.handlers.retention import Summary
from services.registry.pointer_convert import project_of_deployment
from services.registry.policy import KEEP_REVISIONS, Gate, Policy, Retention
from services.registry.retention import Item
from spanloop.common.v1 import evaluation_pb2
from spanloop.registry.v1 import audit_pb2, lineage_pb2, registry_policy_pb2, retention_pb2
from spanloop.registry.v1 import governance_service_pb2 as pb

_ACTION_VALUES = {
    AuditAction.REGISTER_TRUNK: audit_pb2.AUDIT_ACTION_REGISTER_TRUNK,
    AuditAction.REGISTER_ADAPTER: audit_pb2.AUDIT_ACTION_REGISTER_ADAPTER,
    AuditAction.CREATE_MODEL_VERSION: audit_pb2.AUDIT_ACTION_CREATE_MODEL_VERSION,
    AuditAction.VERIFY_MODEL_VERSION: audit_pb2.AUDIT_ACTION_VERIFY_MODEL_VERSION,
    AuditAction.RETIRE_MODEL_VERSION: audit_pb2.AUDIT_ACTION_RETIRE_MODEL_VERSION,
    AuditAction.PURGE_MODEL_VERSION: audit_pb2.AUDIT_ACTION_PURGE_MODEL_VERSION,
    AuditAction.DEPLOY: audit_pb2.AUDIT_ACTION_DEPLOY,
    AuditAction.ROLLBACK: audit_pb2.AUDIT_ACTION_ROLLBACK,
    AuditAction.PIN_LABEL: audit_pb2.AUDIT_ACTION_PIN_LABEL,
    AuditAction.UNPIN_LABEL: audit_pb2.AUDIT_ACTION_UNPIN_LABEL,
    AuditAction.SET_MODEL_ALIAS: audit_pb2.AUDIT_ACTION_SET_MODEL_ALIAS,
    AuditAction.DELETE_MODEL_ALIAS: audit_pb2.AUDIT_ACTION_DELETE_MODEL_ALIAS,
    AuditAction.UPDATE_REGISTRY_POLICY: audit_pb2.AUDIT_ACTION_UPDATE_REGISTRY_POLICY,
    AuditAction.RUN_RETENTION: audit_pb2.AUDIT_ACTION_RUN_RETENTION,
    AuditAction.START_TRIAL: audit_pb2.AUDIT_ACTION_START_TRIAL,
    AuditAction.END_TRIAL: audit_pb2.AUDIT_ACTION_END_TRIAL,
    AuditAction.ROLL_BACK_TRIAL: audit_pb2.AUDIT_ACTION_ROLL_BACK_TRIAL,
}
_ACTIONS = {value: action for action, value in _ACTION_VALUES.items()}

FIELDS = ("gate", "retention")
MAX_KEEP_LAST = 10_000
MAX_KEEP_REVISIONS = 1000
_MAX_AGE_SECONDS = 100 * 366 * 86_400

_POLICY = "projects/{project}/registryPolicy"
_SPLITS = {
    evaluation_pb2.SPLIT_UNSPECIFIED: Split.DEV,
    evaluation_pb2.SPLIT_TRAIN: Split.TRAIN,
    evaluation_pb2.SPLIT_DEV: Split.DEV,
    evaluation_pb2.SPLIT_TEST: Split.TEST,
}
_SPLIT_VALUES = {
    Split.TRAIN: evaluation_pb2.SPLIT_TRAIN,
    Split.DEV: evaluation_pb2.SPLIT_DEV,
    Split.TEST: evaluation_pb2.SPLIT_TEST,
}


def project_of_policy(name: str, field: str) -> str:
    """Return the project of a policy's name."""
    return check_id(parse_name(_POLICY, name, field)["project"], field)


def project_or_all(parent: str) -> str | None:
    """Return the project of a ``parent``; None when it is ``projects/-``."""
    project = parse_name("projects/{project}", parent, "parent", wildcard=("project",))["project"]
    return None if project == WILDCARD else check_id(project, "parent")


def update_of(request: pb.UpdateRegistryPolicyRequest) -> tuple[Policy, Sequence[str]]:
    """Return the policy that an update asks for, and which of its fields."""
    message = request.registry_policy
    field = "registry_policy"
    fields = check_mask(request.update_mask.paths, FIELDS)
    return (
        Policy(
            project=project_of_policy(message.name, f"{field}.name"),
            gate=_gate_of(message.gate, f"{field}.gate") if message.HasField("gate") else None,
            retention=_retention_of(message.retention, f"{field}.retention")
            if message.HasField("retention")
            else None,
            etag=message.etag,
        ),
        fields,
    )


def _gate_of(message: registry_policy_pb2.DeployGate, field: str) -> Gate:
    split = _SPLITS.get(message.split)
    if split is None:
        raise invalid_field(f"{field}.split", "must be a known split.")
    loss: float | None = None
    if message.HasField("max_label_regression"):
        loss = check_range(message.max_label_regression, f"{field}.max_label_regression", 0, 1)
    return Gate(
        split=split,
        min_micro_f1=check_range(message.min_micro_f1, f"{field}.min_micro_f1", 0, 1),
        min_label_f1=check_range(message.min_label_f1, f"{field}.min_label_f1", 0, 1),
        max_label_regression=loss,
    )


def _retention_of(message: registry_policy_pb2.RetentionPolicy, field: str) -> Retention:
    age: int | None = None
    if message.HasField("max_age"):
        seconds = message.max_age.seconds + message.max_age.nanos / 1e9
        check_range(seconds, f"{field}.max_age", 1, _MAX_AGE_SECONDS)
        age = round(seconds * 1e6)
    revisions = message.keep_revisions or KEEP_REVISIONS
    return Retention(
        keep_last=check_range(message.keep_last, f"{field}.keep_last", 1, MAX_KEEP_LAST),
        max_age=age,
        keep_revisions=check_range(revisions, f"{field}.keep_revisions", 1, MAX_KEEP_REVISIONS),
    )


def policy_message(policy: Policy) -> registry_policy_pb2.RegistryPolicy:
    """Return the message of a policy."""
    message = registry_policy_pb2.RegistryPolicy(
        name=policy.name, etag=policy.etag, actor=policy.actor
    )
    if policy.update_time is not None:
        message.update_time.CopyFrom(to_timestamp(policy.update_time))
    if (gate := policy.gate) is not None:
        message.gate.CopyFrom(
            registry_policy_pb2.DeployGate(
                split=_SPLIT_VALUES[gate.split],
                min_micro_f1=gate.min_micro_f1,
                min_label_f1=gate.min_label_f1,
                max_label_regression=gate.max_label_regression,
            )
        )
    if (rules := policy.retention) is not None:
        message.retention.keep_last = rules.keep_last
        message.retention.keep_revisions = rules.keep_revisions
        if rules.max_age is not None:
            message.retention.max_age.FromMicroseconds(rules.max_age)
    return message


def item_message(item: Item) -> retention_pb2.RetentionItem:
    """Return the message of a decision."""
    return retention_pb2.RetentionItem(
        resource=item.resource,
        decision=retention_pb2.RETENTION_DECISION_KEEP
        if item.keep
        else retention_pb2.RETENTION_DECISION_REMOVE,
        reasons=item.reasons,
        size_bytes=item.size,
        create_time=to_timestamp(item.create_time),
    )


def summary_message(summary: Summary) -> retention_pb2.RetentionSummary:
    """Return the message of what a run did."""
    return retention_pb2.RetentionSummary(
        applied=summary.applied,
        removed_versions=summary.versions,
        removed_adapters=summary.adapters,
        removed_trunks=summary.trunks,
        removed_files=summary.files,
        removed_bytes=summary.removed_bytes,
        kept_bytes=summary.kept_bytes,
    )


@dataclass(frozen=True)
class AdapterDigest:
    """The lineage of an adapter is asked for."""

    digest: str


@dataclass(frozen=True)
class RevisionOf:
    """The lineage of a deployment is asked for; None: of its newest revision."""

    project: str
    revision: int | None


@dataclass(frozen=True)
class VersionOf:
    """The lineage of a version or alias is asked for."""

    project: str
    version: str


def lineage_of(name: str) -> AdapterDigest | RevisionOf | VersionOf:
    """Return what the lineage is asked of."""
    if name.startswith("adapters/"):
        return AdapterDigest(adapter_digest_of(name))
    if name.endswith("/deployment"):
        return RevisionOf(project_of_deployment(name), None)
    if "/deployment/revisions/" in name:
        parts = parse_name("projects/{project}/deployment/revisions/{revision}", name)
        if not re.fullmatch(r"[1-9][0-9]{0,17}", parts["revision"], re.ASCII):
            raise invalid_field("name", "must end with the number of a revision.")
        return RevisionOf(check_id(parts["project"], "name"), int(parts["revision"]))
    return VersionOf(*version_or_alias(name, "name"))


def step_message(step: Step) -> lineage_pb2.LineageStep:
    """Return the message of where an adapter comes from."""
    message = lineage_pb2.LineageStep(
        label=step.label,
        adapter=step.adapter,
        model_version=step.version.name if step.version else "",
    )
    if step.origin is not None:
        message.origin = step.origin.name
        message.lineage.CopyFrom(lineage_message(step.origin.lineage))
        message.create_time.CopyFrom(to_timestamp(step.origin.create_time))
    return message


def audit_filter_of(request: pb.ListAuditEventsRequest) -> AuditFilter:
    """Return which changes a list is to hold."""
    if any(action not in _ACTIONS for action in request.actions):
        raise invalid_field("actions", "must hold known actions only.")
    return AuditFilter(
        project=project_or_all(request.parent),
        resource=check_line(request.resource, "resource", 0, 500),
        actions=tuple(sorted({_ACTIONS[action] for action in request.actions})),
        start=from_timestamp(request.start_time, "start_time")
        if request.HasField("start_time")
        else None,
        end=from_timestamp(request.end_time, "end_time") if request.HasField("end_time") else None,
    )


def event_message(event: AuditEvent) -> audit_pb2.AuditEvent:
    """Return the message of a change."""
    return audit_pb2.AuditEvent(
        time=to_timestamp(event.time),
        actor=event.actor,
        action=_ACTION_VALUES[event.action],
        resource=event.resource,
        model_version=event.version,
        details=event.details,
    )
