"""Settings of the annotation service."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from services.common.settings import ServiceSettings

KIB = 1024
MIB = 1024 * KIB


class AnnotationSettings(ServiceSettings):
    """What can be set for the annotation service."""

    service_name: ClassVar[str] = "annotation"

    import_max_line_bytes: int = Field(
        default=4 * MIB,
        ge=1 * KIB,
        le=8 * MIB,
        description="Longest line of an imported file; longer ones are refused one by one.",
    )
    import_max_bytes: int = Field(
        default=4 * KIB * MIB,
        ge=1 * MIB,
        description="Largest file that one import takes.",
    )
    import_batch_tasks: int = Field(
        default=500,
        ge=1,
        le=1_000,
        description="Tasks that an import stores in one write: more is faster and takes more "
        "memory.",
    )
    import_stale_seconds: float = Field(
        default=120.0,
        ge=1,
        description="An atomic import that stored no batch for so long is undone: its process is "
        "taken for dead.",
    )
    event_retention_days: float = Field(
        default=90.0,
        gt=0,
        description="How long event streams can be resumed at an event. What was changed stays in "
        "the audit for ever; only written predictions are forgotten.",
    )
    relay_interval_seconds: float = Field(
        default=5.0,
        gt=0,
        description="Time between two looks for events that a crashed or failed writer left "
        "unpublished.",
    )
    watch_poll_seconds: float = Field(
        default=1.0,
        gt=0,
        description="How often an event stream looks for changes made by other processes; those of "
        "this process wake it at once.",
    )
