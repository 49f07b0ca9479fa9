"""Groups of training jobs as documents.

A group's document is written first and holds its jobs whole; then the jobs are inserted under the
ids that it fixes. So either all of them come to be or none: whoever finds a group that is not
complete, after a crash, inserts what is missing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from services.common.errors import not_found
from services.common.idempotency import RequestKey
from services.common.store.port import (
    Collection,
    DocumentStore,
    Eq,
    Index,
    Order,
    Stored,
)
from services.common.store.requests import REQUEST_INDEX, find_request, insert_once
from services.trainer.documents import job_document, job_of
from services.trainer.domain import TrainingJob
from services.trainer.repository import JobRepository

_GROUPS = "training_groups"

GROUPS_COLLECTION = Collection(
    name=_GROUPS,
    indexes=(
        REQUEST_INDEX,
        Index(fields=("complete", "create_time"), where={"complete": False}),
    ),
)


@dataclass(frozen=True, kw_only=True)
class TrainingGroup:
    """Jobs that one request made, one per model; the jobs as they were created."""

    project: str
    id: str
    jobs: tuple[TrainingJob, ...]
    create_time: int
    complete: bool = False

    @property
    def name(self) -> str:
        """``projects/{project}/trainingGroups/{group}``."""
        return group_name(self.project, self.id)


def group_name(project: str, group: str) -> str:
    """Return the resource name of a group."""
    return f"projects/{project}/trainingGroups/{group}"


class GroupRepository:
    """Groups over a document store."""

    def __init__(self, store: DocumentStore, jobs: JobRepository) -> None:
        """Work on an open store; `jobs` holds the groups' jobs."""
        self._store = store
        self._jobs = jobs

    async def create(self, group: TrainingGroup, key: RequestKey | None) -> TrainingGroup:
        """Store a new group and its jobs; a repeat of the request returns the first group.

        Raises:
            InvalidArgumentError: REQUEST_ID_REUSED.
        """
        body = {
            "project": group.project,
            "jobs": [[job.id, job_document(job)] for job in group.jobs],
            "complete": False,
            "create_time": group.create_time,
        }
        stored, _ = await insert_once(self._store, _GROUPS, group.id, body, key)
        return await self.finish(_group_of(stored))

    async def find_repeat(self, key: RequestKey) -> TrainingGroup | None:
        """Return the group that an earlier request under this key made, if any.

        Raises:
            InvalidArgumentError: REQUEST_ID_REUSED: that request was another.
        """
        found = await find_request(self._store, _GROUPS, key)
        return None if found is None else _group_of(found)

    async def get(self, project: str, group: str) -> TrainingGroup:
        """Return a group.

        Raises:
            NotFoundError: The project has no such group.
        """
        stored = await self._store.get(_GROUPS, group)
        if stored is None or stored.body["project"] != project:
            raise not_found(group_name(project, group))
        return await self.finish(_group_of(stored))

    async def finish(self, group: TrainingGroup) -> TrainingGroup:
        """Insert the jobs of a group that are not there yet. Safe to repeat."""
        if group.complete:
            return group
        for job in group.jobs:
            await self._jobs.insert(job)
        stored = await self._store.update(_GROUPS, group.id, set={"complete": True})
        return group if stored is None else _group_of(stored)

    async def finish_all(self) -> Sequence[TrainingGroup]:
        """Finish what a process that died left undone; returns the groups finished."""
        found = await self._store.find(
            _GROUPS, where=[Eq("complete", False)], order=(Order(field="create_time"),), limit=100
        )
        return [await self.finish(_group_of(stored)) for stored in found]


def _group_of(stored: Stored) -> TrainingGroup:
    return TrainingGroup(
        project=stored.body["project"],
        id=stored.id,
        jobs=tuple(
            job_of(Stored(id=job_id, revision=1, body=body)) for job_id, body in stored.body["jobs"]
        ),
        create_time=stored.body["create_time"],
        complete=stored.body["complete"],
    )
