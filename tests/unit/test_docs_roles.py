"""The page about roles says what the service checks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.annotation.access import ROLES, WITHOUT_PROJECT
from services.annotation.domain import Role

PAGE = Path(__file__).parents[2] / "docs" / "roles.md"
COLUMNS = [Role.OWNER, Role.MANAGER, Role.ANNOTATOR, Role.REVIEWER, Role.SERVICE]
NEVER = "–"
# What a cell may say of who is let in; the words are explained below the table.
CELLS = {"✓": True, "own": True, "not own": True, "others": True, NEVER: False}


def rows(page: str, head: str) -> Iterator[list[str]]:
    """Yield the cells of each row of the table whose first header cell is `head`."""
    lines = page.splitlines()
    starts = [number for number, line in enumerate(lines) if line.startswith(f"| {head} |")]
    assert len(starts) == 1, f"{PAGE} needs one table that begins with the column {head!r}"
    for line in lines[starts[0] + 2 :]:
        if not line.startswith("|"):
            return
        yield [cell.strip() for cell in line.strip().strip("|").split("|")]


def documented(page: str) -> dict[str, frozenset[Role]]:
    found: dict[str, frozenset[Role]] = {}
    for methods, *cells in rows(page, "Methods"):
        assert len(cells) == len(COLUMNS), methods
        assert set(cells) <= CELLS.keys(), methods
        roles = {role for role, cell in zip(COLUMNS, cells, strict=True) if CELLS[cell]}
        for method in re.findall(r"`(\w+)`", methods):
            assert method not in found, f"{method} stands in two rows"
            found[method] = frozenset(roles)
    return found


def test_the_table_of_roles_is_the_one_that_the_service_checks() -> None:
    assert documented(PAGE.read_text(encoding="utf-8")) == dict(ROLES)


def test_the_columns_are_the_roles_in_the_order_that_is_read_here() -> None:
    page = PAGE.read_text(encoding="utf-8")
    (header,) = [line for line in page.splitlines() if line.startswith("| Methods |")]
    names = [cell.strip().lower() for cell in header.strip().strip("|").split("|")][1:]
    assert names == [role.value.lower() for role in COLUMNS]
    assert set(COLUMNS) == set(Role)


def test_the_page_says_whom_methods_without_a_project_let_in() -> None:
    found = {
        method.strip("`"): who for method, who in rows(PAGE.read_text(encoding="utf-8"), "Method")
    }
    assert found == dict(WITHOUT_PROJECT)


@pytest.mark.parametrize(
    ("row", "changed"),
    [
        ("| `PurgeTask` | ✓ | – | – | – | – |", "| `PurgeTask` | ✓ | ✓ | – | – | – |"),
        ("| `PurgeTask` | ✓ | – | – | – | – |", "| `PurgeProject` | ✓ | – | – | – | – |"),
    ],
)
def test_a_table_that_differs_is_noticed(row: str, changed: str) -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert row in page
    assert documented(page.replace(row, changed)) != dict(ROLES)
