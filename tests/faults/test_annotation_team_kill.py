"""Sixteen annotators at work while the service is killed: a checker replays what was acknowledged.

Every annotator creates drafts, changes them, hands them in and reads them back, repeating a call
whose answer was lost with the same request id. Afterwards each acknowledged operation must be
found: as the present state, or in the history of its completion; and nothing may be there twice.
The time is set by ``SPANLOOP_TEST_TEAM_SECONDS``; a minute is what the team's promise names.
"""

from __future__ import annotations

import asyncio
import os
import random
import time
from dataclasses import dataclass, field
from pathlib import Path

import grpc
import pytest
from grpc import aio

from spanloop.annotation.v1 import annotation_service_pb2 as pb
from spanloop.annotation.v1 import history_service_pb2
from spanloop.annotation.v1.completion_pb2 import COMPLETION_STATE_SUBMITTED, Completion
from spanloop.common.v1.text_pb2 import Span
from tests.faults.annotation_process import server
from tests.support.annotation import AnnotationClient, kind

SECONDS = float(os.environ.get("SPANLOOP_TEST_TEAM_SECONDS", "12"))
# Seconds that a busy machine may take longer.
_PATIENCE = 60.0
ANNOTATORS = 16
TASKS = 40
TEXT = "a text of some words for sixteen people to disagree about"
LOST = {
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.CANCELLED,
    grpc.StatusCode.UNKNOWN,
    grpc.StatusCode.DEADLINE_EXCEEDED,
}


@dataclass
class Work:
    """What one annotator was told about one completion, in order: extents of its one span."""

    name: str
    request: str
    acknowledged: list[tuple[int, int]] = field(default_factory=list)
    unsure: list[tuple[int, int]] = field(default_factory=list)
    submitted: bool = False


class Annotator:
    """Works on random tasks until told to stop; goes on at the next server after a kill."""

    def __init__(self, number: int, clients: asyncio.Queue[AnnotationClient]) -> None:
        self.name = f"ann{number:02d}"
        self._random = random.Random(number)
        self._number = number
        self._clients = clients
        self._client: AnnotationClient | None = None
        self.works: list[Work] = []
        self.calls = 0

    async def run(self, tasks: list[str], stop: asyncio.Event) -> None:
        while not stop.is_set():
            await self._one(self._random.choice(tasks), stop)

    async def _one(self, task: str, stop: asyncio.Event) -> None:
        extent = self._extent()
        request = f"{self.name}-{len(self.works)}"
        completion = Completion(author=self.name, spans=[self._span(extent)])
        made = await self._repeated(
            "CreateCompletion",
            pb.CreateCompletionRequest(parent=task, completion=completion, request_id=request),
            stop,
        )
        if made is None:
            return
        work = Work(name=made.completion.name, request=request, acknowledged=[extent])
        self.works.append(work)
        for _ in range(self._random.randrange(3)):
            extent = self._extent()
            update = pb.UpdateCompletionRequest(
                completion=Completion(name=work.name, spans=[self._span(extent)])
            )
            update.update_mask.paths.append("spans")
            # Once only: whether a lost one was carried out is not known.
            answer = await self._once("UpdateCompletion", update)
            (work.unsure if answer is None else work.acknowledged).append(extent)
        handed = await self._once("SubmitCompletion", pb.SubmitCompletionRequest(name=work.name))
        work.submitted = handed is not None

    async def _repeated(self, method: str, request: object, stop: asyncio.Event) -> object | None:
        while not stop.is_set():
            answer = await self._once(method, request)
            if answer is not None:
                return answer
        return None

    async def _once(self, method: str, request: object) -> object | None:
        if self._client is None:
            self._client = await self._clients.get()
        try:
            answer = await getattr(self._client.stub, method)(request, timeout=10)
        except aio.AioRpcError as error:
            if error.code() not in LOST:
                raise
            self._client = None
            return None
        self.calls += 1
        return answer

    def _extent(self) -> tuple[int, int]:
        start = self._random.randrange(len(TEXT) - 1)
        return start, self._random.randrange(start + 1, len(TEXT))

    def _span(self, extent: tuple[int, int]) -> Span:
        return Span(start=extent[0], end=extent[1], label=f"L{self._number % 4}")


