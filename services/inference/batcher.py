"""Joins the texts of many requests into batches for the device.

- Work is admitted by its tokens; past the bound a request is refused with a time to come back.
- Requests that read with the same trunk share a batch, whatever projects they are of.
- Tenants take turns, and background work goes behind interactive requests; see ``FairQueue``.
- While callers are about, background work leaves the device alone mostly; see ``Courtesy``.
- Before each batch, requests whose caller left or whose deadline passed are dropped.
- Nothing waits for company: a batch is what is there when the device is free.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Hashable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol, Self, TypeAlias
from weakref import WeakSet

from services.common.clock import Clock
from services.common.errors import (
    DeadlineExceededError,
    Reason,
    ResourceExhaustedError,
    UnavailableError,
)
from services.common.logs import get_logger
from services.common.modeling.states import PreparedText, Segment, cut_segments
from services.inference.courtesy import Courtesy
from services.inference.engine.batch import Ask, BatchItem, run_batch
from services.inference.engine.part import (
    SEGMENT_WORDS,
    Part,
    SegmentAnswer,
    TextRows,
    WordExtent,
    segment_cost,
)
from services.inference.fair_queue import FairQueue

_log = get_logger(__name__)

# One tenant's part of the queue: what is left over is for the others.
_TENANT_SHARE = 0.75
# Seconds after which a refused caller may come back, at least and at most.
_RETRY_AFTER = (0.05, 30.0)
# Weight of the newest batch in the measured speed, and the speed before the first, tokens/s.
_NEWEST, _FIRST_SPEED = 0.2, 2000.0


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What is asked about texts.

    Attributes:
        asks: What is asked of each part; all read with the same trunk and windows.
        texts: The texts as the parts prepared them.
        given: For each text the spans whose status is wanted, for the asks that want statuses;
            None: no text has any.
    """

    asks: Sequence[Ask]
    texts: Sequence[PreparedText]
    given: Sequence[Sequence[WordExtent]] | None = None


@dataclass(frozen=True, kw_only=True)
class Caller:
    """Who asks.

    Attributes:
        tenant: Whose turn it counts as: the project.
        background: Whether nobody waits for the answer right now. Such work is not refused, as
            its number is bounded where it comes from, and does not count as queued.
    """

    tenant: str
    background: bool = False


class BatchRunner(Protocol):
    """Runs one batch on the device; see ``engine.worker.EngineThreads.run_batch``."""

    def __call__(
        self, work: Callable[[], list[list[SegmentAnswer | Exception]]], /
    ) -> Awaitable[list[list[SegmentAnswer | Exception]]]:
        """Run `work` and return what it returns."""
        ...


@dataclass(frozen=True, kw_only=True)
class _Work:
    """A segment of a request's text."""

    request: _Request
    place: int
    segment: Segment
    cost: int

    def item(self) -> BatchItem:
        given = self.request.given
        spans = given[self.place] if given else ()
        return BatchItem(
            segment=self.segment,
            asks=self.request.asks,
            given=[spans] * len(self.request.asks),
        )


Rows: TypeAlias = list[list[TextRows]]
"""For each ask the rows of each text."""


