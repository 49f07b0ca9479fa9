"""Coefficients of agreement corrected for chance, over counted ratings.

Ratings are counted, not listed: units that were rated alike are one entry, so that the millions of
words without any label cost nothing. Libraries for Fleiss' kappa and Krippendorff's alpha want a
row per unit; but both follow exactly from Cohen's kappa over all ordered pairs of ratings within
units, which scikit-learn computes from weighted pairs. (The tests hold them to statsmodels and
krippendorff.) What is undefined is told apart first, so that no caller ever sees a NaN.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping
from itertools import permutations
from typing import TypeVar

from services.annotation.agreement.domain import Measure

C = TypeVar("C", bound=Hashable)
"""A category: what a unit was rated as; compared by equality only."""

MAX_CATEGORIES = 2_000
"""Categories that are told apart; a table of their square is held in memory."""

NO_PAIR = "No two annotators rated the same unit."
ONE_CATEGORY = "Everything was rated alike, so that agreement by chance is certain."


def cohen_kappa(counts: Mapping[tuple[C, C], int]) -> Measure:
    """Return Cohen's kappa of two annotators.

    Args:
        counts: How many units the first rated as the one and the second as the other category.

    Returns:
        Undefined when there are no units, both used one and the same category only, or there are
        more than `MAX_CATEGORIES`.
    """
    return _kappa(counts)


def fleiss_kappa(ratings: Mapping[tuple[C, ...], int]) -> Measure:
    """Return Fleiss' kappa.

    It needs the same number of ratings for each unit. Where that differs, the units count that have
    the most frequent number of ratings of at least two (of equally frequent ones the larger).

    Args:
        ratings: How many units were rated so: by each of their annotators one category, in any
            order.

    Returns:
        Undefined when no unit has two ratings, all ratings are alike, or there are more than
        `MAX_CATEGORIES`.
    """
    by_raters: Counter[int] = Counter()
    for rating, count in ratings.items():
        if len(rating) > 1:
            by_raters[len(rating)] += count
    if not +by_raters:
        return Measure(value=None, reason=NO_PAIR)
    raters = max(by_raters, key=lambda number: (by_raters[number], number))
    # With equally many pairs in each unit, both margins of the table of pairs are the shares of
    # the categories, by which Fleiss reckons chance.
    return _kappa(_ordered_pairs({r: count for r, count in ratings.items() if len(r) == raters}))


def krippendorff_alpha(ratings: Mapping[tuple[C, ...], int]) -> Measure:
    """Return Krippendorff's alpha for nominal categories.

    Args:
        ratings: How many units were rated so, as in `fleiss_kappa`; those with fewer than two
            ratings do not count.

    Returns:
        Undefined when no unit has two ratings, all ratings are alike, or there are more than
        `MAX_CATEGORIES`.
    """
    # The weighted pairs are Krippendorff's table of coincidences, whose sum is the number of
    # ratings. He draws the pairs of chance without putting back: n - 1 in place of n.
    kappa = _kappa(_ordered_pairs(ratings))
    if kappa.value is None:
        return kappa
    total = sum(len(rating) * count for rating, count in ratings.items() if len(rating) > 1)
    return Measure(value=1 - (1 - kappa.value) * (total - 1) / total)


def mean(measures: Iterable[Measure]) -> Measure:
    """Return the mean of the measures that are defined; undefined when none is."""
    listed = list(measures)
    values = [one.value for one in listed if one.value is not None]
    if values:
        return Measure(value=sum(values) / len(values))
    return Measure(value=None, reason=listed[0].reason if listed else NO_PAIR)


def _kappa(weights: Mapping[tuple[C, C], float]) -> Measure:
    present = {pair: weight for pair, weight in weights.items() if weight}
    if not present:
        return Measure(value=None, reason=NO_PAIR)
    categories = dict.fromkeys(category for pair in present for category in pair)
    if len(categories) == 1:
        return Measure(value=None, reason=ONE_CATEGORY)
    if len(categories) > MAX_CATEGORIES:
        return Measure(
            value=None,
            reason=f"{len(categories):,} different ratings are more than can be compared "
            f"({MAX_CATEGORIES:,}): choose fewer items.",
        )
    from sklearn.metrics import (  # it has no types
        cohen_kappa_score,
    )

    codes = {category: code for code, category in enumerate(categories)}
    return Measure(
        value=float(
            cohen_kappa_score(
                [codes[first] for first, _ in present],
                [codes[second] for _, second in present],
                labels=list(codes.values()),
                sample_weight=list(present.values()),
            )
        )
    )


def _ordered_pairs(ratings: Mapping[tuple[C, ...], int]) -> dict[tuple[C, C], float]:
    """Return how often each ordered pair of ratings stands in a unit, so that each rating is one.

    A rating of a unit with m of them stands first in m - 1 pairs, each of which weighs 1/(m - 1).
    """
    pairs: dict[tuple[C, C], float] = {}
    for rating, count in ratings.items():
        alike = Counter(rating)
        for category, times in alike.items():
            if times > 1:
                _weigh(pairs, (category, category), times * (times - 1), len(rating), count)
        for first, second in permutations(alike, 2):
            _weigh(pairs, (first, second), alike[first] * alike[second], len(rating), count)
    return pairs


def _weigh(
    pairs: dict[tuple[C, C], float], pair: tuple[C, C], times: int, raters: int, count: int
) -> None:
    pairs[pair] = pairs.get(pair, 0.0) + count * times / (raters - 1)
