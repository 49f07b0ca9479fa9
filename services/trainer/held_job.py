"""A job under this process's lease: its newest view, and its writes in order."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any

from services.trainer.documents import (
    baseline_value,
    epochs_value,
    evaluation_value,
    failure_value,
)
from services.trainer.domain import (
    Baseline,
    EpochMetrics,
    Failure,
    Progress,
    SplitEvaluation,
    TrainingJob,
    TrunkPrecision,
)
from services.trainer.job_queue import JobQueue
from services.trainer.job_state import JobEvent


class HeldJob:
    """Collects what changes often and writes it now and then; writes moves of state at once.

    All writing methods raise AbortedError (LEASE_LOST) when another attempt has taken over.
    """

    def __init__(self, job: TrainingJob, queue: JobQueue, on_change: Callable[[str], None]) -> None:
        """Hold a job that was just claimed; `on_change` is told its id after each visible write."""
        self._job = job
        self._queue = queue
        self._on_change = on_change
        self._pending: dict[str, Any] = {}
        self._writing = asyncio.Lock()

    @property
    def job(self) -> TrainingJob:
        """The job as it is known here."""
        return self._job

    def show_progress(self, progress: Progress) -> None:
        """Note progress; its fraction never falls within an attempt."""
        fraction = max(progress.fraction, self._job.progress.fraction)
        self._note(replace(self._job, progress=replace(progress, fraction=fraction)), "progress")

    def show_epoch(self, metrics: EpochMetrics) -> None:
        """Note a pass; one that was trained again after a lost worker replaces the first."""
        earlier = tuple(epoch for epoch in self._job.epochs if epoch.epoch < metrics.epoch)
        self._note(replace(self._job, epochs=(*earlier, metrics)), "epochs")

    def add_warning(self, message: str) -> None:
        """Note a remark, once."""
        if message not in self._job.warnings:
            warnings = (*self._job.warnings, message)
            self._note(replace(self._job, warnings=warnings), "warnings")

    def choose_precision(self, precision: TrunkPrecision) -> None:
        """Note in which precision the trunk is read, for this attempt and later ones."""
        self._note(replace(self._job, trunk_precision=precision), "trunk_precision")

    def add_timing(self, part: str, seconds: float) -> None:
        """Note a finished part."""
        self._note(replace(self._job, timings=self._job.timings.plus(part, seconds)), "timings")

    async def flush(self) -> None:
        """Write what was noted."""
        async with self._writing:
            if self._pending:
                changes, self._pending = self._pending, {}
                try:
                    self._take(await self._queue.write(self._job, changes))
                except BaseException:
                    self._pending = {**changes, **self._pending}
                    raise

    async def heartbeat(self) -> TrainingJob:
        """Extend the lease."""
        async with self._writing:
            self._take(await self._queue.heartbeat(self._job), visible=False)
        return self._job

    async def look(self) -> TrainingJob:
        """Read the job, without a write; what is known here stays as it is."""
        return await self._queue.look(self._job)

    async def commit(self) -> bool:
        """Pass the point after which the job cannot be cancelled; False when it is cancelled."""
        async with self._writing:
            after = await self._queue.commit(self._job)
            if after is not None:
                self._take(after, visible=False)
        return after is not None

    async def advance(
        self,
        event: JobEvent,
        *,
        evaluation: tuple[SplitEvaluation, ...] | None = None,
        baseline: Baseline | None = None,
        model_version: str = "",
        failure: Failure | None = None,
    ) -> None:
        """Move the job, together with all that was noted."""
        async with self._writing:
            noted, self._pending = self._pending, {}
            changes = dict(noted)
            if evaluation is not None:
                changes["evaluation"] = evaluation_value(evaluation)
            if baseline is not None:
                changes["baseline"] = baseline_value(baseline)
            if model_version:
                changes["model_version"] = model_version
            if failure is not None:
                changes["failure"] = failure_value(failure)
            try:
                self._take(await self._queue.advance(self._job, event, changes))
            except BaseException:
                self._pending = {**noted, **self._pending}
                raise

    async def give_back(self, *, consume_attempt: bool) -> TrainingJob:
        """Put the job back into the queue."""
        async with self._writing:
            self._take(await self._queue.give_back(self._job, consume_attempt=consume_attempt))
        return self._job

    def _note(self, job: TrainingJob, field: str) -> None:
        self._job = job
        value = getattr(job, field)
        match field:
            case "epochs":
                self._pending[field] = epochs_value(value)
            case "warnings":
                self._pending[field] = list(value)
            case _:
                self._pending[field] = asdict(value)

    def _take(self, stored: TrainingJob, *, visible: bool = True) -> None:
        # What was noted since, or is not written yet, is newer here than in the store.
        newer = {name: getattr(self._job, name) for name in self._pending}
        self._job = replace(stored, **newer)
        if visible:
            self._on_change(stored.id)
