"""What the tests of members share: the handlers over a store, callers, and steps in any order."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

from services.annotation.domain import EventType, Role
from services.annotation.handlers.catalog import Catalog, ProjectFields
from services.annotation.labels.handler import Labels
from services.annotation.members.gate import Gate, Principal
from services.annotation.members.handler import Members
from services.annotation.publisher import Streams
from services.annotation.relay import Relay
from services.annotation.resources import Resources
from services.common.call import CallInfo, calling
from services.common.clock import ManualClock
from services.common.ids import SortableIds
from services.common.watch import Signal

SYSTEM = Principal(user="", roles=frozenset())


class Process:
    """The handlers of one process of the service."""

    def __init__(self, store: Any, clock: ManualClock) -> None:
        self.streams = Streams(store)
        self.relay = Relay(store, self.streams, Signal(), clock, 60.0)
        self.resources = Resources(store, self.relay, clock, SortableIds())
        self.catalog = Catalog(store, self.resources, Labels(store, self.resources))
        self.members = Members(store, self.resources, self.catalog)
        self.gate = Gate(store)

    async def project(self, project: str, **members: Role) -> None:
        """Make a project with a member for each keyword."""
        await self.catalog.create_project(project, ProjectFields(), None)
        for user, role in members.items():
            await self.members.create_member(project, user, [role], 0, SYSTEM)

    async def set_roles(self, project: str, user: str, *roles: Role) -> None:
        """Give a member other roles, as the system."""
        await self.members.update_member(
            project, user, etag="", roles=roles, priority=0, mask=["roles"], principal=SYSTEM
        )

    async def owners(self, project: str) -> set[str]:
        """Return the owners of a project."""
        found, _ = await self.members.list_members(project, 1_000, "")
        return {one.user for one in found if Role.OWNER in one.roles}

    async def told(self, project: str) -> list[tuple[EventType, str]]:
        """Return the published events about members: type and user."""
        await self.relay.drain()
        events = await self.streams.read(project, after=0, limit=1_000)
        return [
            (one.type, one.resource.rpartition("/")[2])
            for one in events
            if "/members/" in one.resource
        ]


@contextmanager
def acting(user: str) -> Iterator[None]:
    """Make calls as a user inside the block; the empty one is the system."""
    info = CallInfo(method="/m", request_id="r", caller="token", deadline=None, user=user)
    with calling(info):
        yield


class Turns:
    """Lets processes make their calls to the store one at a time, in a random, repeatable order."""

    def __init__(self, seed: int, between: Callable[[random.Random], None]) -> None:
        self._random = random.Random(seed)
        self._between = between
        self._waiting: dict[str, asyncio.Event] = {}
        self._running = 0
        self._changed = asyncio.Event()

    async def wait(self, name: str) -> None:
        """Return when it is this process's turn."""
        turn = asyncio.Event()
        self._waiting[name] = turn
        self._pause()
        await turn.wait()

    async def run(self, *works: Awaitable[object]) -> list[object]:
        """Run all of them to their ends; return answers and exceptions."""
        self._running = len(works)
        tasks = [asyncio.ensure_future(self._watched(work)) for work in works]
        while not all(task.done() for task in tasks):
            await self._changed.wait()
            self._changed.clear()
            if self._running or not self._waiting:
                continue
            self._between(self._random)
            name = self._random.choice(sorted(self._waiting))
            self._running = 1
            self._waiting.pop(name).set()
        return await asyncio.gather(*tasks, return_exceptions=True)

    async def _watched(self, work: Awaitable[object]) -> object:
        try:
            return await work
        finally:
            self._pause()

    def _pause(self) -> None:
        self._running -= 1
        self._changed.set()


class TurnStore:
    """Asks for its turn before each call to the store."""

    def __init__(self, store: Any, turns: Turns, name: str) -> None:
        self._store = store
        self._turns = turns
        self._name = name

    def __getattr__(self, name: str) -> Any:
        method: Callable[..., Any] = getattr(self._store, name)

        async def call(*args: Any, **kwargs: Any) -> Any:
            await self._turns.wait(self._name)
            return await method(*args, **kwargs)

        return call
