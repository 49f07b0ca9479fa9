"""Whose completions agreement compares, and what it refuses."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from services.annotation.agreement import handler
from services.annotation.agreement.handler import Agreement, Compared
from services.annotation.content import Choices, Content, Span
from services.annotation.domain import Completion, CompletionState, EventType, Split, Task
from services.annotation.handlers.catalog import Catalog, ProjectFields
from services.annotation.handlers.tasks import new_task_document
from services.annotation.labels.handler import LabelFields, Labels
from services.annotation.publisher import Streams
from services.annotation.relay import Relay
from services.annotation.resources import Resources
from services.annotation.schema import COLLECTIONS, TASKS
from services.annotation.selection.filters import EVERYTHING, TaskFilter
from services.annotation.selection.scan import TaskScan
from services.common.clock import SystemClock
from services.common.errors import (
    FailedPreconditionError,
    InvalidArgumentError,
    NotFoundError,
    Reason,
    ResourceExhaustedError,
)
from services.common.ids import SortableIds
from services.common.store.sqlite import SqliteStore
from services.common.watch import Signal

TEXT = "one two three four"
ONE, TWO = (0, 3), (4, 7)
SUBMITTED, ACCEPTED = CompletionState.SUBMITTED, CompletionState.ACCEPTED
REJECTED, DRAFT = CompletionState.REJECTED, CompletionState.DRAFT


class World:
    """Agreement over one store, with a project of two labels."""

    def __init__(self, store: SqliteStore) -> None:
        clock = SystemClock()
        self.relay = Relay(store, Streams(store), Signal(), clock, 60.0)
        self.resources = Resources(store, self.relay, clock, SortableIds())
        self.labels = Labels(store, self.resources)
        self.catalog = Catalog(store, self.resources, self.labels)
        self.agreement = Agreement(self.catalog, TaskScan(store, self.labels))
        self.made: dict[str, str] = {}

    async def begin(self) -> None:
        await self.catalog.create_project("p", ProjectFields(), None)
        for value in ("A", "B"):
            label = await self.labels.create_label("p", LabelFields(value=value), None)
            self.made[value] = label.id

    async def task(self, *completions: Completion, tags: tuple[str, ...] = ()) -> None:
        now = self.resources.now()
        numbered = [replace(one, id=f"c{number}") for number, one in enumerate(completions)]
        task = Task(
            project="p",
            id=self.resources.new_id(),
            text=TEXT,
            external_id="",
            split=Split.UNSPECIFIED,
            metadata={},
            tokenised=False,
            completions=tuple(numbered),
            version=1,
            created=now,
            updated=now,
            tags=tags,
        )
        events = [EventType.COMPLETION_SUBMITTED for _ in numbered]
        await self.resources.create(TASKS, new_task_document(task, events))

    async def compute(
        self,
        *,
        wanted: TaskFilter = EVERYTHING,
        authors: tuple[str, ...] = (),
        labels: tuple[str, ...] = (),
        project: str = "p",
    ) -> Compared:
        return await self.agreement.compute(project, wanted, authors, labels)


def said(
    author: str,
    *extents: tuple[int, int],
    state: CompletionState = SUBMITTED,
    label: str = "A",
    submitted: int = 1,
    deleted: int | None = None,
    **choices: tuple[str, ...],
) -> Completion:
    """Return a completion of an author with spans of one label."""
    return Completion(
        id="",
        author=author,
        state=state,
        content=Content(
            spans=tuple(Span(start=s, end=e, label=label) for s, e in extents),
            choices=tuple(Choices(name=name, values=one) for name, one in choices.items()),
        ),
        copied_from="",
        version=1,
        created=1,
        updated=1,
        submitted=None if state is DRAFT else submitted,
        deleted=deleted,
    )


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    store = SqliteStore(tmp_path / "agreement.db")
    await store.open(COLLECTIONS)
    world = World(store)
    await world.begin()
    yield world
    await world.relay.drain()
    await store.close()


async def test_of_one_author_the_one_submitted_last_counts(world: World) -> None:
    # Bob's later one, which stands before the earlier one, says what Ann says.
    await world.task(said("ann", ONE), said("bob", ONE, submitted=9), said("bob", TWO, submitted=3))
    (pair,) = (await world.compute()).report.overall.pairs
    assert (pair.first, pair.second, pair.items, pair.spans) == ("ann", "bob", 1, 2)
    assert pair.exact_f1.value == 1.0


@pytest.mark.parametrize(
    ("other", "counts"),
    [
        (said("bob", ONE), True),
        (said("bob"), True),
        (said("bob", ONE, state=ACCEPTED), True),
        (said("bob", ONE, state=REJECTED), False),
        (said("bob", ONE, state=DRAFT), False),
        (said("bob", ONE, deleted=5), False),
        (said("ann", TWO), False),
    ],
    ids=["submitted", "nothing found", "accepted", "rejected", "draft", "deleted", "same author"],
)
async def test_only_what_is_handed_in_by_two_authors_counts(
    world: World, other: Completion, counts: bool
) -> None:
    await world.task(said("ann", ONE), other)
    if counts:
        assert (await world.compute()).authors == ("ann", "bob")
        return
    with pytest.raises(FailedPreconditionError) as caught:
        await world.compute()
    assert caught.value.reason is Reason.STATE_CONFLICT
    assert caught.value.metadata == {"resource": "projects/p"}


async def test_filters_authors_and_labels(world: World) -> None:
    await world.task(said("ann", ONE), said("bob", ONE), said("cy", TWO), tags=("t",))
    await world.task(said("ann", ONE, label="B"), said("bob", TWO, label="B"))
    everything = await world.compute()
    assert everything.authors == ("ann", "bob", "cy")
    assert (everything.report.overall.support.items, len(everything.report.labels)) == (2, 2)
    tagged = await world.compute(wanted=TaskFilter(tags_any=("t",)))
    assert tagged.report.overall.support.items == 1
    two = await world.compute(authors=("ann", "bob"), wanted=TaskFilter(tags_any=("t",)))
    assert (two.authors, two.report.overall.mean_exact_f1.value) == (("ann", "bob"), 1.0)
    of_b = await world.compute(labels=("B",))
    assert [one.label for one in of_b.report.labels] == ["B"]
    # The tasks count all the same: that there is none of the label is an opinion.
    assert (of_b.report.overall.support.items, of_b.report.overall.support.spans) == (2, 2)
    with pytest.raises(FailedPreconditionError):
        await world.compute(authors=("ann", "nobody"))


async def test_a_renamed_label_counts_under_its_present_name(world: World) -> None:
    await world.task(said("ann", ONE), said("bob", ONE))
    await world.labels.update_label("p", world.made["A"], "", LabelFields(value="NEW"), ["value"])
    for asked in ("A", "NEW"):
        found = await world.compute(labels=(asked,))
        assert [(one.label, one.support.spans) for one in found.report.labels] == [("NEW", 2)]


async def test_values(world: World) -> None:
    """One task of four words: Ann marks the first two, Bob the first alone."""
    await world.task(said("ann", ONE, TWO, mood=("x",)), said("bob", ONE, mood=("y",)))
    found = (await world.compute()).report
    (pair,) = found.overall.pairs
    assert pair.exact_f1.value == pytest.approx(2 / 3)
    # They agree on 3 words of 4; by chance on 1/2 * 1/4 + 1/2 * 3/4.
    assert pair.cohen_kappa.value == pytest.approx((3 / 4 - 1 / 2) / (1 - 1 / 2))
    (mood,) = found.choices
    assert (mood.name, mood.support.items) == ("mood", 1)
    assert mood.pairs[0].cohen_kappa.value == pytest.approx(0.0)


async def test_refusals(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    await world.task(said("ann", ONE), said("bob", ONE), said("cy", ONE))
    with pytest.raises(InvalidArgumentError) as caught:
        await world.compute(labels=("A", "C"))
    assert caught.value.reason is Reason.LABEL_UNKNOWN
    assert [one.field for one in caught.value.violations] == ["labels[1]"]
    with pytest.raises(InvalidArgumentError) as caught:
        await world.compute(authors=("ann", ""))
    assert [one.field for one in caught.value.violations] == ["authors[1]"]
    with pytest.raises(NotFoundError):
        await world.compute(project="nowhere")
    # Three pairs, once over all labels and once of A.
    monkeypatch.setattr(handler, "MAX_ROWS", 6)
    await world.compute()
    monkeypatch.setattr(handler, "MAX_ROWS", 5)
    with pytest.raises(ResourceExhaustedError) as exhausted:
        await world.compute()
    assert exhausted.value.metadata == {"limit": "5"}
    await world.compute(authors=("ann", "bob"))
