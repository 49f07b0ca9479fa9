"""Events survive crashes between any two writes: none is lost, doubled, or out of order."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from mongomock_motor import AsyncMongoMockClient

from services.annotation.completion_state import Move
from services.annotation.contents import RawContent
from services.annotation.documents import to_event
from services.annotation.domain import CompletionState, EventType
from services.annotation.formats.records import TaskFormat
from services.annotation.handlers.catalog import Catalog, ProjectFields
from services.annotation.handlers.completions import Annotated, Completions, NewCompletion
from services.annotation.handlers.predictions import NewPrediction, Predictions
from services.annotation.handlers.snapshots import Snapshots
from services.annotation.handlers.tasks import NewTask, Tasks
from services.annotation.labels.handler import LabelFields, Labels
from services.annotation.members.gate import Principal
from services.annotation.outbox import PendingEvent
from services.annotation.publisher import Streams
from services.annotation.relay import JOURNAL_KEEP_MICROS, Relay
from services.annotation.resources import Resources
from services.annotation.schema import (
    COLLECTIONS,
    EVENTS,
    HISTORY,
    IMPORTS,
    JOURNALS,
    TASKS,
    WITH_OUTBOX,
)
from services.annotation.selection.filters import EVERYTHING
from services.annotation.selection.handler import Selector
from services.annotation.selection.scan import TaskScan
from services.annotation.spans import RawSpan
from services.annotation.transfer.atomic import AtomicImports
from services.annotation.transfer.importing import Importer
from services.annotation.transfer.orders import ImportLimits, ImportOrder
from services.common.clock import ManualClock
from services.common.idempotency import RequestKey
from services.common.ids import SortableIds
from services.common.offsets import OffsetEncoding
from services.common.store.mongo import MongoStore
from services.common.store.port import DocumentStore, Eq, Order
from services.common.store.sqlite import SqliteStore
from services.common.watch import Signal

WRITES = ("insert", "insert_many", "replace", "update", "delete", "delete_many")
LINES = b'{"id":"a","text":"one","spans":[]}\n{"id":"b","text":"two"}\n{"id":"c","text":"three"}\n'
TOGETHER = LINES.replace(b'"id":"', b'"id":"whole-')
STALE_SECONDS = 100.0
SYSTEM = Principal(user="", roles=frozenset())


class Crash(BaseException):
    """The process is gone; no handler can catch it by accident."""


class CrashingStore:
    """Passes calls on, and dies at one write: before it is made or right behind it."""

    def __init__(self, store: DocumentStore, at: int, *, behind: bool) -> None:
        self._store = store
        self._at = at
        self._behind = behind
        self.writes = 0

    def __getattr__(self, name: str) -> Any:
        method: Callable[..., Any] = getattr(self._store, name)
        if name not in WRITES:
            return method

        async def write(*args: Any, **kwargs: Any) -> Any:
            self.writes += 1
            # Who is dead stays dead: nothing is tidied up on the way out.
            if self.writes > self._at or (self.writes == self._at and not self._behind):
                raise Crash
            answer = await method(*args, **kwargs)
            if self.writes == self._at:
                raise Crash
            return answer

        return write


class Process:
    """The handlers and the relay as one process of the service has them."""

    def __init__(self, store: Any, clock: ManualClock | None = None) -> None:
        clock, ids = clock or ManualClock(), SortableIds()
        self.streams = Streams(store)
        self.signal = Signal()
        self.relay = Relay(store, self.streams, self.signal, clock, 60.0)
        self.resources = Resources(store, self.relay, clock, ids)
        self.labels = Labels(store, self.resources)
        self.catalog = Catalog(store, self.resources, self.labels)
        scan = TaskScan(store, self.labels)
        self.tasks = Tasks(store, self.resources, self.catalog, scan)
        self.completions = Completions(store, self.resources, self.catalog, self.tasks)
        self.predictions = Predictions(store, self.resources, self.catalog)
        selector = Selector(store, self.catalog, scan)
        self.snapshots = Snapshots(store, self.resources, self.catalog, selector)
        self.atomic = AtomicImports(
            store, self.relay, clock, ids, interval=60.0, stale=STALE_SECONDS
        )
        limits = ImportLimits(max_line_bytes=1000, max_bytes=10_000, batch_tasks=2)
        self.importer = Importer(
            store, self.resources, self.catalog, self.predictions, self.atomic, limits
        )

    async def work(self) -> None:
        """Do something of everything; safe to repeat, as a client with request ids does."""
        await self.catalog.create_project("p", ProjectFields(), key("project"))
        await self.relay.drain()
        await self.labels.create_label("p", LabelFields(value="x"), key("label"))
        await self.import_lines(LINES, atomic=False)
        await self.relay.drain()
        await self.import_lines(TOGETHER, atomic=True)
        tasks, _ = await self.tasks.list_tasks("p", EVERYTHING, "", 10, "")
        imported = next(task for task in tasks if task.external_id == "b")
        new = NewTask(text="four", metadata={})
        single = await self.tasks.create_task("p", new, key("task"))
        await self.tasks.tag_tasks("p", [f"projects/p/tasks/{single.id}"], ["tag"], [])
        for task in (imported.id, single.id):
            await self.annotate(task)
        prediction = NewPrediction(
            task=f"projects/p/tasks/{single.id}",
            generation="g",
            adapters={"x": "d"},
            model_versions={},
            spans=[],
        )
        await self.predictions.write("p", [prediction])
        await self.snapshots.create("p", None, key("snapshot"))
        await self.relay.drain()

    async def import_lines(self, lines: bytes, *, atomic: bool) -> None:
        order = ImportOrder(
            project="p", format=TaskFormat.JSONL, source_name="s", author="a", atomic=atomic
        )
        report = await self.importer.run(order, pieces(lines))
        assert (report.refused, report.tasks + report.unchanged) == (0, 3)

    async def annotate(self, task: str) -> None:
        """Draft, correct, submit and accept: each step when it was not made before."""
        new = NewCompletion(
            author="a",
            content=RawContent(),
            copied_from="",
            submit=False,
            encoding=OffsetEncoding.CODE_POINT,
        )
        made = await self.completions.create_completion(
            "p", task, new, key("completion", task), SYSTEM
        )
        await self.relay.drain()
        completion = made.completion.id
        if not made.completion.content.spans:
            made = await self.correct(task, completion)
        if made.completion.state is CompletionState.DRAFT:
            made = await self.completions.submit_completion("p", task, completion, "", SYSTEM)
        if made.completion.state is CompletionState.SUBMITTED:
            await self.completions.review_completion(
                "p",
                task,
                completion,
                move=Move.ACCEPT,
                reviewer="r",
                comment="",
                etag="",
                principal=SYSTEM,
            )

    async def correct(self, task: str, completion: str) -> Annotated:
        return await self.completions.update_completion(
            "p",
            task,
            completion,
            etag="",
            content=RawContent(spans=[RawSpan(start=0, end=3, label="x")]),
            lead_time=0.0,
            encoding=OffsetEncoding.CODE_POINT,
            mask=["spans"],
            principal=SYSTEM,
        )


WANTED = Counter(
    {
        EventType.PROJECT_CREATED: 1,
        EventType.LABEL_CREATED: 1,
        EventType.TASK_CREATED: 7,
        EventType.TASK_UPDATED: 1,
        EventType.COMPLETION_CREATED: 2,
        EventType.COMPLETION_UPDATED: 2,
        EventType.COMPLETION_SUBMITTED: 4,
        EventType.COMPLETION_ACCEPTED: 2,
        EventType.PREDICTION_WRITTEN: 1,
        EventType.SNAPSHOT_CREATED: 1,
    }
)


def key(request_id: str, parent: str = "") -> RequestKey | None:
    return RequestKey.of("test", parent, request_id, b"")


async def pieces(data: bytes) -> AsyncIterator[bytes]:
    yield data


def pending(id: str, resource: str, time: int) -> PendingEvent:
    return PendingEvent(
        id=id,
        type=EventType.TASK_CREATED,
        resource=resource,
        time=time,
        actor="",
        version=1,
        before=None,
        before_version=0,
    )


async def check_stream(store: DocumentStore) -> Counter[EventType]:
    """Check sequences and order of project p's events, and count them by type."""
    found = await store.find(
        EVENTS, where=[Eq("project", "p")], order=[Order(field="sequence")], limit=1_000
    )
    events = [to_event(one.body) for one in found]
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))
    told = [(event.type, event.resource) for event in events]
    assert len(set(told)) == len(told), "told twice"
    for place, (kind, resource) in enumerate(told):
        if "/completions/" in resource:
            task = resource.partition("/completions/")[0]
            assert told.index((EventType.TASK_CREATED, task)) < place
        if kind is EventType.COMPLETION_SUBMITTED:
            created = (EventType.COMPLETION_CREATED, resource)
            assert created not in told or told.index(created) < place
    return Counter(event.type for event in events)


