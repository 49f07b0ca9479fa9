"""Time as an injected dependency, so that tests can move it."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """Where a service reads the time."""

    def now(self) -> int:
        """Return wall-clock time as microseconds since the epoch, UTC."""
        ...

    def monotonic(self) -> float:
        """Return seconds on a clock that never goes back."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> int:
        """Return wall-clock time as microseconds since the epoch, UTC."""
        return time.time_ns() // 1000

    def monotonic(self) -> float:
        """Return seconds on a clock that never goes back."""
        return time.monotonic()


class ManualClock:
    """A clock for tests that moves only when told."""

    def __init__(self, now: int = 1_700_000_000_000_000) -> None:
        """Start at `now` microseconds."""
        self._now = now

    def now(self) -> int:
        """Return the time that was set last."""
        return self._now

    def monotonic(self) -> float:
        """Return the set time in seconds."""
        return self._now / 1e6

    def advance(self, seconds: float) -> None:
        """Move forward."""
        self._now += round(seconds * 1e6)
