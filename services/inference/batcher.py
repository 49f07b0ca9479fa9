"""Joins the texts of many requests into batches for the device.

- Work is admitted by its tokens; past the bound a request is refused with a time to come back.
- Requests that ask the same of the same trunk share a batch. The request at the head decides which;
  one with work left over goes to the tail, so a large one delays the others by one batch only.
- Before each batch, requests whose caller left or whose deadline passed are dropped.
- Nothing waits for company: a batch is what is there when the device is free.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol, Self, TypeAlias

from services.common.clock import Clock
from services.common.errors import (
    DeadlineExceededError,
    Reason,
    ResourceExhaustedError,
    UnavailableError,
)
from services.common.logs import get_logger
from services.common.modeling.states import PreparedText, Segment
from services.inference.engine.part import (
    Part,
    SegmentAnswer,
    TextRows,
    Want,
    WordExtent,
    segment_cost,
)

_log = get_logger(__name__)

_RETRY_AFTER = 0.5


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What is asked of a part.

    Attributes:
        part: The part.
        want: What is wanted of each text.
        texts: The texts as the part prepared them.
        given: For each text the spans whose status is wanted; None: no text has any.
    """

    part: Part
    want: Want
    texts: Sequence[PreparedText]
    given: Sequence[Sequence[WordExtent]] | None = None


class BatchRunner(Protocol):
    """Runs one batch on the device; see ``engine.worker.EngineThreads.run_batch``."""

    def __call__(
        self, work: Callable[[], list[SegmentAnswer]], /
    ) -> Awaitable[list[SegmentAnswer]]:
        """Run `work` and return what it returns."""
        ...


class _Request:
    """The texts of one caller and the rows that were computed for them."""

    def __init__(self, asked: Asked, deadline: float | None) -> None:
        self.part = asked.part
        self.want = asked.want
        self.given = asked.given
        self.deadline = deadline
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.results = [TextRows.empty(text, asked.want) for text in asked.texts]
        self.waiting: deque[tuple[int, Segment, int]] = deque(
            (place, segment, segment_cost(segment))
            for place, text in enumerate(asked.texts)
            for segment in asked.part.segments(text, asked.want)
        )
        self.unfinished = len(self.waiting)

    @property
    def key(self) -> tuple[int, Want]:
        """Requests with the same key can share a batch (the part is alive while it is queued)."""
        return id(self.part), self.want

    def deliver(self, place: int, segment: Segment, answer: SegmentAnswer) -> None:
        self.results[place].add(segment, answer)
        self.unfinished -= 1
        if self.unfinished == 0 and not self.done.done():
            self.done.set_result(None)

    def fail(self, error: Exception) -> None:
        self.waiting.clear()
        if not self.done.done():
            self.done.set_exception(error)


_Work: TypeAlias = tuple[_Request, int, Segment]


