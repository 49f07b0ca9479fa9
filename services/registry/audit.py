"""What was done in the registry, by whom. Pure values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class AuditAction(StrEnum):
    """What was done."""

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
class AuditEvent:
    """One change.

    Attributes:
        time: Microseconds UTC.
        actor: Who; empty where an earlier release did.
        action: What.
        resource: Name of what was changed; empty for a retention run.
        version: Name of the model version that it is about, or empty.
        details: More of it.
    """

    time: int
    actor: str
    action: AuditAction
    resource: str = ""
    version: str = ""
    details: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class AuditFilter:
    """Which changes; what is empty or None does not restrict.

    Attributes:
        project: Only of this one.
        resource: Only those of this resource, or about this version.
        start, end: Microseconds UTC; from the one to before the other.
    """

    project: str | None = None
    resource: str = ""
    actions: tuple[AuditAction, ...] = ()
    start: int | None = None
    end: int | None = None

    def takes(self, event: AuditEvent) -> bool:
        """Return whether an event is one of them, whatever its project and time."""
        return (not self.resource or self.resource in (event.resource, event.version)) and (
            not self.actions or event.action in self.actions
        )
