"""Whether the holder of a lease is silent, told without trusting any wall clock.

A watcher remembers what a lease looked like and since when, on its own steady clock. A lease that
was not renewed for as long as it lasts is dead. So a wall clock that jumps ahead takes no job from
a live worker, one that jumps back keeps no dead worker's job, and clocks of several machines need
not agree. A watcher that itself stood still saw nothing meanwhile, and begins anew.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from services.common.clock import Clock
from services.trainer.domain import Lease, TrainingJob


@dataclass(frozen=True, kw_only=True)
class _Sight:
    lease: Lease
    since: float


class LeaseWatch:
    """Remembers the leases of running jobs between looks."""

    def __init__(self, clock: Clock, *, lease_seconds: float) -> None:
        """Call a lease dead when it was not renewed for `lease_seconds`."""
        self._clock = clock
        self._lease_seconds = lease_seconds
        self._sights: dict[str, _Sight] = {}
        self._looked = clock.monotonic()

    def dead(self, running: Iterable[TrainingJob]) -> list[TrainingJob]:
        """Return those of all running jobs whose lease is dead.

        A job seen for the first time, or under another lease than before, is none of them.
        """
        now = self._clock.monotonic()
        known, self._sights = self._sights, {}
        if now - self._looked > self._lease_seconds:
            known = {}
        self._looked = now
        found = []
        for job in running:
            sight = known.get(job.id)
            if sight is None or sight.lease != job.lease:
                sight = _Sight(lease=job.lease, since=now)
            elif now - sight.since > self._lease_seconds:
                found.append(job)
            self._sights[job.id] = sight
        return found
