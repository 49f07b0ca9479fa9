"""What writers have in common whose files are made of nothing but tasks."""

from __future__ import annotations

from collections import Counter


class LineWriter:
    """A writer of a file without anything before the first or behind the last task.

    See `services.annotation.formats.records.Writer`; subclasses add `add`.
    """

    wants_predictions = False

    def __init__(self) -> None:
        """Begin a file."""
        self.omitted: Counter[str] = Counter()

    def begin(self) -> bytes:
        """Return what comes before the first task."""
        return b""

    def end(self) -> bytes:
        """Return what comes behind the last task."""
        return b""
