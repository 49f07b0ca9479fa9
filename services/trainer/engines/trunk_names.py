"""How trunks are named. Free of torch."""

from __future__ import annotations

EMBEDDED_PREFIX = "embedded:"
"""Begins the source of trunks that come with the trainer."""

TUNED_PREFIX = "tuned:"
"""Begins the source of trunks that a job tuned: they come from the registry, by digest, only."""

DEFAULT_TRUNK = "embedded:all-MiniLM-L6-v2"

PRECISIONS = ("int8", "fp16")
"""What may stand behind a source and an @, as in ``embedded:all-MiniLM-L6-v2@int8``: int8 is for
serving on a CPU, fp16 for a GPU. Without it: fp32, for both."""


def split_precision(source: str) -> tuple[str, str]:
    """Return a source without its precision, and the precision: ``fp32`` if it names none."""
    plain, at, precision = source.rpartition("@")
    return (plain, precision) if at and precision in PRECISIONS else (source, "fp32")
