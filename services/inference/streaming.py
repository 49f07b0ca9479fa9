"""Many requests on one stream, answered side by side as they get ready."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeVar

Q = TypeVar("Q")
R = TypeVar("R")


async def answer_all(
    requests: AsyncIterator[Q], answer: Callable[[Q], Awaitable[R]], *, at_once: int
) -> AsyncIterator[R]:
    """Yield the answer to each request, in the order in which they are ready.

    Args:
        requests: Read only while fewer than `at_once` answers are under way or unread, so that a
            caller who sends faster than it reads is held back by the transport.
        answer: Answers one; what it raises ends the stream.
        at_once: Requests under way at once.
    """
    room = asyncio.Semaphore(at_once)
    ready: asyncio.Queue[asyncio.Task[R] | None] = asyncio.Queue()
    under_way: set[asyncio.Task[R]] = set()

    async def read() -> None:
        async for request in requests:
            await room.acquire()
            task = asyncio.ensure_future(answer(request))
            under_way.add(task)
            task.add_done_callback(ready.put_nowait)

    reading = asyncio.create_task(read(), name="predict stream")
    reading.add_done_callback(lambda _: ready.put_nowait(None))
    try:
        while not reading.done() or under_way:
            task = await ready.get()
            if task is None:
                # All is read; or the caller broke off, which is what is raised then.
                reading.result()
                continue
            under_way.discard(task)
            yield task.result()
            room.release()
    finally:
        for pending in (reading, *under_way):
            pending.cancel()
        await asyncio.gather(reading, *under_way, return_exceptions=True)