async def check_history(store: DocumentStore) -> None:
    """Check that every earlier state of every completion was kept, and nothing else of it."""
    tasks = await store.find(TASKS, where=[Eq("project", "p")], limit=100)
    for task in tasks:
        for one in task.body["completions"]:
            name = f"projects/p/tasks/{task.body['task']}/completions/{one['id']}"
            kept = await store.find(HISTORY, where=[Eq("resource", name)], limit=100)
            assert sorted(entry.id for entry in kept) == [
                f"{name}@{version}" for version in range(1, one["version"])
            ]
            for entry in kept:
                assert entry.body["state"] != one


async def check_wholeness(store: DocumentStore) -> None:
    """Check that the atomic import is there as a whole or not at all, and no longer under way."""
    assert await store.count(IMPORTS) == 0
    tasks = await store.find(TASKS, where=[Eq("project", "p")], limit=100)
    whole = [one for one in tasks if (one.body["external_id"] or "").startswith("whole-")]
    assert len(whole) in {0, 3}
    events = await store.find(EVENTS, where=[Eq("project", "p")], limit=1_000)
    told = {event.body["resource"] for event in events}
    for task in whole:
        assert f"projects/p/tasks/{task.body['task']}" in told


async def nothing_pending(store: DocumentStore) -> None:
    for collection in WITH_OUTBOX:
        assert await store.count(collection, where=[Eq("outbox_pending", True)]) == 0


