"""Policies, retention, lineage and audit of the registry."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from spanloop._types.choice import Choice
from spanloop._types.registry import Lineage
from spanloop._types.text import Split


class AuditAction(Choice):
    """What was done in the registry."""

    UNSPECIFIED = "unspecified"
    REGISTER_TRUNK = "register_trunk"
    REGISTER_ADAPTER = "register_adapter"
    CREATE_MODEL_VERSION = "create_model_version"
    VERIFY_MODEL_VERSION = "verify_model_version"
    RETIRE_MODEL_VERSION = "retire_model_version"
    PURGE_MODEL_VERSION = "purge_model_version"
    DEPLOY = "deploy"
    ROLLBACK = "rollback"
    PIN_LABEL = "pin_label"
    UNPIN_LABEL = "unpin_label"
    SET_MODEL_ALIAS = "set_model_alias"
    DELETE_MODEL_ALIAS = "delete_model_alias"
    UPDATE_REGISTRY_POLICY = "update_registry_policy"
    RUN_RETENTION = "run_retention"
    START_TRIAL = "start_trial"
    END_TRIAL = "end_trial"
    ROLL_BACK_TRIAL = "roll_back_trial"


@dataclass(frozen=True, kw_only=True)
class DeployGate:
    """What a version must show to be deployed; 0 and None ask for nothing."""

    split: Split = Split.DEV
    min_micro_f1: float = 0.0
    min_label_f1: float = 0.0
    max_label_regression: float | None = None


@dataclass(frozen=True, kw_only=True)
class RetentionPolicy:
    """Which versions keep their artifacts, besides those that something points at."""

    keep_last: int
    max_age: timedelta | None = None
    keep_revisions: int = 10


@dataclass(frozen=True, kw_only=True)
class RegistryPolicy:
    """What the registry asks of a project's versions, and how long it keeps them.

    No `gate`: whatever is READY may be deployed. No `retention`: all versions are kept.
    """

    name: str
    gate: DeployGate | None
    retention: RetentionPolicy | None
    etag: str
    update_time: datetime | None
    actor: str


@dataclass(frozen=True, kw_only=True)
class RetentionItem:
    """What becomes of one version, adapter, trunk or file: whether it is kept, and why."""

    resource: str
    keep: bool
    reasons: tuple[str, ...]
    size_bytes: int
    create_time: datetime | None


@dataclass(frozen=True, kw_only=True)
class RetentionSummary:
    """What a run of the retention did, or would do unless `applied`."""

    applied: bool
    removed_versions: int
    removed_adapters: int
    removed_trunks: int
    removed_files: int
    removed_bytes: int
    kept_bytes: int


@dataclass(frozen=True, kw_only=True)
class LineageStep:
    """Where one adapter comes from.

    `origin` is the first version that has it, the one that its training made; versions that only
    took it over say nothing about its data. Empty when no version has it.
    """

    label: str
    adapter: str
    model_version: str
    origin: str
    lineage: Lineage | None
    create_time: datetime | None


@dataclass(frozen=True, kw_only=True)
class AuditEvent:
    """One change in the registry; `actor` is a user or `system`."""

    time: datetime | None
    actor: str
    action: AuditAction
    resource: str
    model_version: str
    details: Mapping[str, str]
