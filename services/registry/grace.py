"""How long what nobody refers to is kept after its last use."""

from __future__ import annotations

from dataclasses import dataclass

from services.common.clock import Clock


@dataclass(frozen=True, kw_only=True)
class Grace:
    """The grace period, longer than any call: what a call used stays until the call has ended."""

    seconds: int
    clock: Clock

    def now(self) -> int:
        """Return microseconds UTC."""
        return self.clock.now()

    def fresh(self) -> int:
        """Return the time after which a use need not be written down again: half a period ago."""
        return self.clock.now() - self.seconds * 500_000

    def over(self) -> int:
        """Return the time before which the last use must lie for something to be removed."""
        return self.clock.now() - self.seconds * 1_000_000