@pytest.fixture(params=["sqlite", "mongomock"])
async def stores(
    request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[Callable[[str], Any]]:
    """A maker of empty stores."""
    opened: list[DocumentStore] = []

    async def make(name: str) -> DocumentStore:
        store: DocumentStore
        if request.param == "sqlite":
            store = SqliteStore(tmp_path / f"{name}.db")
        else:
            store = MongoStore("mongodb://mock", name, client=AsyncMongoMockClient())
        await store.open(COLLECTIONS)
        opened.append(store)
        return store

    yield make
    for store in opened:
        await store.close()


async def test_undisturbed(stores: Any) -> None:
    store = await stores("s")
    process = Process(store)
    await process.work()
    assert await check_stream(store) == WANTED
    await nothing_pending(store)
    assert await store.count(JOURNALS) == 0
    await process.work()
    await process.relay.sweep()
    assert await check_stream(store) == WANTED, "a repeat changes nothing"


@pytest.mark.parametrize("behind", [False, True], ids=["before", "behind"])
async def test_a_crash_at_any_write(stores: Any, behind: bool) -> None:
    at = 0
    while True:
        store = await stores(f"s{at}")
        # Behind one write is before the next one: on files, which are slow, a sample will do.
        at += 3 if behind and isinstance(store, SqliteStore) else 1
        dying = CrashingStore(store, at, behind=behind)
        try:
            await Process(dying).work()
        except Crash:
            pass
        else:
            break
        clock = ManualClock()
        clock.advance(STALE_SECONDS + 1)
        restarted = Process(store, clock)
        await restarted.relay.sweep()
        await restarted.atomic.sweep()
        # What is stored is told, before anyone repeats anything.
        await nothing_pending(store)
        await check_stream(store)
        await check_history(store)
        await check_wholeness(store)
        await restarted.work()
        await restarted.relay.sweep()
        assert await check_stream(store) == WANTED, f"crash at write {at}"
        await check_history(store)
        await check_wholeness(store)
        await nothing_pending(store)
        await store.close()
    assert at > 30, "the scenario became shorter than its writes"


async def test_a_crash_of_the_relay_itself(stores: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    store = await stores("s")
    first = Process(store)
    monkeypatch.setattr(first.relay, "drain", lambda: asyncio.sleep(0))
    await first.work()  # nothing but the bulk inserts are published
    at = 0
    while True:
        at += 1
        dying = CrashingStore(store, at % 3 + 1, behind=bool(at % 2))
        try:
            await Process(dying).relay.sweep()
        except Crash:
            assert at < 100
            continue
        break
    assert await check_stream(store) == WANTED
    await nothing_pending(store)


async def test_two_processes_publish_the_same_at_once(tmp_path: Path) -> None:
    first, second = SqliteStore(tmp_path / "s.db"), SqliteStore(tmp_path / "s.db")
    await first.open(COLLECTIONS)
    await second.open(COLLECTIONS)
    events = [pending(f"e{n}", f"r{n}", n) for n in range(300)]
    one, two, three = Streams(first), Streams(first), Streams(second)
    jobs = [
        streams.publish("p", events[start : start + 25])
        for streams, offset in ((one, 0), (two, 10), (three, 5))
        for start in range(offset, 300, 20)
    ]
    appended = await asyncio.gather(*jobs)
    assert sum(appended) == 300
    await check_stream(first)
    assert await three.last("p") == 300
    assert [event.sequence for event in await two.read("p", after=290, limit=100)] == [
        *range(291, 301)
    ]
    await first.close()
    await second.close()


async def test_a_reader_finishes_what_a_dead_publisher_placed(stores: Any) -> None:
    store = await stores("s")
    event = pending("e", "r", 1)
    # The head is inserted, then swapped; the crash is behind the swap, before the event's insert.
    with pytest.raises(Crash):
        await Streams(CrashingStore(store, 2, behind=True)).publish("p", [event])  # type: ignore[arg-type]
    assert await store.count(EVENTS) == 0
    (read,) = await Streams(store).read("p", after=0, limit=10)
    assert (read.sequence, read.resource) == (1, "r")


async def test_a_journal_without_its_documents_is_dropped_after_a_day(stores: Any) -> None:
    store = await stores("s")
    clock = ManualClock()
    await store.insert(
        JOURNALS,
        "p/j",
        {"project": "p", "collection": "tasks", "ids": ["p/none"], "ord": clock.now()},
    )
    process = Process(store, clock)
    await process.relay.sweep()
    assert await store.count(JOURNALS) == 1, "the insert may merely be slow"
    clock.advance(JOURNAL_KEEP_MICROS / 1e6 + 1)
    await process.relay.sweep()
    assert await store.count(JOURNALS) == 0


async def test_the_relay_runs_by_itself(stores: Any) -> None:
    store = await stores("s")
    process = Process(store)
    running = asyncio.create_task(process.relay.run())
    try:
        await process.catalog.create_project("p", ProjectFields(), None)
        async with asyncio.timeout(5):
            await process.signal.wait("p", 0, 5)
        assert await process.streams.last("p") == 1
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
