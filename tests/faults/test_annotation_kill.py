"""The annotation service is killed (SIGKILL) at work: nothing that it acknowledged is lost."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from grpc import aio

from services.annotation.schema import COLLECTIONS, WITH_OUTBOX
from services.common.store.port import Eq
from services.common.store.sqlite import SqliteStore
from spanloop.annotation.v1.event_pb2 import Event
from spanloop.annotation.v1.task_pb2 import TASK_STATUS_SUBMITTED
from tests.faults.annotation_process import server
from tests.support.annotation import AnnotationClient, kind


async def check_events(client: AnnotationClient, parent: str) -> list[Event]:
    """Wait until the stream is complete, and check that it tells of every resource once."""
    tasks = await client.tasks(parent)
    submitted = [task.name for task in tasks if task.status == TASK_STATUS_SUBMITTED]
    completions = sum(task.completion_count for task in tasks)
    assert completions == len(submitted)
    events = await client.events(parent, 2 + len(tasks) + completions)
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))
    created = [event.resource for event in events if kind(event) == "TASK_CREATED"]
    assert sorted(created) == sorted(task.name for task in tasks)
    handed_in = [event.resource for event in events if kind(event) == "COMPLETION_SUBMITTED"]
    assert sorted(name.partition("/completions/")[0] for name in handed_in) == sorted(submitted)
    return events


async def nothing_pending(folder: Path) -> None:
    """Wait until the running service has cleared every outbox."""
    store = SqliteStore(folder / "annotation" / "annotation.db")
    await store.open(COLLECTIONS)
    try:
        async with asyncio.timeout(20):
            for collection in WITH_OUTBOX:
                pending = [Eq("outbox_pending", True)]
                while await store.count(collection, where=pending):  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
    finally:
        await store.close()


@pytest.mark.parametrize("batches", [1, 7])
async def test_killed_in_the_middle_of_an_import(tmp_path: Path, batches: int) -> None:
    total = 20_000
    data = b"".join(b"word%d\tB-x\n\n" % number for number in range(total))
    async with server(tmp_path) as first:
        parent = await first.client.project("p", "x")
        done = await first.client.load(parent, b"before\tO\n", source_name="before")
        assert done.imported_tasks == 1
        stored = asyncio.create_task(first.client.load(parent, data, source_name="file"))
        while await first.client.count(parent) <= batches * 50:
            assert not stored.done()
        await first.kill()
        with pytest.raises(aio.AioRpcError):
            await stored
    async with server(tmp_path) as second:
        client = second.client
        texts = [task.text for task in await client.tasks(parent)]
        assert texts[0] == "before"
        assert 50 * batches < len(texts) < total
        await check_events(client, parent)
        report = await client.load(parent, data, source_name="file")
        assert report.imported_tasks + report.unchanged_tasks == total
        assert report.unchanged_tasks == len(texts) - 1
        assert await client.count(parent) == total + 1
        await check_events(client, parent)
        await nothing_pending(tmp_path)


async def test_killed_in_the_middle_of_an_atomic_import(tmp_path: Path) -> None:
    total = 20_000
    data = b"".join(b"word%d\tB-x\n\n" % number for number in range(total))
    async with server(tmp_path) as first:
        parent = await first.client.project("p", "x")
        await first.client.load(parent, b"before\tO\n", source_name="before")
        wanted = {"source_name": "file", "atomic": True}
        stored = asyncio.create_task(first.client.load(parent, data, **wanted))
        while await first.client.count(parent) <= 100:
            assert not stored.done()
        await first.kill()
        with pytest.raises(aio.AioRpcError):
            await stored
    async with server(tmp_path) as second:
        client = second.client
        async with asyncio.timeout(60):
            while await client.count(parent) > 1:  # noqa: ASYNC110 - the sweep is not told of
                await asyncio.sleep(0.2)
        # Nobody ever heard of what was undone.
        assert len(await check_events(client, parent)) == 4
        report = await client.load(parent, data, **wanted)
        assert report.imported_tasks == total
        assert await client.count(parent) == total + 1
        await check_events(client, parent)


async def test_killed_in_the_middle_of_submissions(tmp_path: Path) -> None:
    async with server(tmp_path) as first:
        parent = await first.client.project("p", "x")
        texts = b"".join(b"word%d\tO\n\n" % number for number in range(200))
        await first.client.load(parent, texts, ignore_completions=True)
        tasks = [task.name for task in await first.client.tasks(parent)]
        acknowledged: dict[str, str] = {}

        async def submit(names: list[str]) -> None:
            for name in names:
                made = await first.client.complete(name, [(0, 4, "x")], request_id="r")
                acknowledged[name] = made.name

        workers = [asyncio.create_task(submit(tasks[place::8])) for place in range(8)]
        while len(acknowledged) < 60:  # noqa: ASYNC110 - the moment does not matter
            await asyncio.sleep(0.001)
        await first.kill()
        outcomes = await asyncio.gather(*workers, return_exceptions=True)
        assert all(isinstance(outcome, aio.AioRpcError) for outcome in outcomes)
    assert 60 <= len(acknowledged) < 200
    async with server(tmp_path) as second:
        client = second.client
        submitted = await client.tasks(parent, statuses=[TASK_STATUS_SUBMITTED])
        assert acknowledged.keys() <= {task.name for task in submitted}
        # Those under way may be in; nothing that nobody sent is.
        assert len(submitted) <= len(acknowledged) + 8
        await check_events(client, parent)
        for name in tasks:  # repeating everything doubles nothing
            made = await client.complete(name, [(0, 4, "x")], request_id="r")
            assert acknowledged.get(name, made.name) == made.name
        events = await check_events(client, parent)
        assert len(events) == 2 + 400
        await nothing_pending(tmp_path)
