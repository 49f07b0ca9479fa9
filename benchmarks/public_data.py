"""Where the public data sets lie that benchmarks measure on."""

from __future__ import annotations

import os
from pathlib import Path

DATA = Path(os.environ.get("SPANLOOP_TEST_DATA", Path(__file__).parents[2] / "shared" / "data"))
"""The folder of all sets, one folder each: the one in which the tests look, too."""
