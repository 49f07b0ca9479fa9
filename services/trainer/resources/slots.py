"""The slots of one worker: what is free, and what each of its jobs was given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from services.trainer.domain import Resources

LEAST = Resources(cpu=1)
"""What a job takes when neither it nor its engine says more."""


@dataclass(frozen=True, kw_only=True)
class Grant:
    """What a job was given.

    Attributes:
        resources: The slots.
        gpus: Numbers of its graphics processors among those of the worker.
        threads: Threads to compute with; 0: as many as there are cores.
    """

    resources: Resources
    gpus: tuple[int, ...] = ()
    threads: int = 0

    def environment(self, environment: Mapping[str, str]) -> dict[str, str]:
        """Return the variables that keep a process to its graphics processors."""
        visible = environment.get("CUDA_VISIBLE_DEVICES")
        names = [name.strip() for name in visible.split(",")] if visible else []
        # What the operator left visible is counted from 0 again.
        shown = [names[gpu] if gpu < len(names) else str(gpu) for gpu in self.gpus]
        return {"CUDA_VISIBLE_DEVICES": ",".join(shown)}


def needed(asked: Resources, default: Resources = LEAST) -> Resources:
    """Return what a job takes: of what it does not say, the default."""
    return Resources(
        cpu=asked.cpu or default.cpu,
        gpu=asked.gpu or default.gpu,
        memory_bytes=asked.memory_bytes or default.memory_bytes,
    )


def fits(need: Resources, room: Resources) -> bool:
    """Whether what a job takes is there."""
    return need.cpu <= room.cpu and need.gpu <= room.gpu and need.memory_bytes <= room.memory_bytes


def minus(room: Resources, taken: Resources) -> Resources:
    """Return what is left; never less than nothing."""
    return Resources(
        cpu=max(room.cpu - taken.cpu, 0),
        gpu=max(room.gpu - taken.gpu, 0),
        memory_bytes=max(room.memory_bytes - taken.memory_bytes, 0),
    )


class Slots:
    """Counts what a worker's jobs take. Graphics processors are known a moment after the start."""

    def __init__(self, capacity: Resources, *, max_jobs: int, threads: int, cores: int) -> None:
        """Begin with nothing taken.

        Args:
            capacity: What the worker declares.
            max_jobs: Most jobs at once.
            threads: Threads of every job, or 0: as many as its processor slots.
            cores: The machine's cores.
        """
        self.capacity = capacity
        self.max_jobs = max_jobs
        self._threads = threads
        self._cores = cores
        self._grants: dict[str, Grant] = {}

    @property
    def free(self) -> Resources:
        """What no job has."""
        left = self.capacity
        for grant in self._grants.values():
            left = minus(left, grant.resources)
        return left

    def declare_gpus(self, count: int) -> None:
        """Say how many graphics processors there are."""
        old = self.capacity
        self.capacity = Resources(cpu=old.cpu, gpu=count, memory_bytes=old.memory_bytes)

    def take(self, job_id: str, asked: Resources) -> Grant:
        """Give a job its slots."""
        need = needed(asked)
        used = {gpu for grant in self._grants.values() for gpu in grant.gpus}
        free = [gpu for gpu in range(self.capacity.gpu) if gpu not in used]
        grant = Grant(resources=need, gpus=tuple(free[: need.gpu]), threads=self._threads_of(need))
        self._grants[job_id] = grant
        return grant

    def give_back(self, job_id: str) -> None:
        """Take a job's slots back."""
        self._grants.pop(job_id, None)

    def _threads_of(self, need: Resources) -> int:
        if self._threads:
            return self._threads
        if self.max_jobs > 1:
            return need.cpu
        # A job that is alone on the worker has all of its cores; 0 leaves it to the libraries,
        # which know better than a number when it is the whole machine.
        return 0 if self.capacity.cpu >= self._cores else self.capacity.cpu