class _Request:
    """The texts of one caller and the rows that were computed for them."""

    def __init__(self, caller: Caller, asked: Asked, deadline: float | None) -> None:
        self.tenant, self.background = caller.tenant, caller.background
        self.asks = asked.asks
        self.given = asked.given
        self.deadline = deadline
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.results: Rows = [
            [TextRows.empty(text, ask.want) for text in asked.texts] for ask in asked.asks
        ]
        reach = max(ask.part.reach(ask.want) for ask in asked.asks)
        self.waiting: deque[_Work] = deque(
            _Work(request=self, place=place, segment=segment, cost=segment_cost(segment))
            for place, text in enumerate(asked.texts)
            for segment in cut_segments(text, SEGMENT_WORDS, reach)
        )
        self.unfinished = len(self.waiting)

    @property
    def device_key(self) -> Hashable:
        """The trunk (alive while it is queued)."""
        return id(self.asks[0].part.reading.trunk)

    def next_cost(self) -> int | None:
        return self.waiting[0].cost if self.waiting else None

    def take(self) -> _Work:
        return self.waiting.popleft()

    def deliver(self, work: _Work, answers: Sequence[SegmentAnswer | Exception]) -> None:
        for rows, answer in zip(self.results, answers, strict=True):
            if isinstance(answer, Exception):
                self.fail(answer)
                return
            rows[work.place].add(work.segment, answer)
        self.unfinished -= 1
        if self.unfinished == 0 and not self.done.done():
            self.done.set_result(None)

    def is_gone(self, now: float) -> bool:
        if self.deadline is not None and self.deadline <= now:
            self.fail(
                DeadlineExceededError(
                    Reason.DEADLINE_EXCEEDED, "The deadline passed before the texts' turn came."
                )
            )
        return self.done.done()

    def fail(self, error: Exception) -> None:
        self.waiting.clear()
        if not self.done.done():
            self.done.set_exception(error)


