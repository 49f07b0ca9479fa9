"""Whose turn it is: the projects with jobs that wait, in order.

Among them the one with the fewest running jobs comes first; of equals the one whose last claim is
longest ago; of equals the one whose job waits longest.
"""

from __future__ import annotations

from dataclasses import dataclass

from services.common.store.port import DocumentStore, Eq, Gt, In, Order
from services.trainer.documents import JOBS, job_of
from services.trainer.domain import TrainingJob
from services.trainer.job_state import RUNNING_STATES
from services.trainer.waiting_jobs import WAITING


@dataclass(frozen=True, kw_only=True)
class Turn:
    """A project: how many of its jobs run, when one was claimed last, the oldest that waits."""

    running: int
    claimed: int
    oldest: TrainingJob

    @property
    def project(self) -> str:
        """The project's id."""
        return self.oldest.project

    def rank(self) -> tuple[int, int, int, str]:
        """Return what turns are sorted by."""
        return self.running, self.claimed, self.oldest.create_time, self.project


async def turns(store: DocumentStore) -> list[Turn]:
    """Return the projects with jobs that wait, in the order of their turns."""
    found: list[Turn] = []
    last = ""
    while True:
        # Jumps from project to project, so that a long queue of one project costs nothing.
        waiting = await store.find(
            JOBS,
            where=[*WAITING, Gt("project", last)],
            order=(Order(field="project"), Order(field="create_time")),
            limit=1,
        )
        if not waiting:
            return sorted(found, key=Turn.rank)
        last = waiting[0].body["project"]
        mine = Eq("project", last)
        latest = await store.find(
            JOBS,
            where=[mine, Gt("claim_time", 0)],
            order=(Order(field="claim_time", descending=True),),
            limit=1,
        )
        found.append(
            Turn(
                running=await store.count(
                    JOBS, where=[mine, In("state", [state.value for state in RUNNING_STATES])]
                ),
                claimed=latest[0].body["claim_time"] if latest else 0,
                oldest=job_of(waiting[0]),
            )
        )
