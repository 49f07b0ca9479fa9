"""A job's log, stored in chunks of lines.

A chunk's id is the job's id and the sequence of its first line, and a chunk starts right behind the
chunk before it. So two writers (a paused worker and its successor) cannot both write the same
sequence, and there are never gaps: the slower one is refused by the id, reads the end of the log
again, and goes on behind it if the job is still its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeAlias

from services.common.clock import Clock
from services.common.store.port import DocumentStore, DuplicateError, Eq, Gt, Order
from services.trainer.documents import LOGS
from services.trainer.domain import LogLine

LEVELS = ("info", "warning", "error")
FLUSH_SECONDS = 0.4
_MAX_LINE = 4000
_MAX_CHUNK = 200

CheckHeld: TypeAlias = Callable[[], Awaitable[object]]
"""Raises LEASE_LOST when the job is no longer the writer's."""


class JobLog:
    """Reads and appends the logs of all jobs."""

    def __init__(self, store: DocumentStore, clock: Clock) -> None:
        """Work on an open store."""
        self._store = store
        self._clock = clock

    async def last_sequence(self, job_id: str) -> int:
        """Return the sequence of the newest line, 0 for an empty log."""
        found = await self._store.find(
            LOGS,
            where=[Eq("job", job_id)],
            order=(Order(field="first", descending=True),),
            limit=1,
        )
        return int(found[0].body["last"]) if found else 0

    async def read(self, job_id: str, after: int) -> AsyncIterator[LogLine]:
        """Yield the lines behind sequence `after` that are stored now, in order."""
        while True:
            chunks = await self._store.find(
                LOGS,
                where=[Eq("job", job_id), Gt("last", after)],
                order=(Order(field="first"),),
                limit=20,
            )
            for chunk in chunks:
                for sequence, (time, level, message) in enumerate(
                    chunk.body["lines"], start=chunk.body["first"]
                ):
                    if sequence > after:
                        yield LogLine(sequence=sequence, time=time, level=level, message=message)
                        after = sequence
            if not chunks:
                return

    async def append(
        self, job_id: str, lines: list[tuple[int, str, str]], check_held: CheckHeld
    ) -> None:
        """Store (time, level, message) lines behind the newest one, removing them from `lines`.

        Raises:
            AbortedError: LEASE_LOST from `check_held`, asked when another writer was in the way.
        """
        while lines:
            first = await self.last_sequence(job_id) + 1
            chunk = lines[:_MAX_CHUNK]
            body = {
                "job": job_id,
                "first": first,
                "last": first + len(chunk) - 1,
                "lines": [list(line) for line in chunk],
            }
            try:
                await self._store.insert(LOGS, f"{job_id}:{first:012d}", body)
            except DuplicateError:
                await check_held()
                continue
            del lines[: len(chunk)]

    async def append_one(self, job_id: str, level: str, message: str) -> None:
        """Store one line of someone who holds no lease, e.g. the reconciler."""

        async def anyone() -> None:
            return None

        await self.append(job_id, [(self._clock.now(), level, message[:_MAX_LINE])], anyone)

    async def delete(self, job_id: str) -> None:
        """Remove a job's log."""
        while chunks := await self._store.find(
            LOGS, where=[Eq("job", job_id)], order=(Order(field="first"),), limit=100
        ):
            for chunk in chunks:
                await self._store.delete(LOGS, chunk.id)


class LogWriter:
    """Collects one attempt's lines and stores them together, at most `FLUSH_SECONDS` later."""

    def __init__(
        self,
        log: JobLog,
        clock: Clock,
        job_id: str,
        check_held: CheckHeld,
        on_stored: Callable[[], None],
    ) -> None:
        """Write the log of one job; `on_stored` is called after each chunk."""
        self._log = log
        self._clock = clock
        self._job_id = job_id
        self._check_held = check_held
        self._on_stored = on_stored
        self._lines: list[tuple[int, str, str]] = []
        self._writing = asyncio.Lock()

    def add(self, level: str, message: str) -> None:
        """Take a line; an unknown level becomes ``info``, long lines are cut."""
        level = level if level in LEVELS else "info"
        self._lines.append((self._clock.now(), level, message[:_MAX_LINE]))

    async def flush(self) -> None:
        """Store what was taken.

        Raises:
            AbortedError: LEASE_LOST.
        """
        async with self._writing:
            if self._lines:
                # Takes what it stored out of the list: a store that is away loses no line.
                await self._log.append(self._job_id, self._lines, self._check_held)
                self._on_stored()
