"""From measurements to figures."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence


def quantile(values: Sequence[float], share: float) -> float:
    """Return the smallest value that at least this share of the values does not exceed.

    Raises:
        ValueError: There are no values.
    """
    if not values:
        raise ValueError("a quantile of nothing")
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def p50(values: Sequence[float]) -> float:
    """Return the median."""
    return quantile(values, 0.5)


def p99(values: Sequence[float]) -> float:
    """Return the value that one in a hundred exceeds."""
    return quantile(values, 0.99)


def slope(points: Sequence[tuple[float, float]]) -> float:
    """Return the least-squares slope of (x, y) points; 0 when all share one x."""
    if not points:
        raise ValueError("a slope of nothing")
    mean_x = math.fsum(x for x, _ in points) / len(points)
    mean_y = math.fsum(y for _, y in points) / len(points)
    spread = math.fsum((x - mean_x) ** 2 for x, _ in points)
    if not spread:
        return 0.0
    return math.fsum((x - mean_x) * (y - mean_y) for x, y in points) / spread


def goals(**met: bool) -> dict[str, object]:
    """Return the goals that were met and those that were missed, by name."""
    return {
        "goals_met": [name for name, is_met in met.items() if is_met],
        "goals_missed": [name for name, is_met in met.items() if not is_met],
    }


def machine() -> dict[str, object]:
    """Return what a figure must be read with: cores, and how busy they were."""
    return {"cores": os.cpu_count(), "load_average": round(os.getloadavg()[0], 1)}
