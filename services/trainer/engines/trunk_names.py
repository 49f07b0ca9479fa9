"""How trunks are named. Free of torch."""

from __future__ import annotations

EMBEDDED_PREFIX = "embedded:"
"""Begins the source of trunks that come with the trainer."""

TUNED_PREFIX = "tuned:"
"""Begins the source of trunks that a job tuned: they come from the registry, by digest, only."""

DEFAULT_TRUNK = "embedded:all-MiniLM-L6-v2"
