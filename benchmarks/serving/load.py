"""Open-loop load: requests start when they are due, however long the others take."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable


async def offer(
    rate: float,
    send: Callable[[int, float], Awaitable[None]],
    *,
    seconds: float | None = None,
    until: asyncio.Event | None = None,
) -> int:
    """Call `send` at an even rate, and wait until all calls have ended.

    What waits in the client waits for the server, too: latency counts from when a request was due.

    Args:
        rate: Calls per second.
        send: Given the call's number and when it was due, in seconds of `time.perf_counter`.
        seconds: How long to go on; None: until the event is set.
        until: Ends the load when it is set.

    Returns:
        The number of calls.
    """
    started = time.perf_counter()
    calls: set[asyncio.Task[None]] = set()
    failures: list[BaseException] = []
    number = 0

    def ended(task: asyncio.Task[None]) -> None:
        calls.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            failures.append(error)

    try:
        while not failures and not (until is not None and until.is_set()):
            due = started + number / rate
            if seconds is not None and due >= started + seconds:
                break
            pause = due - time.perf_counter()
            # A client that is late catches up at once, but lets the answers in between.
            await asyncio.sleep(max(0.0, pause))
            task = asyncio.ensure_future(_call(send, number, due))
            calls.add(task)
            task.add_done_callback(ended)
            number += 1
        await asyncio.gather(*calls, return_exceptions=True)
    finally:
        for task in calls:
            task.cancel()
    if failures:
        raise failures[0]
    return number


async def _call(send: Callable[[int, float], Awaitable[None]], number: int, due: float) -> None:
    await send(number, due)
