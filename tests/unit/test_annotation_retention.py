"""Old events are forgotten: tokens behind them are refused, and the audit keeps what matters."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.annotation.domain import EventType, Project
from services.annotation.handlers.events import Events, token_of
from services.annotation.outbox import PendingEvent
from services.annotation.publisher import Streams
from services.annotation.retention import Retention
from services.annotation.schema import COLLECTIONS, EVENTS
from services.common.clock import Clock
from services.common.errors import OutOfRangeError, Reason
from services.common.store.port import Eq
from services.common.store.sqlite import SqliteStore
from services.common.watch import Signal

DAY = 24 * 3_600 * 1_000_000


class At(Clock):
    def __init__(self, day: float) -> None:
        self.day = day

    def now(self) -> int:
        return int(self.day * DAY)


class Catalog:
    async def project(self, project: str) -> Project:
        return Project(id=project, uid="u", display_name="", version=1, created=0, updated=0)


def event(number: int, day: float, type: EventType) -> PendingEvent:
    return PendingEvent(
        id=f"r{number}@1:{type}",
        type=type,
        resource=f"r{number}",
        time=int(day * DAY),
        actor="a",
        version=1,
        before=None,
        before_version=0,
    )


async def test_what_is_forgotten_and_what_stays(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "x.db")
    await store.open(COLLECTIONS)
    try:
        streams = Streams(store)
        clock = At(10)
        task, prediction = EventType.TASK_CREATED, EventType.PREDICTION_WRITTEN
        await streams.publish("p", [event(1, 1, task), event(2, 2, prediction)])
        await streams.publish("p", [event(3, 5, prediction), event(4, 9, task)])
        retention = Retention(store, streams, clock, days=6)
        await retention.sweep()
        assert await streams.first("p") == 3
        await retention.sweep()
        assert await streams.first("p") == 3
        kept = await store.find(EVENTS, where=[Eq("project", "p")], limit=10)
        assert sorted(one.body["sequence"] for one in kept) == [1, 3, 4]  # 2 was a prediction
        project = await Catalog().project("p")
        events = Events(Catalog(), streams, Signal(), poll_seconds=0.01, heartbeat_seconds=0.01)

        async def first(token: str) -> int:
            async for told, *_ in events.watch("p", token):
                return told.event.sequence if told.event else 0
            return -1

        assert await first("") == 3
        assert await first(token_of(project, 2)) == 3
        assert await first(token_of(project, 3)) == 4
        with pytest.raises(OutOfRangeError) as caught:
            await first(token_of(project, 1))
        assert caught.value.reason is Reason.RESUME_TOKEN_EXPIRED
        with pytest.raises(OutOfRangeError) as caught:
            await first(token_of(project, 9))
        assert caught.value.reason is Reason.RESUME_TOKEN_INVALID
        # New events go on behind the old numbers, also when everything was forgotten.
        clock.day = 100
        await retention.sweep()
        assert await streams.first("p") == 5
        await streams.publish("p", [event(5, 100, task)])
        assert await first("") == 5
        assert await streams.first("p") == 5
    finally:
        await store.close()
