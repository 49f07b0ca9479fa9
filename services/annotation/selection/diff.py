"""What two snapshots do not have in common."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from services.annotation.dataset import Example
from services.annotation.handlers.snapshots import Snapshots
from services.annotation.splits import example_hash


class ChangeKind(StrEnum):
    """How an example differs; names as in ``SnapshotChange`` of the contract."""

    ADDED = "ADDED"
    REMOVED = "REMOVED"
    CHANGED = "CHANGED"


@dataclass(frozen=True, kw_only=True)
class Difference:
    """What is different about one task; the examples are those that there are."""

    task: str
    change: ChangeKind
    base: Example | None
    target: Example | None


@dataclass(frozen=True, kw_only=True)
class DiffSummary:
    """Totals of a comparison; labels are sorted."""

    added: int
    removed: int
    changed: int
    unchanged: int
    added_labels: tuple[str, ...]
    removed_labels: tuple[str, ...]


async def diff(
    snapshots: Snapshots, project: str, base: str, target: str
) -> AsyncIterator[Difference | DiffSummary]:
    """Yield the differences ordered by task, and the totals last.

    Both snapshots are read twice: first for the hashes of their examples, then for what differs,
    so that only hashes and differences are in memory.

    Raises:
        NotFoundError: There is no such snapshot.
    """
    first = await snapshots.snapshot(project, base)
    second = await snapshots.snapshot(project, target)
    before = await _hashes(snapshots, project, base)
    after = await _hashes(snapshots, project, target)
    changed = {task for task in before.keys() | after.keys() if before.get(task) != after.get(task)}
    old = await _examples(snapshots, project, base, changed)
    new = await _examples(snapshots, project, target, changed)
    for task in sorted(changed):
        was, now = old.get(task), new.get(task)
        kind = ChangeKind.CHANGED
        if was is None:
            kind = ChangeKind.ADDED
        elif now is None:
            kind = ChangeKind.REMOVED
        yield Difference(task=task, change=kind, base=was, target=now)
    yield DiffSummary(
        added=sum(task not in before for task in changed),
        removed=sum(task not in after for task in changed),
        changed=sum(task in before and task in after for task in changed),
        unchanged=len(before.keys() & after.keys() - changed),
        added_labels=tuple(sorted(set(second.labels) - set(first.labels))),
        removed_labels=tuple(sorted(set(first.labels) - set(second.labels))),
    )


async def _hashes(snapshots: Snapshots, project: str, snapshot: str) -> Mapping[str, bytes]:
    return {
        one.task: example_hash(one)
        async for some in snapshots.read(project, snapshot)
        for one in some
    }


async def _examples(
    snapshots: Snapshots, project: str, snapshot: str, tasks: set[str]
) -> Mapping[str, Example]:
    return {
        one.task: one
        async for some in snapshots.read(project, snapshot)
        for one in some
        if one.task in tasks
    }
