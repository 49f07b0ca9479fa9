"""Selecting completions: for snapshots, exports, and for people who want to know why."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

from services.annotation.domain import Completion, Task, TieBreak
from services.annotation.handlers.catalog import Catalog
from services.annotation.members.priorities import priorities_of
from services.annotation.selection.filters import TaskFilter
from services.annotation.selection.rules import Decision, Selection, chosen, decide, for_training
from services.annotation.selection.scan import TaskScan
from services.common.store.port import DocumentStore


@dataclass(frozen=True, kw_only=True)
class TaskDecisions:
    """What the selection says about one task."""

    task: Task
    decisions: list[Decision]


class Selector:
    """Applies a selection to the tasks of a project."""

    def __init__(self, store: DocumentStore, catalog: Catalog, scan: TaskScan) -> None:
        """Use an open store."""
        self._store = store
        self._catalog = catalog
        self._scan = scan

    async def preview(
        self, project: str, selection: Selection, page_size: int, page_token: str
    ) -> tuple[list[TaskDecisions], str]:
        """Say for a page of tasks which completions are taken and why."""
        used = await self.settled(project, selection)
        priorities = await priorities_of(self._store, project)
        tasks, token = await self._scan.list_tasks(
            project,
            used.filter,
            page_size,
            page_token,
            f"PreviewSelection {project} {used}",
            "selection.filter",
        )
        return [
            TaskDecisions(
                task=task,
                decisions=for_training(
                    task,
                    decide(
                        task,
                        tie_break=_tie_break(used),
                        priorities=priorities,
                        reviewed_only=used.reviewed_only,
                    ),
                ),
            )
            for task in tasks
        ], token

    async def select(
        self, project: str, selection: Selection
    ) -> AsyncIterator[list[tuple[Task, Completion | None]]]:
        """Yield each task that is meant with the completion that is taken, some at a time."""
        used = await self.settled(project, selection)
        priorities = await priorities_of(self._store, project)
        async for tasks in self._scan.tasks(project, used.filter, "selection.filter"):
            yield [
                (
                    task,
                    chosen(
                        task,
                        tie_break=_tie_break(used),
                        priorities=priorities,
                        reviewed_only=used.reviewed_only,
                    ),
                )
                for task in tasks
            ]

    async def settled(self, project: str, selection: Selection) -> Selection:
        """Return the selection with the project's tie-break where it names none."""
        found = await self._catalog.project(project)
        return replace(selection, tie_break=selection.tie_break or found.tie_break)


def of_filter(wanted: TaskFilter) -> Selection:
    """Return the selection of these tasks by the project's rules."""
    return Selection(filter=wanted)


def _tie_break(selection: Selection) -> TieBreak:
    return selection.tie_break or TieBreak.MOST_RECENT
