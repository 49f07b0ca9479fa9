"""The workers of all trainer processes, in the document store.

Each writes its entry again and again; one that was not written for a while belongs to a process
that is gone. A clock that jumps makes entries look old, or of the future, until their workers have
written them again, a few seconds later; meanwhile they count as gone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from services.common.clock import Clock
from services.common.store.port import Document, DocumentStore, DuplicateError, Stored
from services.trainer.documents import WORKERS
from services.trainer.domain import Resources

_MISSED_BEATS = 3
_FORGOTTEN_SECONDS = 24 * 3600
_MOST = 1_000


@dataclass(frozen=True, kw_only=True)
class WorkerEntry:
    """A trainer process that takes jobs.

    Attributes:
        id: Its lasting id.
        boot: This start of it.
        capacity: What it declares.
        max_jobs: Most jobs at once.
        gpus: Names of its graphics processors.
        providers: onnxruntime's execution providers that it can use.
        engines: Names of its engines.
        seen: When it wrote this, microseconds.
    """

    id: str
    boot: str
    capacity: Resources
    max_jobs: int
    gpus: tuple[str, ...] = ()
    providers: tuple[str, ...] = ()
    engines: tuple[str, ...] = ()
    seen: int = 0


class WorkerDirectory:
    """Reads and writes the entries."""

    def __init__(self, store: DocumentStore, clock: Clock, *, beat_seconds: float) -> None:
        """Work on an open store; workers write their entries every `beat_seconds`."""
        self._store = store
        self._clock = clock
        self._alive_us = round(_MISSED_BEATS * beat_seconds * 1e6)

    async def save(self, entry: WorkerEntry) -> None:
        """Say that a worker is alive."""
        body = _document(entry, self._clock.now())
        if await self._store.update(WORKERS, entry.id, set=body) is None:
            try:
                await self._store.insert(WORKERS, entry.id, body)
            except DuplicateError:
                await self._store.update(WORKERS, entry.id, set=body)

    async def remove(self, worker_id: str) -> None:
        """Say that a worker is gone."""
        await self._store.delete(WORKERS, worker_id)

    async def live(self) -> list[WorkerEntry]:
        """Return the workers that are alive, by id; forgets those gone for long."""
        now = self._clock.now()
        found = [_entry(stored) for stored in await self._store.find(WORKERS, limit=_MOST)]
        old = [entry for entry in found if now - entry.seen > _FORGOTTEN_SECONDS * 1e6]
        if old:
            await self._store.delete_many(WORKERS, [entry.id for entry in old])
        return sorted(
            (entry for entry in found if abs(now - entry.seen) <= self._alive_us),
            key=lambda entry: entry.id,
        )


def largest(workers: Sequence[WorkerEntry]) -> Resources:
    """Return the most that any of the workers has, of each kind."""
    return Resources(
        cpu=max((worker.capacity.cpu for worker in workers), default=0),
        gpu=max((worker.capacity.gpu for worker in workers), default=0),
        memory_bytes=max((worker.capacity.memory_bytes for worker in workers), default=0),
    )


def _document(entry: WorkerEntry, now: int) -> Document:
    return {
        "boot": entry.boot,
        "capacity": asdict(entry.capacity),
        "max_jobs": entry.max_jobs,
        "gpus": list(entry.gpus),
        "providers": list(entry.providers),
        "engines": list(entry.engines),
        "seen": now,
    }


def _entry(stored: Stored) -> WorkerEntry:
    body = stored.body
    return WorkerEntry(
        id=stored.id,
        boot=body["boot"],
        capacity=Resources(**body["capacity"]),
        max_jobs=body["max_jobs"],
        gpus=tuple(body["gpus"]),
        providers=tuple(body["providers"]),
        engines=tuple(body["engines"]),
        seen=body["seen"],
    )
