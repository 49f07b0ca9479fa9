"""What a new job takes of a worker, and whether any worker has it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from services.common.errors import FailedPreconditionError, Reason, invalid_field
from services.trainer.domain import Resources
from services.trainer.resources.directory import WorkerDirectory, WorkerEntry, largest
from services.trainer.resources.slots import fits, needed

EngineDefault: TypeAlias = Callable[[str], Resources]
"""From an engine's name to what a job of it takes unless it says otherwise."""

_GIB = 1024**3


class Admission:
    """Decides what jobs take."""

    def __init__(self, directory: WorkerDirectory, default_of: EngineDefault) -> None:
        """Know the workers, and the engines' defaults."""
        self._directory = directory
        self._default_of = default_of

    async def admit(self, asked: Resources, engine: str) -> Resources:
        """Return what a job takes.

        Raises:
            InvalidArgumentError: An amount is negative.
            FailedPreconditionError: RESOURCES_INSUFFICIENT: workers are known, and none is large
                enough. While none is known the job waits.
        """
        for name in ("cpu", "gpu", "memory_bytes"):
            if getattr(asked, name) < 0:
                raise invalid_field(f"training_job.resources.{name}", "must not be negative.")
        workers = await self._directory.live()
        default = self._default_of(engine)
        if workers:
            default = _at_most(default, largest(workers))
        need = needed(asked, default)
        if workers and not fits_any(need, workers):
            raise FailedPreconditionError(
                Reason.RESOURCES_INSUFFICIENT,
                f"No worker is large enough: {too_large(need, workers)} Ask for less in "
                "`resources`, or start a larger worker.",
                metadata={
                    "cpu": str(need.cpu),
                    "gpu": str(need.gpu),
                    "memory_bytes": str(need.memory_bytes),
                },
            )
        return need


def fits_any(need: Resources, workers: Sequence[WorkerEntry]) -> bool:
    """Whether a worker would have room for a job if nothing ran on it."""
    return any(fits(need, worker.capacity) for worker in workers)


def too_large(need: Resources, workers: Sequence[WorkerEntry]) -> str:
    """Return a sentence that compares a job with the workers."""
    if not workers:
        return "no worker is alive; start a trainer whose setting `workers` is at least 1."
    most = largest(workers)
    return f"the job takes {_described(need)}; the most that any worker has is {_described(most)}."


def _described(resources: Resources) -> str:
    memory = f"{resources.memory_bytes / _GIB:.1f} GiB of memory"
    return f"{resources.cpu} CPU, {resources.gpu} GPU and {memory}"


def _at_most(default: Resources, most: Resources) -> Resources:
    """Return a default that nobody asked for, cut to what there is: it must not forbid a job."""
    return Resources(
        cpu=max(min(default.cpu, most.cpu), 1),
        gpu=min(default.gpu, most.gpu),
        memory_bytes=min(default.memory_bytes, most.memory_bytes),
    )
