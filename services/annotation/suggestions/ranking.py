"""Ranking texts for annotation. Pure functions over arrays; benchmarks run the very same.

Every strategy gives each text a measure, larger for what is more worth annotating. A mix cannot add
them up as they are, since an entropy and a distance have different scales: it adds up ranks, each
the share of the texts that a text is worth more than.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.annotation.suggestions.domain import Strategy, StrategyWeight

MEASURES = (Strategy.LEAST_CONFIDENCE, Strategy.MARGIN, Strategy.ENTROPY)
"""The strategies that models measure, in the order of `Pool.measures`."""

FARTHEST = 2.0
"""Cosine distance of opposite vectors: that of a text while there is nothing to be near to."""

# Rows of annotated texts that are compared with the open ones at a time.
_CENTRES_AT_ONCE = 64


@dataclass(frozen=True, kw_only=True, eq=False)
class Pool:
    """The texts to choose from, in order of creation.

    Attributes:
        measures: One row per text with the columns of `MEASURES`; NaN where no model said.
        embedded: The texts whose embeddings are known, ascending.
        embeddings: Unit vectors, one row for each of `embedded`.
        centres: Unit vectors of the texts that are annotated; may be empty.
    """

    measures: NDArray[np.float32]
    embedded: NDArray[np.int64]
    embeddings: NDArray[np.float32]
    centres: NDArray[np.float32]

    def __len__(self) -> int:
        """Return the number of texts."""
        return len(self.measures)


@dataclass(frozen=True, kw_only=True)
class Ranked:
    """A text at its place in the ranking; `known`: the strategy could judge it."""

    index: int
    score: float
    known: bool


def rank(pool: Pool, mix: Sequence[StrategyWeight], count: int, seed: int) -> list[Ranked]:
    """Return the `count` texts that are worth most, the best first.

    Texts that no strategy could judge come last, in order of creation. Of equal texts the older
    one comes first. The same arguments give the same answer.

    Args:
        pool: The texts.
        mix: One strategy, or several with their weights; not MIXED itself.
        count: How many are wanted.
        seed: Of what is random.
    """
    known = judged(pool, mix)
    if len(mix) == 1:
        (only,) = mix
        if only.strategy is Strategy.DIVERSITY:
            best = _farthest_first(pool, count)
        else:
            best = _top(_measure(pool, only.strategy, seed), known, count)
    else:
        best = _mixed(pool, mix, known, count, seed)
    found = [Ranked(index=index, score=score, known=True) for index, score in best]
    missing = np.flatnonzero(~known)[: count - len(found)]
    return found + [Ranked(index=int(index), score=0.0, known=False) for index in missing]


def judged(pool: Pool, mix: Sequence[StrategyWeight]) -> NDArray[np.bool_]:
    """Return which texts the strategies can judge.

    In a mix those count that need predictions, and one of them is enough.
    """
    needing = [one.strategy for one in mix if one.strategy.needs_predictions]
    if not needing:
        return np.ones(len(pool), dtype=np.bool_)
    found = np.zeros(len(pool), dtype=np.bool_)
    for strategy in needing:
        if strategy is Strategy.DIVERSITY:
            found[pool.embedded] = True
        else:
            found |= ~np.isnan(_measure(pool, strategy, 0))
    return found


def _measure(pool: Pool, strategy: Strategy, seed: int) -> NDArray[np.float64]:
    """Return the measure of each text by a strategy that looks at each text alone."""
    if strategy is Strategy.RANDOM:
        return np.random.default_rng(seed % 2**64).random(len(pool))
    if strategy is Strategy.SEQUENTIAL:
        return 1.0 - np.arange(len(pool)) / max(len(pool), 1)
    return pool.measures[:, MEASURES.index(strategy)].astype(np.float64)


def _top(
    measure: NDArray[np.float64], known: NDArray[np.bool_], count: int
) -> list[tuple[int, float]]:
    places = np.flatnonzero(known)
    order = places[np.argsort(-measure[places], kind="stable")][:count]
    return [(int(index), float(measure[index])) for index in order]


def _farthest_first(pool: Pool, count: int) -> list[tuple[int, float]]:
    """Return texts by greedy k-centre: always the one farthest from all centres so far.

    Without a centre the first is the text nearest to the mean of all, the most ordinary one.
    """
    if not len(pool.embedded):
        return []
    nearest = _nearest(pool)
    row = int(np.argmax(nearest))
    if not len(pool.centres):
        row = int(np.argmax(pool.embeddings @ pool.embeddings.mean(axis=0)))
    chosen: list[tuple[int, float]] = []
    while len(chosen) < min(count, len(pool.embedded)):
        chosen.append((int(pool.embedded[row]), float(nearest[row])))
        nearest = np.minimum(nearest, _distances(pool.embeddings, pool.embeddings[row]))
        # Not chosen again, not even when all that is left lies on a chosen one.
        nearest[row] = -1.0
        row = int(np.argmax(nearest))
    return chosen


def _mixed(
    pool: Pool,
    mix: Sequence[StrategyWeight],
    known: NDArray[np.bool_],
    count: int,
    seed: int,
) -> list[tuple[int, float]]:
    """Return texts by the weighted mean of their ranks; diversity is ranked anew at each step."""
    total = sum(one.weight for one in mix)
    value = np.zeros(len(pool))
    diversity = 0.0
    for one in mix:
        if one.strategy is Strategy.DIVERSITY:
            diversity = one.weight / total
        else:
            value += one.weight / total * _ranks(_measure(pool, one.strategy, seed))
    if not diversity or not len(pool.embedded):
        return _top(value, known, count)
    nearest = _nearest(pool)
    left = known.copy()
    chosen: list[tuple[int, float]] = []
    for _ in range(min(count, int(known.sum()))):
        step = value.copy()
        step[pool.embedded] += diversity * _ranks(nearest)
        best = int(np.argmax(np.where(left, step, -1.0)))
        chosen.append((best, float(step[best])))
        left[best] = False
        row = int(np.searchsorted(pool.embedded, best))
        if row < len(pool.embedded) and pool.embedded[row] == best:
            nearest = np.minimum(nearest, _distances(pool.embeddings, pool.embeddings[row]))
    return chosen


def _ranks(measure: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return for each text the share of the others that it is worth more than; unknown ones: 0."""
    ranks = np.zeros(len(measure))
    known = ~np.isnan(measure)
    values = measure[known]
    below = np.searchsorted(np.sort(values), values, side="left")
    ranks[known] = below / max(len(values) - 1, 1)
    return ranks


def _nearest(pool: Pool) -> NDArray[np.float32]:
    """Return the distance of each embedded text to the nearest centre."""
    nearest = np.full(len(pool.embedded), FARTHEST, dtype=np.float32)
    for start in range(0, len(pool.centres), _CENTRES_AT_ONCE):
        near = pool.embeddings @ pool.centres[start : start + _CENTRES_AT_ONCE].T
        np.minimum(nearest, 1.0 - near.max(axis=1), out=nearest)
    return np.maximum(nearest, 0.0)


def _distances(embeddings: NDArray[np.float32], centre: NDArray[np.float32]) -> NDArray[np.float32]:
    distances: NDArray[np.float32] = np.clip(1.0 - embeddings @ centre, 0.0, FARTHEST)
    return distances
