"""Rule sets in the store, and applying them: revisions, refusals, breaking off and going on."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from services.annotation.content import ScoredSpan
from services.annotation.domain import EventType
from services.annotation.etags import etag_of
from services.annotation.handlers.catalog import Catalog, ProjectFields
from services.annotation.handlers.predictions import Predictions
from services.annotation.handlers.tasks import NewTask, Tasks
from services.annotation.history.documents import to_revision
from services.annotation.labels.handler import LabelFields, Labels
from services.annotation.publisher import Streams
from services.annotation.relay import Relay
from services.annotation.resources import Resources
from services.annotation.rules import applying, handler
from services.annotation.rules.applying import Progress, some_predictions
from services.annotation.rules.compiled import CompiledRules
from services.annotation.rules.domain import DictionaryRule, RegexRule, Rule
from services.annotation.rules.handler import RuleSets, StoredRules
from services.annotation.rules.turns import Turns
from services.annotation.schema import COLLECTIONS, HISTORY
from services.annotation.selection.filters import EVERYTHING, TaskFilter
from services.annotation.selection.scan import TaskScan
from services.common.call import calling, current_call
from services.common.clock import SystemClock
from services.common.errors import (
    AbortedError,
    AlreadyExistsError,
    DeadlineExceededError,
    InvalidArgumentError,
    NotFoundError,
    Reason,
    ResourceExhaustedError,
)
from services.common.ids import SortableIds
from services.common.store.port import Eq
from services.common.store.sqlite import SqliteStore
from services.common.watch import Signal

A = Rule(id="a", label="A", body=DictionaryRule(terms=("a",)))
B = Rule(id="b", label="B", body=RegexRule(pattern="b+"))
NAME = "projects/p/ruleSets/r"


# Each x reads on to the end of the text in search of a y.
SLOW = Rule(id="slow", label="A", body=RegexRule(pattern="[^y]*y|x"))


class World:
    """The handlers over one store, with a project of two labels."""

    def __init__(self, store: SqliteStore) -> None:
        clock = SystemClock()
        self.store = store
        self.streams = Streams(store)
        self.relay = Relay(store, self.streams, Signal(), clock, 60.0)
        resources = Resources(store, self.relay, clock, SortableIds())
        labels = Labels(store, resources)
        self.labels = labels
        self.catalog = Catalog(store, resources, labels)
        scan = TaskScan(store, labels)
        self.tasks = Tasks(store, resources, self.catalog, scan)
        self.predictions = Predictions(store, resources, self.catalog)
        self.rules = RuleSets(store, resources, self.catalog, scan, self.predictions)

    async def begin(self) -> None:
        await self.catalog.create_project("p", ProjectFields(), None)
        for value in ("A", "B"):
            await self.labels.create_label("p", LabelFields(value=value), None)

    async def task(self, text: str, *tags: str) -> str:
        task = await self.tasks.create_task("p", NewTask(text=text, metadata={}, tags=tags), None)
        return task.id

    async def create(self, *rules: Rule, id: str = "r") -> StoredRules:
        return await self.rules.create("p", id, "", rules or (A,))

    async def update(self, *rules: Rule, etag: str = "") -> StoredRules:
        return await self.rules.update(
            "p", "r", etag=etag, display_name="", rules=rules, mask=["rules"]
        )

    async def apply(self, wanted: TaskFilter = EVERYTHING) -> list[Progress]:
        return [one async for one in self.rules.apply("p", "r", wanted)]

    async def found(self, task: str, generation: str) -> list[tuple[int, int, str]] | None:
        listed, _ = await self.predictions.list_predictions("p", task, generation, 10, "")
        if not listed:
            return None
        (only,) = listed
        return [(span.start, span.end, span.label) for span in only.spans]

    async def told(self) -> list[EventType]:
        await self.relay.drain()
        events = await self.streams.read("p", after=0, limit=1_000)
        return [one.type for one in events if one.resource == NAME]


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    store = SqliteStore(tmp_path / "rules.db")
    await store.open(COLLECTIONS)
    world = World(store)
    await world.begin()
    yield world
    await world.relay.drain()
    await store.close()


def slow_batches(patch: pytest.MonkeyPatch) -> None:
    """Write each prediction alone."""
    patch.setattr(applying, "_SOME_SPANS", -1)


async def test_a_deleted_id_goes_on_with_its_revisions(world: World) -> None:
    task = await world.task("a b")
    made = await world.create(A)
    await world.apply()
    await world.rules.delete("p", "r", etag_of(NAME, made.version))
    for gone in (world.rules.rule_set("p", "r"), world.rules.delete("p", "r", ""), world.update(B)):
        with pytest.raises(NotFoundError):
            await gone
    assert await world.rules.list_rule_sets("p", 0, "") == ([], "")
    again = await world.create(B)
    assert (again.rules.revision, again.rules.rules) == (2, (B,))
    assert again.created >= made.created
    # What other rules with this id made cannot pass for what these make.
    (done,) = await world.apply()
    assert (done.generation, done.written, done.unchanged) == ("rules/r@2", 1, 0)
    assert await world.found(task, "rules/r@1") == [(0, 1, "A")]
    assert await world.found(task, "rules/r@2") == [(2, 3, "B")]
    created, deleted = EventType.RULE_SET_CREATED, EventType.RULE_SET_DELETED
    assert await world.told() == [created, deleted, created]
    states = await world.store.find(HISTORY, where=[Eq("resource", NAME)], limit=10)
    assert [(one.body["version"], one.body["ended_by"]) for one in states] == [(1, deleted)]
    assert to_revision(states[0].body).state["rules"][0]["id"] == "a"
    with pytest.raises(AlreadyExistsError):
        await world.create(A)


async def test_only_changed_rules_make_a_revision_and_what_was_is_kept(world: World) -> None:
    made = await world.create(A)
    same = await world.update(A)
    assert same.rules.revision == 1
    changed = await world.update(A, B)
    assert changed.rules.revision == 2
    renamed = await world.rules.update(
        "p", "r", etag="", display_name="Names", rules=(), mask=["display_name"]
    )
    assert (renamed.rules.revision, renamed.rules.name) == (2, "Names")
    assert renamed.rules.rules == (A, B)
    stale = etag_of(NAME, made.version)
    with pytest.raises(AbortedError):
        await world.update(B, etag=stale)
    with pytest.raises(AbortedError):
        await world.rules.delete("p", "r", stale)
    await world.relay.drain()
    states = await world.store.find(HISTORY, where=[Eq("resource", NAME)], limit=10)
    kept = [to_revision(one.body) for one in states]
    assert sorted((one.version, len(one.state["rules"])) for one in kept) == [
        (1, 1),
        (2, 1),
        (3, 2),
    ]


async def test_rules_must_be_there_and_have_labels_of_the_project(world: World) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        await world.rules.create("p", "r", "", ())
    assert [one.field for one in caught.value.violations] == ["rules"]
    with pytest.raises(InvalidArgumentError) as caught:
        await world.create(A, Rule(id="c", label="C", body=A.body))
    assert caught.value.reason is Reason.LABEL_UNKNOWN
    assert [one.field for one in caught.value.violations] == ["rules[1].label"]
    with pytest.raises(NotFoundError):
        await world.rules.create("nowhere", "r", "", (A,))
    with pytest.raises(NotFoundError):
        await world.rules.rule_set("p", "r")


async def test_large_rule_sets_share_no_page(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handler, "_MAX_LISTED_SIZE", 25)
    ten = Rule(id="a", label="A", body=DictionaryRule(terms=("x" * 10,)))
    huge = Rule(id="a", label="A", body=DictionaryRule(terms=("x" * 40,)))
    for name, rule in (("one", ten), ("two", ten), ("three", ten), ("gone", ten), ("four", huge)):
        await world.create(rule, id=name)
    await world.rules.delete("p", "gone", "")
    pages, token = [], ""
    while True:
        page, token = await world.rules.list_rule_sets("p", 0, token)
        pages.append([one.rules.id for one in page])
        if not token:
            break
    assert pages == [["one", "two"], ["three"], ["four"]]


async def test_what_breaks_off_goes_on(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    slow_batches(monkeypatch)
    tasks = [await world.task("a" * (number % 2) + " b", "t") for number in range(5)]
    other = await world.task("a")
    await world.create(A)
    wanted = TaskFilter(tags_any=("t",))
    progress = world.rules.apply("p", "r", wanted)
    seen = [await anext(progress) for _ in range(2)]
    await progress.aclose()
    assert [(one.tasks, one.written) for one in seen] == [(1, 1), (2, 2)]
    rest = await world.apply(wanted)
    assert rest[-1] == Progress(generation="rules/r@1", tasks=5, written=3, unchanged=2, spans=1)
    assert [one.tasks for one in rest] == [3, 4, 5]
    # A task in which nothing is found has a prediction as well: it was looked at.
    assert [await world.found(task, "rules/r@1") for task in tasks] == [
        [(0, 1, "A")] if number % 2 else [] for number in range(5)
    ]
    assert await world.found(other, "rules/r@1") is None
    assert [(one.tasks, one.unchanged) for one in await world.apply(wanted)] == [(5, 5)]
    assert await world.apply(TaskFilter(tags_any=("none",))) == [Progress(generation="rules/r@1")]


async def test_a_caller_who_leaves_stops_the_work(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(20):
        await world.task("a")
    await world.create(A)
    began, go_on, ended = threading.Event(), threading.Event(), threading.Event()
    texts: list[str] = []

    def annotate(self: CompiledRules, text: str) -> tuple[ScoredSpan, ...]:
        texts.append(text)
        began.set()
        assert go_on.wait(30)
        return ()

    def watched(*args: object) -> object:
        try:
            return some_predictions(*args)  # type: ignore[arg-type]
        finally:
            ended.set()

    monkeypatch.setattr(CompiledRules, "annotate", annotate)
    monkeypatch.setattr(applying, "some_predictions", watched)
    work = asyncio.ensure_future(world.apply())
    assert await asyncio.to_thread(began.wait, 30)
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    go_on.set()
    assert await asyncio.to_thread(ended.wait, 30)
    # The text at hand was finished, the other nineteen were not begun.
    assert len(texts) == 1


async def test_too_much_in_a_text_names_the_task_and_keeps_what_was_before(world: World) -> None:
    before = await world.task("a")
    many = await world.task("a " * 20_001, "many")
    behind = await world.task("a")
    await world.create(A)
    for _ in range(2):
        with pytest.raises(ResourceExhaustedError) as caught:
            await world.apply()
        assert caught.value.reason is Reason.REQUEST_TOO_LARGE
        assert caught.value.metadata["resource"] == f"projects/p/tasks/{many}"
        assert await world.found(before, "rules/r@1") == [(0, 1, "A")]
    (done,) = await world.apply(TaskFilter(tags_none=("many",)))
    assert (done.written, done.unchanged) == (1, 1)
    assert await world.found(behind, "rules/r@1") == [(0, 1, "A")]


async def test_what_the_engine_refuses_names_the_task(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.annotation.rules.limits.MAX_MATCHES", 3)
    task = await world.task("a a a a")
    await world.create(A)
    with pytest.raises(ResourceExhaustedError, match=f"^projects/p/tasks/{task}: The rules match"):
        await world.apply()


async def test_preview_takes_rules_or_a_rule_set(world: World) -> None:
    await world.create(A)
    stored = await world.rules.preview("p", (), "r", "a b")
    sent = await world.rules.preview("p", (B,), "", "a b")
    assert [(one.start, one.end, one.label) for one in (*stored, *sent)] == [
        (0, 1, "A"),
        (2, 3, "B"),
    ]
    for rules, rule_set in (((), ""), ((B,), "r")):
        with pytest.raises(InvalidArgumentError):
            await world.rules.preview("p", rules, rule_set, "a b")
    with pytest.raises(NotFoundError):
        await world.rules.preview("p", (), "other", "a b")


async def test_slow_previews_of_one_delay_no_other(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handler, "PREVIEW_SECONDS", 0.5)
    monkeypatch.setattr(world.rules, "_turns", Turns(threads=2))

    async def preview(user: str, rule: Rule, text: str) -> int:
        with calling(replace(current_call(), user=user)):
            return len(await world.rules.preview("p", [rule], "", text))

    slow = [asyncio.create_task(preview("ann", SLOW, "x" * 300_000)) for _ in range(4)]
    await asyncio.sleep(0.1)
    async with asyncio.timeout(20):
        assert await preview("ben", A, "a") == 1
        assert await preview("", A, "a") == 1
        assert not any(one.done() for one in slow[1:])
        for one in slow:
            with pytest.raises(DeadlineExceededError, match="'slow'") as caught:
                await one
            assert caught.value.metadata["limit_s"] == "0.5"
