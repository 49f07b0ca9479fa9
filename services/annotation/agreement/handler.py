"""Comparing the annotators of a project."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from dataclasses import dataclass

from services.annotation.agreement.domain import AgreementReport, Annotation, Item
from services.annotation.agreement.report import agreement_report
from services.annotation.domain import Completion, Task, project_name
from services.annotation.handlers.catalog import Catalog
from services.annotation.selection.filters import TaskFilter
from services.annotation.selection.scan import TaskScan
from services.common.errors import FailedPreconditionError, Reason
from services.common.modeling.words import split_words
from services.common.validate import check_count, check_line

MAX_AUTHORS = 1_000
MAX_TASKS = 200_000


@dataclass(frozen=True, kw_only=True)
class Compared:
    """A report, and the annotators that it is about, sorted."""

    authors: tuple[str, ...]
    report: AgreementReport


class Agreement:
    """Measures how far annotators agree."""

    def __init__(self, catalog: Catalog, scan: TaskScan) -> None:
        """Read tasks through `scan`."""
        self._catalog = catalog
        self._scan = scan

    async def compute(
        self,
        project: str,
        wanted: TaskFilter,
        authors: Collection[str],
        labels: Collection[str],
    ) -> Compared:
        """Compare the completions that are handed in, by author.

        Args:
            project: Id of the project.
            wanted: Which tasks.
            authors: Only these; empty: all.
            labels: Only these; empty: all.

        Raises:
            FailedPreconditionError: STATE_CONFLICT: no task has two authors.
        """
        for field, values in (("authors", authors), ("labels", labels)):
            check_count(list(values), field, 0, MAX_AUTHORS)
            for place, value in enumerate(values):
                check_line(value, f"{field}[{place}]", 1, 200)
        await self._catalog.project(project)
        table = await self._catalog.labels.table(project)
        only = frozenset(table.current(label) for label in labels)
        items: list[Item] = []
        async for tasks in self._scan.tasks(project, wanted):
            found = await asyncio.to_thread(_items, tasks, frozenset(authors), only)
            items.extend(found)
            if len(items) > MAX_TASKS:
                raise FailedPreconditionError(
                    Reason.STATE_CONFLICT,
                    f"More than {MAX_TASKS} tasks have two annotators: filter them.",
                    metadata={"limit": str(MAX_TASKS)},
                )
        if not items:
            raise FailedPreconditionError(
                Reason.STATE_CONFLICT,
                "No task has submitted completions of two annotators: have some annotated twice.",
                metadata={"resource": project_name(project)},
            )
        report = await asyncio.to_thread(agreement_report, items)
        names = sorted({author for item in items for author in item.annotations})
        return Compared(authors=tuple(names), report=report)


def _items(tasks: list[Task], authors: frozenset[str], labels: frozenset[str]) -> list[Item]:
    found = []
    for task in tasks:
        latest: dict[str, Completion] = {}
        for one in task.completions:
            if not one.handed_in or (authors and one.author not in authors):
                continue
            before = latest.get(one.author)
            if before is None or (one.submitted or 0) >= (before.submitted or 0):
                latest[one.author] = one
        if len(latest) < 2:
            continue
        found.append(
            Item(
                id=task.id,
                words=split_words(task.text),
                annotations={
                    author: Annotation(
                        spans=[
                            (span.start, span.end, span.label)
                            for span in one.spans
                            if not labels or span.label in labels
                        ],
                        choices={
                            choices.name: frozenset(choices.values)
                            for choices in one.content.choices
                        },
                    )
                    for author, one in latest.items()
                },
            )
        )
    return found
