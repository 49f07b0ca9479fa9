"""Keeps large jobs from starving behind small ones.

A job that does not fit now, but would on an empty worker, is passed by younger and smaller jobs for
a bounded time only. Then one worker, the one with the smallest id of those large enough, takes
nothing else until the job fits. Waiting is measured on the process's own steady clock, so that no
jump of the wall clock shortens or lengthens it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from services.common.clock import Clock
from services.trainer.domain import Resources, TrainingJob
from services.trainer.resources.directory import WorkerEntry
from services.trainer.resources.slots import fits, needed


@dataclass(frozen=True, kw_only=True)
class Room:
    """What a worker offers when it looks for a job.

    Attributes:
        free: What is free.
        holds_back: Asked about the oldest waiting job of each project: whether, from its project's
            turn on, nothing is to be taken until it fits.
    """

    free: Resources
    holds_back: Callable[[TrainingJob], bool]


class Reservations:
    """Decides for one worker when to hold back."""

    def __init__(
        self,
        worker_id: str,
        clock: Clock,
        workers: Callable[[], Sequence[WorkerEntry]],
        *,
        after_seconds: float,
    ) -> None:
        """Hold back for jobs that were passed by for `after_seconds`.

        Args:
            worker_id: This worker.
            clock: The steady clock.
            workers: The live workers as known last.
            after_seconds: How long a job may be passed by.
        """
        self._worker_id = worker_id
        self._clock = clock
        self._workers = workers
        self._after_seconds = after_seconds
        self._passed_since: dict[str, float] = {}

    def room(self, free: Resources, capacity: Resources) -> Room:
        """Return what is offered now."""
        known, self._passed_since = self._passed_since, {}

        def holds_back(job: TrainingJob) -> bool:
            need = needed(job.resources)
            if fits(need, free) or not fits(need, capacity) or not self._chosen(need):
                return False
            now = self._clock.monotonic()
            # Only jobs that still do not fit are remembered.
            since = self._passed_since[job.id] = known.get(job.id, now)
            return now - since >= self._after_seconds

        return Room(free=free, holds_back=holds_back)

    def _chosen(self, need: Resources) -> bool:
        large = [worker.id for worker in self._workers() if fits(need, worker.capacity)]
        return min(large, default=self._worker_id) == self._worker_id
