"""How far background work stands back while callers are about.

A batch that runs cannot be stopped, so a caller who comes meanwhile waits for its end. While
callers come, batches of background work are therefore short, and after each the device is left
alone for some time: most callers find it idle. Nobody starves: the share of background work is
bounded, not nothing, and all of the device is its own when nobody has called for a moment.
"""

from __future__ import annotations

ABOUT_SECONDS = 1.0
"""Callers are about for so long after the last one was here."""

BATCH_SECONDS = 0.03
"""How long a batch of background work may take while they are."""

REST = 3.0
"""What the device is left alone for after it, by what it took."""


class Courtesy:
    """Bookkeeping of who was here when; times are monotonic seconds."""

    def __init__(self) -> None:
        """Nobody was here yet."""
        self._called = float("-inf")
        self._rests_until = float("-inf")

    def called(self, now: float) -> None:
        """Note that a caller came, or went with an answer."""
        self._called = now

    def worked(self, begun: float, ended: float) -> None:
        """Note a batch of background work."""
        self._rests_until = ended + REST * (ended - begun)

    def rest(self, now: float) -> float:
        """Return the seconds for which background work is not begun; 0: it may be."""
        return max(self._rests_until - now, 0.0) if self._about(now) else 0.0

    def tokens(self, now: float, tokens_per_second: float) -> int | None:
        """Return the tokens that a batch of background work may have; None: any number."""
        if not self._about(now):
            return None
        return max(int(tokens_per_second * BATCH_SECONDS), 1)

    def _about(self, now: float) -> bool:
        return now - self._called < ABOUT_SECONDS