class Batcher:
    """The queue before the device. All methods run on the event loop's thread."""

    def __init__(
        self,
        runner: BatchRunner,
        *,
        batch_tokens: int,
        background_tokens: int,
        queue_tokens: int,
        clock: Clock,
    ) -> None:
        """Queue nothing yet; `start` begins to run batches.

        Args:
            runner: Runs a batch elsewhere; one at a time is given to it.
            batch_tokens: Tokens of one batch, unless a single piece of work is larger.
            background_tokens: The same for batches of background work.
            queue_tokens: Tokens of interactive requests admitted at once.
            clock: Deadlines are compared with its monotonic seconds.
        """
        self._runner = runner
        self._queue_tokens = queue_tokens
        self._clock = clock
        self._admitted: Counter[str] = Counter()
        self._background_admitted = 0
        self._queue: FairQueue[_Work] = FairQueue(
            batch_tokens=batch_tokens, background_tokens=background_tokens
        )
        self._running: list[_Request] = []
        self._courtesy = Courtesy()
        self._failed: WeakSet[Part] = WeakSet()
        self._speed = _FIRST_SPEED
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    def admitted_tokens(self) -> int:
        """Tokens of all interactive requests under way."""
        return self._admitted.total()

    @property
    def background_tokens(self) -> int:
        """Tokens of all background work under way."""
        return self._background_admitted

    @property
    def tokens_per_second(self) -> float:
        """How fast the device was of late."""
        return self._speed

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
        error = UnavailableError(Reason.DRAINING, "The server is shutting down.")
        self._queue.fail(error)
        for request in self._running:
            request.fail(error)
        self._running.clear()

    def admit(self, texts: Sequence[str], caller: Caller) -> Ticket:
        """Reserve room for texts that are not tokenised yet.

        A request that is larger than the whole queue is admitted when the queue is empty: it could
        never be answered otherwise.

        Raises:
            ResourceExhaustedError: Too many tokens are under way, of all or of this tenant
                (OVERLOADED).
        """
        tokens = sum(len(text) // 4 + 1 for text in texts)
        if not caller.background:
            admitted, own = self.admitted_tokens, self._admitted[caller.tenant]
            if admitted and admitted + tokens > self._queue_tokens:
                raise self._overloaded("Too many tokens are queued; try again.")
            if own and own + tokens > self._queue_tokens * _TENANT_SHARE:
                raise self._overloaded("Too many tokens of this project are queued; try again.")
        return Ticket(self, caller, tokens)

    def reserve(self, caller: Caller, tokens: int) -> None:
        """Count tokens as under way (negative: no longer); for `Ticket`."""
        if caller.background:
            self._background_admitted += tokens
            return
        self._admitted[caller.tenant] += tokens
        if not self._admitted[caller.tenant]:
            del self._admitted[caller.tenant]

    async def run(self, caller: Caller, asked: Asked, deadline: float | None) -> Rows:
        """Return what is wanted of each text; use ``Ticket.run``."""
        request = _Request(caller, asked, deadline)
        if request.unfinished:
            self._note(caller)
            self._queue.push(request)
            self._wake.set()
            try:
                await request.done
            finally:
                self._note(caller)
                # When the caller left, its future is cancelled: the queue drops it then.
                request.waiting.clear()
        return request.results

    def _note(self, caller: Caller) -> None:
        if not caller.background:
            self._courtesy.called(self._clock.monotonic())

    def _overloaded(self, message: str) -> ResourceExhaustedError:
        shortest, longest = _RETRY_AFTER
        return ResourceExhaustedError(
            Reason.OVERLOADED,
            message,
            metadata={"queue_tokens": str(self._queue_tokens)},
            # Half of what is queued is done by then.
            retry_after=min(max(self.admitted_tokens / self._speed / 2, shortest), longest),
        )

    async def _run(self) -> None:
        while True:
            now = self._clock.monotonic()
            self._queue.drop_gone(now)
            rest = self._courtesy.rest(now)
            batch = self._queue.next_batch(
                rests=rest > 0, background=self._courtesy.tokens(now, self._speed)
            )
            if not batch:
                self._wake.clear()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(rest if self._queue.has_background else None):
                        await self._wake.wait()
                continue
            self._running = [work.request for work in batch]
            await self._answer(batch)
            # While the queue is idle, nothing here may keep a bank that was swapped out.
            del batch
            self._running = []

    async def _answer(self, batch: Sequence[_Work]) -> None:
        started = self._clock.monotonic()
        try:
            answers = await self._runner(partial(run_batch, [work.item() for work in batch]))
            for work, answer in zip(batch, answers, strict=True):
                work.request.deliver(work, answer)
                self._note_failures(work, answer)
        except Exception as error:  # noqa: BLE001 - it goes to those who wait for this batch
            _log.error("batch_failed", segments=len(batch), exc_info=error)
            for work in batch:
                work.request.fail(error)
            return
        ended = self._clock.monotonic()
        if batch[0].request.background:
            self._courtesy.worked(started, ended)
        seconds = ended - started
        if seconds > 0:
            speed = sum(work.cost for work in batch) / seconds
            self._speed += _NEWEST * (speed - self._speed)

    def _note_failures(self, work: _Work, answers: Sequence[SegmentAnswer | Exception]) -> None:
        """Log how a part failed, the first time with the trace: it may fail every request."""
        for ask, answer in zip(work.request.asks, answers, strict=True):
            if isinstance(answer, Exception):
                known = ask.part in self._failed
                self._failed.add(ask.part)
                _log.error(
                    "part_failed",
                    tenant=work.request.tenant,
                    error=type(answer).__name__,
                    exc_info=None if known else answer,
                )


class Ticket:
    """Room in the queue for one request; use it in a ``with``."""

    def __init__(self, batcher: Batcher, caller: Caller, tokens: int) -> None:
        """Reserve `tokens`; prefer ``Batcher.admit``."""
        self._batcher = batcher
        self._caller = caller
        self._tokens = tokens
        batcher.reserve(caller, tokens)

    def settle(self, tokens: int) -> None:
        """Let the estimate give way to what the texts, now tokenised, really cost."""
        self._batcher.reserve(self._caller, tokens - self._tokens)
        self._tokens = tokens

    async def run(self, asked: Asked, deadline: float | None) -> Rows:
        """Return what is wanted of each text, for each ask.

        Args:
            asked: What is asked.
            deadline: Monotonic seconds after which nobody waits any more.

        Raises:
            DeadlineExceededError: The deadline passed first.
            UnavailableError: The server shut down first (DRAINING).
        """
        return await self._batcher.run(self._caller, asked, deadline)

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Give the room back."""
        self._batcher.reserve(self._caller, -self._tokens)
