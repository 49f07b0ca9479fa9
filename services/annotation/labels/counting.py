"""How often each label is used."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from services.annotation.domain import Label
from services.annotation.labels.handler import Labels
from services.annotation.selection.filters import TaskFilter
from services.annotation.selection.scan import TaskScan


@dataclass(frozen=True, kw_only=True)
class LabelCount:
    """Spans (and regions) in completions that are handed in, and tasks that have such a one."""

    spans: int
    tasks: int


async def count_labels(
    labels: Labels, scan: TaskScan, project: str, wanted: TaskFilter
) -> list[tuple[Label, LabelCount]]:
    """Return all labels of a project in order of creation, with their counts in these tasks."""
    spans = Counter[str]()
    tasks = Counter[str]()
    async for some in scan.tasks(project, wanted):
        for task in some:
            used = Counter[str]()
            for one in task.completions:
                if one.handed_in:
                    used.update(span.label for span in one.spans)
                    for region in one.content.regions:
                        used.update(region.labels)
            spans.update(used)
            tasks.update(used.keys())
    table = await labels.table(project)
    return [
        (label, LabelCount(spans=spans[label.value], tasks=tasks[label.value]))
        for label in table.labels
    ]