async def replay(client: AnnotationClient, works: list[Work]) -> None:
    """Check what is stored against what was acknowledged."""
    for work in works:
        now = (await client.stub.GetCompletion(pb.GetCompletionRequest(name=work.name))).completion
        revisions = await client.history.ListRevisions(
            history_service_pb2.ListRevisionsRequest(name=work.name)
        )
        states = [one.completion for one in reversed(revisions.revisions)] + [now]
        # Each change made exactly one version, and none of them is missing or there twice.
        assert [one.version for one in revisions.revisions] == list(
            range(len(revisions.revisions), 0, -1)
        )
        extents: list[tuple[int, int]] = []
        for state in states:
            extent = (state.spans[0].start, state.spans[0].end)
            if not extents or extents[-1] != extent:
                extents.append(extent)
        told = work.acknowledged
        place = 0
        for extent in extents:
            if place < len(told) and extent == told[place]:
                place += 1
                while place < len(told) and told[place] == extent:
                    place += 1
            else:
                assert extent in work.unsure, (work, extents)
        assert place == len(told), (work, extents)
        if work.submitted:
            assert now.state == COMPLETION_STATE_SUBMITTED


@pytest.mark.timeout(SECONDS * 3 + 120)
async def test_sixteen_annotators_and_a_kill_in_the_middle(tmp_path: Path) -> None:
    clients: asyncio.Queue[AnnotationClient] = asyncio.Queue()
    team = [Annotator(number, clients) for number in range(ANNOTATORS)]
    stop = asyncio.Event()
    ends = time.monotonic() + SECONDS
    async with server(tmp_path) as first:
        parent = await first.client.project("p", *(f"L{number}" for number in range(4)))
        tasks = [(await first.client.task(parent, TEXT)).name for _ in range(TASKS)]
        for _ in team:
            clients.put_nowait(first.client)
        running = [asyncio.create_task(one.run(tasks, stop)) for one in team]
        await asyncio.sleep(SECONDS / 2)
        before = sum(one.calls for one in team)
        await first.kill()
        async with server(tmp_path) as second:
            for _ in range(10 * ANNOTATORS):
                clients.put_nowait(second.client)
            await asyncio.sleep(max(1.0, ends - time.monotonic()))
            async with asyncio.timeout(_PATIENCE):
                while sum(one.calls for one in team) <= before + 100:  # noqa: ASYNC110
                    await asyncio.sleep(0.1)
            stop.set()
            await asyncio.gather(*running)
            client = second.client
            works = [work for one in team for work in one.works]
            assert before > 100
            # None lost: all that was acknowledged is there. None doubled: nothing else is, but for
            # what was under way when the work stopped.
            stored: dict[str, list[str]] = {}
            for task in tasks:
                answer = await client.stub.ListCompletions(
                    pb.ListCompletionsRequest(parent=task, page_size=1_000)
                )
                for completion in answer.completions:
                    stored.setdefault(completion.author, []).append(completion.name)
            for one in team:
                acknowledged = [work.name for work in one.works]
                assert len(set(acknowledged)) == len(acknowledged)
                extra = set(stored.get(one.name, [])) - set(acknowledged)
                assert not set(acknowledged) - set(stored.get(one.name, []))
                assert len(extra) <= 1, (one.name, extra)
            await replay(client, works)
            # Every change is told once.
            entries: list[tuple[str, int, str]] = []
            request = history_service_pb2.ListAuditEntriesRequest(parent=parent, page_size=1_000)
            while True:
                page = await client.history.ListAuditEntries(request)
                entries += [(one.resource, one.version, kind(one)) for one in page.entries]
                if not page.next_page_token:
                    break
                request.page_token = page.next_page_token
            assert len(set(entries)) == len(entries)
            created = [resource for resource, _, what in entries if what == "COMPLETION_CREATED"]
            assert sorted(created) == sorted(name for names in stored.values() for name in names)
