"""Identifiers as an injected dependency."""

from __future__ import annotations

import itertools
import secrets
import time
from typing import Protocol

# Crockford's base 32 in lower case: no i, l, o, u, safe in resource names and file names.
_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
# Two characters at a time: bulk imports make ids by the thousand.
_PAIRS = [first + second for first in _ALPHABET for second in _ALPHABET]


class IdSource(Protocol):
    """Where a service gets new ids."""

    def new(self) -> str:
        """Return an id never returned before: lower-case letters and digits."""
        ...


class SortableIds:
    """ULID-like ids: 48 bits of milliseconds, then 80 random bits; they sort by creation time."""

    def new(self) -> str:
        """Return a 26-character id."""
        value = (time.time_ns() // 1_000_000) << 80 | secrets.randbits(80)
        return "".join([_PAIRS[(value >> shift) & 1023] for shift in range(120, -1, -10)])


class CountingIds:
    """Predictable ids for tests: ``id000001``, ``id000002`` and so on."""

    def __init__(self) -> None:
        """Start at 1."""
        self._count = itertools.count(1)

    def new(self) -> str:
        """Return the next id."""
        return f"id{next(self._count):06d}"
