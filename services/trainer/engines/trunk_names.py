"""How trunks are named. Free of torch."""

from __future__ import annotations

EMBEDDED_PREFIX = "embedded:"
"""Begins the source of trunks that come with the trainer."""

TUNED_PREFIX = "tuned:"
"""Begins the source of trunks that a job tuned: they come from the registry, by digest, only."""

DEFAULT_TRUNK = "embedded:all-MiniLM-L6-v2"

FP32 = "fp32"

PRECISIONS = ("int8", "fp16")
"""What may stand behind a trunk's source and an @, as in ``embedded:all-MiniLM-L6-v2@int8``: int8
is for serving on a CPU, fp16 for a GPU. A trunk without it is in fp32, for both. What a job asks
for may also say ``@fp32``."""


TRAINED_TWICE = ("int8",)
"""Precisions whose states are so far from those of fp32 that adapters must learn them: what they
cost is seen in a training on fp32 only. Of the others it is enough to read the trunk in fp32."""


def asked_precision(source: str) -> tuple[str, str]:
    """Return a source without its precision, and the precision: empty if it names none."""
    plain, at, precision = source.rpartition("@")
    return (plain, precision) if at and precision in (FP32, *PRECISIONS) else (source, "")


def split_precision(source: str) -> tuple[str, str]:
    """Return a source without its precision, and the precision: ``fp32`` if it names none."""
    plain, precision = asked_precision(source)
    return plain, precision or FP32


def in_precision(source: str, precision: str) -> str:
    """Return the source of a trunk, whatever its precision, in this one."""
    plain, _ = asked_precision(source)
    return plain if precision == FP32 else f"{plain}@{precision}"
