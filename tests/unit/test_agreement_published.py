"""The coefficients against published worked examples, through the report on choices."""

from __future__ import annotations

import pytest

from services.annotation.agreement.domain import Annotation, ChoiceAgreement, Item
from services.annotation.agreement.report import agreement_report


def agreement(rows: list[list[str]]) -> ChoiceAgreement:
    """Return the agreement of annotators (columns) about items (rows); ``*`` is no answer."""
    items = [
        Item(
            id=str(number),
            words=(),
            annotations={
                f"a{column:02d}": Annotation(choices={"c": frozenset({value})})
                for column, value in enumerate(row)
                if value != "*"
            },
        )
        for number, row in enumerate(rows)
    ]
    (choices,) = agreement_report(items).choices
    return choices


def test_cohen_fifty_grant_proposals() -> None:
    # https://en.wikipedia.org/wiki/Cohen%27s_kappa#Simple_example
    rows = [["y", "y"]] * 20 + [["y", "n"]] * 5 + [["n", "y"]] * 10 + [["n", "n"]] * 15
    found = agreement(rows)
    assert found.pairs[0].cohen_kappa.value == pytest.approx(0.4)
    assert found.mean_cohen_kappa.value == pytest.approx(0.4)
    assert found.pairs[0].items == 50


@pytest.mark.parametrize(
    ("table", "kappa"),
    [((45, 15, 25, 15), 0.1304), ((25, 35, 5, 35), 0.2593)],
)
def test_cohen_same_percentage_different_numbers(
    table: tuple[int, int, int, int], kappa: float
) -> None:
    # https://en.wikipedia.org/wiki/Cohen%27s_kappa#Same_percentages_but_different_numbers
    pairs = (["y", "y"], ["y", "n"], ["n", "y"], ["n", "n"])
    rows = [pair for pair, count in zip(pairs, table, strict=True) for _ in range(count)]
    assert agreement(rows).pairs[0].cohen_kappa.value == pytest.approx(kappa, abs=5e-5)


def test_fleiss_fourteen_raters_of_ten_subjects() -> None:
    # https://en.wikipedia.org/wiki/Fleiss%27_kappa#Worked_example
    counts = [
        (0, 0, 0, 0, 14),
        (0, 2, 6, 4, 2),
        (0, 0, 3, 5, 6),
        (0, 3, 9, 2, 0),
        (2, 2, 8, 1, 1),
        (7, 7, 0, 0, 0),
        (3, 2, 6, 3, 0),
        (2, 5, 3, 2, 2),
        (6, 5, 2, 1, 0),
        (0, 2, 2, 3, 7),
    ]
    rows = [
        [str(category) for category, count in enumerate(row) for _ in range(count)]
        for row in counts
    ]
    found = agreement(rows)
    assert found.fleiss_kappa.value == pytest.approx(0.210, abs=5e-4)
    assert found.support.annotators == 14
    assert len(found.pairs) == 14 * 13 // 2


def test_krippendorff_three_coders_with_gaps() -> None:
    # https://en.wikipedia.org/wiki/Krippendorff%27s_alpha#A_computational_example
    coders = [
        ["*", "*", "*", "*", "*", "3", "4", "1", "2", "1", "1", "3", "3", "*", "3"],
        ["1", "*", "2", "1", "3", "3", "4", "3", "*", "*", "*", "*", "*", "*", "*"],
        ["*", "*", "2", "1", "3", "4", "4", "*", "2", "1", "1", "3", "3", "*", "4"],
    ]
    rows = [list(column) for column in zip(*coders, strict=True)]
    found = agreement(rows)
    assert found.krippendorff_alpha.value == pytest.approx(0.691, abs=5e-4)
    # Units 1, 2 and 14 have fewer than two values; 26 remain.
    assert found.support.items == 12