class Batcher:
    """The queue before the device. All methods run on the event loop's thread."""

    def __init__(
        self, run_batch: BatchRunner, *, batch_tokens: int, queue_tokens: int, clock: Clock
    ) -> None:
        """Queue nothing yet; `start` begins to run batches.

        Args:
            run_batch: Runs a batch elsewhere; one at a time is given to it.
            batch_tokens: Tokens of one batch, unless a single piece of work is larger.
            queue_tokens: Tokens admitted at once.
            clock: Deadlines are compared with its monotonic seconds.
        """
        self._run_batch = run_batch
        self._batch_tokens = batch_tokens
        self._queue_tokens = queue_tokens
        self._clock = clock
        self._admitted = 0
        self._queue: deque[_Request] = deque()
        self._running: list[_Request] = []
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    def admitted_tokens(self) -> int:
        """Tokens of all requests under way."""
        return self._admitted

    def start(self) -> None:
        """Begin to run batches."""
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="batcher")

    async def close(self) -> None:
        """Stop; requests that are not answered yet fail with UNAVAILABLE."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
        for request in (*self._queue, *self._running):
            request.fail(UnavailableError(Reason.DRAINING, "The server is shutting down."))
        self._queue.clear()
        self._running.clear()

    def admit(self, texts: Sequence[str]) -> Ticket:
        """Reserve room for texts that are not tokenised yet.

        A request that is larger than the whole queue is admitted when the queue is empty: it could
        never be answered otherwise.

        Raises:
            ResourceExhaustedError: Too many tokens are under way (OVERLOADED).
        """
        tokens = sum(len(text) // 4 + 1 for text in texts)
        if self._admitted and self._admitted + tokens > self._queue_tokens:
            raise ResourceExhaustedError(
                Reason.OVERLOADED,
                "Too many tokens are queued; try again.",
                metadata={"queue_tokens": str(self._queue_tokens)},
                retry_after=_RETRY_AFTER,
            )
        return Ticket(self, tokens)

    def reserve(self, tokens: int) -> None:
        """Count tokens as under way (negative: no longer); for `Ticket`."""
        self._admitted += tokens

    async def run(self, asked: Asked, deadline: float | None) -> list[TextRows]:
        """Return what is wanted of each text; use ``Ticket.run``."""
        request = _Request(asked, deadline)
        if request.unfinished:
            self._queue.append(request)
            self._wake.set()
            try:
                await request.done
            finally:
                # When the caller left, its future is cancelled: the queue drops it then.
                request.waiting.clear()
        return request.results

    async def _run(self) -> None:
        while True:
            batch = self._next_batch()
            if not batch:
                self._wake.clear()
                await self._wake.wait()
                continue
            self._running = [request for request, _, _ in batch]
            await self._answer(batch)
            # While the queue is idle, nothing here may keep a bank that was swapped out.
            del batch
            self._running = []

    async def _answer(self, batch: Sequence[_Work]) -> None:
        part, want = batch[0][0].part, batch[0][0].want
        segments = [segment for _, _, segment in batch]
        given = [request.given[place] if request.given else () for request, place, _ in batch]
        try:
            answers = await self._run_batch(partial(part.run, segments, want, given))
            for (request, place, segment), answer in zip(batch, answers, strict=True):
                request.deliver(place, segment, answer)
        except Exception as error:  # noqa: BLE001 - it goes to those who wait for this batch
            _log.error("batch_failed", segments=len(segments), exc_info=error)
            for request, _, _ in batch:
                request.fail(error)

    def _next_batch(self) -> list[_Work]:
        self._drop_dead()
        batch: list[_Work] = []
        tokens = 0
        kept: deque[_Request] = deque()
        key = self._queue[0].key if self._queue else None
        leftover: _Request | None = None
        for request in self._queue:
            if request.key == key:
                while request.waiting:
                    place, segment, cost = request.waiting[0]
                    if batch and tokens + cost > self._batch_tokens:
                        break
                    request.waiting.popleft()
                    batch.append((request, place, segment))
                    tokens += cost
            if not request.waiting:
                continue
            if request is self._queue[0]:
                leftover = request
            else:
                kept.append(request)
        if leftover is not None:
            kept.append(leftover)
        self._queue = kept
        return batch

    def _drop_dead(self) -> None:
        now = self._clock.monotonic()
        alive: deque[_Request] = deque()
        for request in self._queue:
            if request.done.done():
                continue
            if request.deadline is not None and request.deadline <= now:
                request.fail(
                    DeadlineExceededError(
                        Reason.DEADLINE_EXCEEDED, "The deadline passed before the texts' turn came."
                    )
                )
                continue
            alive.append(request)
        self._queue = alive


class Ticket:
    """Room in the queue for one request; use it in a ``with``."""

    def __init__(self, batcher: Batcher, tokens: int) -> None:
        """Reserve `tokens`; prefer ``Batcher.admit``."""
        self._batcher = batcher
        self._tokens = tokens
        batcher.reserve(tokens)

    def settle(self, tokens: int) -> None:
        """Let the estimate give way to what the texts, now tokenised, really cost."""
        self._batcher.reserve(tokens - self._tokens)
        self._tokens = tokens

    async def run(self, asked: Asked, deadline: float | None) -> list[TextRows]:
        """Return what is wanted of each text.

        Args:
            asked: What is asked of a part.
            deadline: Monotonic seconds after which nobody waits any more.

        Raises:
            DeadlineExceededError: The deadline passed first.
            UnavailableError: The server shut down first (DRAINING).
        """
        return await self._batcher.run(asked, deadline)

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Give the room back."""
        self._batcher.reserve(-self._tokens)
