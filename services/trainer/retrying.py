"""Calls to other services on behalf of a job: patient with absence, not with refusals."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

from services.common.clock import Clock
from services.common.errors import Code, SpanloopError
from services.trainer.domain import FailureReason, JobFailedError

T = TypeVar("T")

_MAY_PASS = (Code.UNAVAILABLE, Code.DEADLINE_EXCEEDED, Code.RESOURCE_EXHAUSTED)
_FIRST_PAUSE = 0.2
_LONGEST_PAUSE = 5.0


class CallPeer(Protocol):
    """Makes one call for a job, again while the peer is away."""

    def __call__(self, what: str, call: Callable[[], Awaitable[T]]) -> Awaitable[T]:
        """Return what `call` returns; `what` names it for people."""


class PeerCalls:
    """Repeats calls until a peer has been away for too long. The calls must be safe to repeat."""

    def __init__(
        self, clock: Clock, *, retry_seconds: float, note: Callable[[str, str], None]
    ) -> None:
        """Give up after `retry_seconds` without an answer; `note(level, message)` writes a log."""
        self._clock = clock
        self._retry_seconds = retry_seconds
        self._note = note

    async def __call__(self, what: str, call: Callable[[], Awaitable[T]]) -> T:
        """Return what `call` returns.

        Raises:
            JobFailedError: PEER_FAILED: the peer refused, or stayed away.
        """
        give_up = self._clock.monotonic() + self._retry_seconds
        pause = _FIRST_PAUSE
        noted = False
        while True:
            try:
                return await call()
            except SpanloopError as error:
                left = give_up - self._clock.monotonic()
                if error.code not in _MAY_PASS or left <= 0:
                    raise JobFailedError(
                        FailureReason.PEER_FAILED, f"{what} failed: {error.message}"
                    ) from error
                if not noted:
                    noted = True
                    self._note("warning", f"{what}: {error.message} Trying again.")
            # Full jitter: several trainers that lost one registry must not return in step.
            await asyncio.sleep(min(left, pause * random.uniform(0.5, 1.0)))  # noqa: S311
            pause = min(pause * 2, _LONGEST_PAUSE)
