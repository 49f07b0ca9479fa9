"""Read before any test module."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

# Tests run in several processes beside each other: threads that wait for each other, spinning,
# would take the cores from those. Read when torch is imported, here and in what tests start.
os.environ.setdefault("OMP_NUM_THREADS", "1")

_SLOW = Path(__file__).parent / "e2e"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Spread the end-to-end tests over the run, but for its last fifth.

    Whole stacks beside each other would take each other's time, and at the end they would leave
    the other processes without work.
    """
    files = list(dict.fromkeys(item.path for item in items))
    slow = [path for path in files if path.is_relative_to(_SLOW)]
    others = [path for path in files if not path.is_relative_to(_SLOW)]
    apart = len(others) * 0.8 / max(len(slow), 1)
    places = {path: float(place) for place, path in enumerate(others)}
    places |= {path: number * apart - 0.5 for number, path in enumerate(slow)}
    items.sort(key=lambda item: places[item.path])
