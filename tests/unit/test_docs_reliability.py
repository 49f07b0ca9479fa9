"""The page about faults shows a test for every row, and every test that it names is there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reliability.md"
HEAD = ["Fault", "Callers see", "Kept", "Heals", "Shown by"]
_REFERENCE = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")


def rows() -> Iterator[list[str]]:
    """Yield the cells of each row of each table; each table has the same columns."""
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    for before, line in zip(["", *lines], lines, strict=False):
        if not line.startswith("|"):
            continue
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if not before.startswith("|"):
            assert cells == HEAD, line
        elif not set(line) <= {"|", "-"}:
            yield cells


@pytest.mark.parametrize("cells", list(rows()), ids=lambda cells: cells[0][:50])
def test_every_row_names_tests_that_exist(cells: list[str]) -> None:
    assert len(cells) == len(HEAD), cells
    assert all(cells), cells
    references = _REFERENCE.findall(cells[-1])
    assert references
    assert cells[-1] == ", ".join(f"`{file}::{name}`" for file, name in references)
    for file, name in references:
        source = (ROOT / file).read_text(encoding="utf-8")
        assert re.search(rf"^(async )?def {name}\(", source, re.MULTILINE), f"{file}::{name}"


def test_no_fault_stands_twice_in_a_section() -> None:
    names = [(cells[0], cells[-1]) for cells in rows()]
    assert len(names) == len(set(names)) > 30
