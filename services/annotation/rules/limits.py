"""How large a rule set may be, and how much work one text may cause."""

from __future__ import annotations

import time

from services.common.errors import (
    DeadlineExceededError,
    Reason,
    ResourceExhaustedError,
)

MAX_RULES = 1_000
"""Rules in a set."""

MAX_TERMS = 100_000
"""Terms in all dictionaries of a set."""

MAX_TERM_LENGTH = 500
"""Code points in a term."""

MAX_TERM_BYTES = 4 << 20
"""UTF-8 bytes of all terms of a set."""

MAX_PATTERN_BYTES = 1 << 20
"""UTF-8 bytes of all regular expressions and token patterns (as JSON) of a set."""

MAX_MATCHES = 1_000_000
"""Matches in one text, before overlaps are resolved."""

DEFAULT_SECONDS = 30.0
"""Time of computing that one text may take."""

PREVIEW_SECONDS = 10.0
"""Time of computing that trying rules on a text may take."""

_CHECK_EVERY = 256


class Effort:
    """The work on one text so far; refuses to go on beyond its bounds.

    The bounds make what is linear per match bounded per text: a pattern such as ``x*y|x`` reads far
    beyond each of its matches, and nested terms (``a``, ``aa``, ``aaa``…) match at every place in
    every length. Time is that of computing, so what else the machine does makes no difference:
    begin and go on in one thread.
    """

    def __init__(self, seconds: float) -> None:
        """Begin; `seconds` is the time of this thread from now."""
        self._seconds = seconds
        self._end = time.thread_time() + seconds
        self._matches = 0
        self._steps = 0

    def match(self, rule: str) -> None:
        """Count a match of the rule with this id.

        Raises:
            ResourceExhaustedError: REQUEST_TOO_LARGE: there are too many.
            DeadlineExceededError: As `check`.
        """
        self._matches += 1
        if self._matches > MAX_MATCHES:
            raise ResourceExhaustedError(
                Reason.REQUEST_TOO_LARGE,
                f"The rules match more than {MAX_MATCHES:,} times in one text, the last time rule "
                f"{rule!r}: make the rules more specific or the text shorter.",
                metadata={"rule": rule, "limit": str(MAX_MATCHES)},
            )
        self.step(f"rule {rule!r}")

    def step(self, what: str) -> None:
        """Count a small step of work on `what`; looks at the time now and then."""
        self._steps += 1
        if self._steps % _CHECK_EVERY == 0:
            self.check(what)

    def check(self, what: str) -> None:
        """Look at the time.

        Raises:
            DeadlineExceededError: DEADLINE_EXCEEDED: it is up; the message names `what`.
        """
        if time.thread_time() > self._end:
            raise DeadlineExceededError(
                Reason.DEADLINE_EXCEEDED,
                f"The rules did not finish one text within {self._seconds:g} s of computing, at "
                f"last with {what}: simplify that, so that it does not read far beyond each of its "
                "matches, or make the text shorter.",
                metadata={"limit_s": f"{self._seconds:g}"},
            )
