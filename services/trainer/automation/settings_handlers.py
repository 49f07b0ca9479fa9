"""Reading and changing how a project trains."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from services.common.clock import Clock
from services.common.errors import (
    FailedPreconditionError,
    Reason,
    etag_mismatch,
    invalid_field,
)
from services.common.names import parse_name
from services.common.watch import Signal
from services.trainer.automation.policy_state import LearningState, LearningStates
from services.trainer.automation.settings import Policy, Settings
from services.trainer.automation.settings_repository import SettingsRepository
from services.trainer.planning import Planner
from services.trainer.repository import JobRepository

SETTINGS = "projects/{project}/trainingSettings"
STATE = "projects/{project}/activeLearningState"
POLICIES_KEY = "policies"
"""Signal key of what the runner of policies waits for."""

_FIELDS = ("versioning_disabled", "active_learning", "gate")
_MAX_COMPLETIONS = 1_000_000
_MIN_INTERVAL = 1_000_000
_MAX_INTERVAL = 366 * 24 * 3600 * 1_000_000


class SettingsHandlers:
    """Training settings and where active learning stands."""

    def __init__(
        self,
        settings: SettingsRepository,
        states: LearningStates,
        jobs: JobRepository,
        planner: Planner,
        signal: Signal,
        clock: Clock,
    ) -> None:
        """Work with these parts."""
        self._settings = settings
        self._states = states
        self._jobs = jobs
        self._planner = planner
        self._signal = signal
        self._clock = clock

    async def get(self, name: str) -> Settings:
        """Return a project's settings."""
        return await self._settings.get(parse_name(SETTINGS, name)["project"])

    async def update(self, name: str, wanted: Settings, etag: str, mask: Sequence[str]) -> Settings:
        """Change a project's settings.

        A job keeps the versioning that it was created under, so one that is created while this
        runs ends in a consistent place, whichever was first.

        Args:
            name: Of the settings.
            wanted: The new values.
            etag: As sent; empty: whatever it is.
            mask: Fields to change; empty: all.

        Raises:
            InvalidArgumentError: A field is out of bounds, or unknown.
            AbortedError: ETAG_MISMATCH.
            FailedPreconditionError: STATE_CONFLICT: versioning changes while a job is live.
        """
        project = parse_name(SETTINGS, name, "training_settings.name")["project"]
        for index, path in enumerate(mask):
            if path not in _FIELDS:
                raise invalid_field(
                    f"update_mask.paths[{index}]", f"must be one of {', '.join(_FIELDS)}."
                )
        before = await self._settings.get(project)
        if etag and etag != before.etag:
            raise etag_mismatch(before.name)
        after = _changed(before, wanted, mask or _FIELDS)
        self._check(after)
        if after.versioning_disabled != before.versioning_disabled and await self._jobs.has_live(
            project
        ):
            raise FailedPreconditionError(
                Reason.STATE_CONFLICT,
                f"{name}: versioning_disabled cannot change while a training job of the project is "
                "live: wait for it or cancel it.",
                metadata={"resource": name, "field": "training_settings.versioning_disabled"},
            )
        stored = await self._settings.replace(
            before, replace(after, project=project, update_time=self._clock.now())
        )
        self._signal.notify(POLICIES_KEY)
        return stored

    async def state(self, name: str) -> LearningState:
        """Return where a project's active learning stands."""
        state, _ = await self._states.get(parse_name(STATE, name)["project"])
        return state

    def _check(self, settings: Settings) -> None:
        for field, value in (
            ("min_micro_f1", settings.gate.min_micro_f1),
            ("max_label_regression", settings.gate.max_label_regression),
        ):
            if not (math.isfinite(value) and 0 <= value <= 1):
                raise invalid_field(f"training_settings.gate.{field}", "must be from 0 to 1.")
        self._check_policy(settings.policy)

    def _check_policy(self, policy: Policy) -> None:
        field = "training_settings.active_learning"
        if not 1 <= policy.min_new_completions <= _MAX_COMPLETIONS:
            raise invalid_field(
                f"{field}.min_new_completions", f"must be from 1 to {_MAX_COMPLETIONS:,}."
            )
        if policy.max_interval and not _MIN_INTERVAL <= policy.max_interval <= _MAX_INTERVAL:
            raise invalid_field(f"{field}.max_interval", "must be from one second to 366 days.")
        template = policy.template
        self._planner.check(template, f"{field}.template")
        for name in ("labels", "control"):
            if policy.model_type is None and getattr(template, name):
                raise invalid_field(
                    f"{field}.template.{name}", "needs a model_type: otherwise all are trained."
                )


def _changed(before: Settings, wanted: Settings, fields: Sequence[str]) -> Settings:
    after = before
    if "versioning_disabled" in fields:
        after = replace(after, versioning_disabled=wanted.versioning_disabled)
    if "active_learning" in fields:
        after = replace(after, policy=wanted.policy)
    if "gate" in fields:
        after = replace(after, gate=wanted.gate)
    return after
