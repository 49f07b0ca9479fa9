"""Puts together what this process knows of workers, itself among them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass

from services.common.clock import Clock
from services.common.store.port import DocumentStore
from services.trainer.config import TrainerSettings
from services.trainer.domain import Resources
from services.trainer.engines.catalog import EngineCatalog
from services.trainer.job_queue import Holder
from services.trainer.resources.admission import Admission
from services.trainer.resources.beat import WorkerBeat
from services.trainer.resources.directory import WorkerDirectory
from services.trainer.resources.machine import MEMORY_SHARE, Probe, cores, memory_bytes
from services.trainer.resources.reservations import Reservations
from services.trainer.resources.shortage import Shortage
from services.trainer.resources.slots import Slots
from services.trainer.waiting_jobs import WaitingJobs


@dataclass(frozen=True, kw_only=True)
class Workforce:
    """What this process has, and what it knows of the others."""

    directory: WorkerDirectory
    slots: Slots
    beat: WorkerBeat
    reservations: Reservations
    admission: Admission
    waiting: WaitingJobs
    shortage: Shortage


def workforce(
    settings: TrainerSettings,
    store: DocumentStore,
    clock: Clock,
    holder: Holder,
    probe: Probe,
    engines: EngineCatalog,
    *,
    on_room: Callable[[], None],
    on_job: Callable[[str], None],
) -> Workforce:
    """Put it together.

    Args:
        settings: The settings.
        store: The store.
        clock: The clocks.
        holder: This process.
        probe: Finds graphics processors.
        engines: What can train here.
        on_room: Called when this worker has more than before.
        on_job: Told the id of a waiting job that was changed.
    """
    machine = cores()
    directory = WorkerDirectory(store, clock, beat_seconds=settings.worker_beat_seconds)
    slots = Slots(
        Resources(
            cpu=settings.cpu_slots or machine,
            gpu=max(settings.gpus, 0),
            memory_bytes=settings.memory_bytes or round(MEMORY_SHARE * memory_bytes()),
        ),
        max_jobs=settings.workers,
        threads=settings.threads,
        cores=machine,
    )
    beat = WorkerBeat(
        directory,
        slots,
        holder,
        probe,
        gpus=settings.gpus,
        engines=engines.names,
        beat_seconds=settings.worker_beat_seconds,
        on_change=on_room,
    )
    waiting = WaitingJobs(store, clock)
    return Workforce(
        directory=directory,
        slots=slots,
        beat=beat,
        reservations=Reservations(
            holder.worker,
            clock,
            lambda: beat.workers,
            after_seconds=settings.reserve_seconds,
        ),
        admission=Admission(
            directory, lambda name: Resources(**asdict(engines.engines[name].resources))
        ),
        waiting=waiting,
        shortage=Shortage(
            waiting,
            directory,
            clock,
            on_job,
            # A trainer that restarts is away for a moment.
            grace_seconds=3 * settings.worker_beat_seconds,
            fail_seconds=settings.unfit_seconds,
        ),
    )
