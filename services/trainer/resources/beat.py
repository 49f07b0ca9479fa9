"""Writes this process's entry into the directory of workers, again and again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from services.common.logs import get_logger
from services.common.store.port import StoreError
from services.trainer.job_queue import Holder
from services.trainer.resources.directory import WorkerDirectory, WorkerEntry
from services.trainer.resources.machine import Probe
from services.trainer.resources.slots import Slots

_log = get_logger(__name__)


class WorkerBeat:
    """Keeps the entry of a worker that takes jobs; one that takes none has none."""

    def __init__(
        self,
        directory: WorkerDirectory,
        slots: Slots,
        holder: Holder,
        probe: Probe,
        *,
        gpus: int,
        engines: Sequence[str],
        beat_seconds: float,
        on_change: Callable[[], None],
    ) -> None:
        """Keep an entry.

        Args:
            directory: Where it stands.
            slots: What the worker has.
            holder: Who it is.
            probe: Finds its graphics processors.
            gpus: How many to declare; -1: as many as are found.
            engines: Names of its engines.
            beat_seconds: Time between two writes.
            on_change: Called when the worker has more than before.
        """
        self._directory = directory
        self._slots = slots
        self._holder = holder
        self._probe = probe
        self._gpus = gpus
        self._engines = tuple(engines)
        self._beat_seconds = beat_seconds
        self._on_change = on_change
        self.workers: Sequence[WorkerEntry] = ()
        """The live workers as read last."""

    async def run(self) -> None:
        """Write the entry until cancelled."""
        if not self._slots.max_jobs:
            return
        found = await self._probe()
        self._slots.declare_gpus(len(found.gpus) if self._gpus < 0 else self._gpus)
        self._on_change()
        while True:
            entry = WorkerEntry(
                id=self._holder.worker,
                boot=self._holder.boot,
                capacity=self._slots.capacity,
                max_jobs=self._slots.max_jobs,
                gpus=found.gpus,
                providers=found.providers,
                engines=self._engines,
            )
            await self._directory.save(entry)
            self.workers = await self._directory.live()
            await asyncio.sleep(self._beat_seconds)

    async def leave(self) -> None:
        """Take the entry away; what cannot be taken away grows old by itself."""
        if self._slots.max_jobs:
            try:
                await self._directory.remove(self._holder.worker)
            except StoreError as error:
                _log.warning("worker_not_removed", error=str(error))
