"""Messages of the registry's governance service."""

from __future__ import annotations

from collections.abc import Iterable

from spanloop._convert import basic
from spanloop._convert.registry import lineage as lineage_from
from spanloop._types import governance as types
from spanloop.registry.v1 import audit_pb2, lineage_pb2, registry_policy_pb2, retention_pb2


def policy(message: registry_policy_pb2.RegistryPolicy) -> types.RegistryPolicy:
    """Return a policy."""
    gate, retention = message.gate, message.retention
    return types.RegistryPolicy(
        name=message.name,
        gate=types.DeployGate(
            split=basic.split_from(gate.split),
            min_micro_f1=gate.min_micro_f1,
            min_label_f1=gate.min_label_f1,
            max_label_regression=gate.max_label_regression
            if gate.HasField("max_label_regression")
            else None,
        )
        if message.HasField("gate")
        else None,
        retention=types.RetentionPolicy(
            keep_last=retention.keep_last,
            max_age=retention.max_age.ToTimedelta() if retention.HasField("max_age") else None,
            keep_revisions=retention.keep_revisions,
        )
        if message.HasField("retention")
        else None,
        etag=message.etag,
        update_time=basic.time_from(message.update_time, message.HasField("update_time")),
        actor=message.actor,
    )


def gate_to(gate: types.DeployGate) -> registry_policy_pb2.DeployGate:
    """Return a gate's message."""
    return registry_policy_pb2.DeployGate(
        split=basic.split_to(gate.split),
        min_micro_f1=gate.min_micro_f1,
        min_label_f1=gate.min_label_f1,
        max_label_regression=gate.max_label_regression,
    )


def retention_to(retention: types.RetentionPolicy) -> registry_policy_pb2.RetentionPolicy:
    """Return a retention policy's message."""
    message = registry_policy_pb2.RetentionPolicy(
        keep_last=retention.keep_last, keep_revisions=retention.keep_revisions
    )
    if retention.max_age is not None:
        message.max_age.FromTimedelta(retention.max_age)
    return message


def item(message: retention_pb2.RetentionItem) -> types.RetentionItem:
    """Return what becomes of one thing."""
    return types.RetentionItem(
        resource=message.resource,
        keep=message.decision != retention_pb2.RETENTION_DECISION_REMOVE,
        reasons=tuple(message.reasons),
        size_bytes=message.size_bytes,
        create_time=basic.time_from(message.create_time, message.HasField("create_time")),
    )


def summary(message: retention_pb2.RetentionSummary) -> types.RetentionSummary:
    """Return what a run did."""
    return types.RetentionSummary(
        applied=message.applied,
        removed_versions=message.removed_versions,
        removed_adapters=message.removed_adapters,
        removed_trunks=message.removed_trunks,
        removed_files=message.removed_files,
        removed_bytes=message.removed_bytes,
        kept_bytes=message.kept_bytes,
    )


def step(message: lineage_pb2.LineageStep) -> types.LineageStep:
    """Return where an adapter comes from."""
    return types.LineageStep(
        label=message.label,
        adapter=message.adapter,
        model_version=message.model_version,
        origin=message.origin,
        lineage=lineage_from(message.lineage) if message.HasField("lineage") else None,
        create_time=basic.time_from(message.create_time, message.HasField("create_time")),
    )


def event(message: audit_pb2.AuditEvent) -> types.AuditEvent:
    """Return a change."""
    return types.AuditEvent(
        time=basic.time_from(message.time, message.HasField("time")),
        actor=message.actor,
        action=basic.enum_from(
            types.AuditAction, audit_pb2.AuditAction, "AUDIT_ACTION_", message.action
        ),
        resource=message.resource,
        model_version=message.model_version,
        details=dict(sorted(message.details.items())),
    )


def actions_to(actions: Iterable[types.AuditAction | str]) -> list[str]:
    """Return actions as wire names."""
    return [f"AUDIT_ACTION_{types.AuditAction(action).name}" for action in actions]
