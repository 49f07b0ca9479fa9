"""Comparing the annotators of a project."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from services.annotation.agreement.domain import AgreementReport, Annotation, Item
from services.annotation.agreement.report import Comparison
from services.annotation.domain import Completion, Task, project_name
from services.annotation.handlers.catalog import Catalog
from services.annotation.selection.filters import TaskFilter
from services.annotation.selection.scan import TaskScan
from services.common.errors import (
    FailedPreconditionError,
    Reason,
    ResourceExhaustedError,
    invalid_field,
)
from services.common.modeling.words import split_words
from services.common.validate import check_count, check_line

MAX_VALUES = 1_000
# Bounds the answer, and the time to compute it: each row is some coefficients.
MAX_ROWS = 50_000


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
        authors: Sequence[str],
        labels: Sequence[str],
    ) -> Compared:
        """Compare the completions that are handed in, by author.

        Args:
            project: Id of the project.
            wanted: Which tasks.
            authors: Only these; empty: all.
            labels: Only these; empty: all.

        Raises:
            InvalidArgumentError: LABEL_UNKNOWN: the project has no such label.
            FailedPreconditionError: STATE_CONFLICT: no task has two authors.
            ResourceExhaustedError: REQUEST_TOO_LARGE: there are too many pairs and labels.
        """
        for field, values in (("authors", authors), ("labels", labels)):
            check_count(values, field, 0, MAX_VALUES)
            for place, value in enumerate(values):
                check_line(value, f"{field}[{place}]", 1, 200)
        await self._catalog.project(project)
        table = await self._catalog.labels.table(project)
        for place, label in enumerate(labels):
            if table.get(label) is None:
                raise invalid_field(
                    f"labels[{place}]",
                    f"the project has no label {label!r}.",
                    reason=Reason.LABEL_UNKNOWN,
                )
        only = frozenset(table.current(label) for label in labels)
        comparison = Comparison()
        async for tasks in self._scan.tasks(project, wanted):
            await asyncio.to_thread(_add, comparison, tasks, frozenset(authors), only)
            if comparison.rows > MAX_ROWS:
                raise ResourceExhaustedError(
                    Reason.REQUEST_TOO_LARGE,
                    f"More than {MAX_ROWS:,} pairs of annotators by label: name fewer authors or "
                    "labels.",
                    metadata={"limit": str(MAX_ROWS)},
                )
        annotators = comparison.annotators
        if not annotators:
            raise FailedPreconditionError(
                Reason.STATE_CONFLICT,
                "No task has submitted or accepted completions of two authors: have some "
                "annotated twice, or ask for other tasks and authors.",
                metadata={"resource": project_name(project)},
            )
        report = await asyncio.to_thread(comparison.report)
        return Compared(authors=annotators, report=report)


def _add(
    comparison: Comparison,
    tasks: Sequence[Task],
    authors: frozenset[str],
    labels: frozenset[str],
) -> None:
    for item in _items(tasks, authors, labels):
        comparison.add(item)


def _items(
    tasks: Sequence[Task], authors: frozenset[str], labels: frozenset[str]
) -> Iterator[Item]:
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
        yield Item(
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
                        choices.name: frozenset(choices.values) for choices in one.content.choices
                    },
                )
                for author, one in latest.items()
            },
        )
