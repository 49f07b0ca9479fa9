"""Counting what a format with one annotation per text cannot say about a task."""

from __future__ import annotations

from collections import Counter

from services.annotation.content import Content
from services.annotation.domain import CompletionState, Split
from services.annotation.formats.records import ExportItem


def count_task(omitted: Counter[str], item: ExportItem, *holds: str) -> None:
    """Count what surrounds the chosen annotation, except for the kinds that the format `holds`."""
    task, chosen = item.task, item.chosen
    counts = {
        "tags": len(task.tags),
        "splits": int(task.split is not Split.UNSPECIFIED),
        "groups": int(bool(task.group)),
        "metadata": len(task.metadata),
        "pages": len(task.pages),
        "words of pages": len(task.words),
        "completions beyond the chosen one": sum(
            one.deleted is None and (chosen is None or one.id != chosen.id)
            for one in task.completions
        ),
    }
    if chosen is not None:
        counts["reviews"] = int(chosen.state is CompletionState.ACCEPTED)
        counts["ground truth stars"] = int(chosen.ground_truth)
        counts["authors and times of completions"] = 1
        counts["links to predictions"] = int(bool(chosen.copied_from))
        counts |= _of_content(chosen.content)
    for name, count in counts.items():
        if count and name not in holds:
            omitted[name] += count


def count_id(omitted: Counter[str], item: ExportItem) -> None:
    """Count the external id of a task, for formats without a place for it."""
    if item.task.external_id:
        omitted["ids of tasks"] += 1


def _of_content(content: Content) -> dict[str, int]:
    return {"choices": len(content.choices), "regions": len(content.regions)}
