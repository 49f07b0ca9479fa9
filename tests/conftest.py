"""Read before any test module."""

from __future__ import annotations

import os

# Tests run in several processes beside each other: threads that wait for each other, spinning,
# would take the cores from those. Read when torch is imported, here and in what tests start.
os.environ.setdefault("OMP_NUM_THREADS", "1")
