"""Which texts the strategies put first."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.annotation.suggestions.domain import (
    DEFAULT_MIX,
    Strategy,
    StrategyWeight,
    checked_mix,
)
from services.annotation.suggestions.ranking import FARTHEST, Pool, judged, rank
from services.common.errors import InvalidArgumentError

NAN = float("nan")


def only(strategy: Strategy) -> list[StrategyWeight]:
    return [StrategyWeight(strategy=strategy, weight=1.0)]


def unit(*degrees: float) -> np.ndarray:
    angles = np.radians(np.asarray(degrees, dtype=np.float64))
    return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32).reshape(-1, 2)


def pool(
    measures: Sequence[Sequence[float]],
    embedded: dict[int, float] | None = None,
    centres: Sequence[float] = (),
) -> Pool:
    """Return a pool whose embeddings and centres are angles in a plane."""
    found = embedded or {}
    return Pool(
        measures=np.asarray(measures, dtype=np.float32).reshape(-1, 3),
        embedded=np.asarray(sorted(found), dtype=np.int64),
        embeddings=unit(*(found[index] for index in sorted(found))),
        centres=unit(*centres),
    )


def places(ranked: Sequence[object]) -> list[int]:
    return [one.index for one in ranked]  # type: ignore[attr-defined]


MEASURED = [[0.1, 0.9, 0.2], [0.7, 0.3, 0.2], [NAN, NAN, NAN], [0.4, 0.5, 0.8]]


@pytest.mark.parametrize(
    ("strategy", "expected"),
    [
        (Strategy.LEAST_CONFIDENCE, [1, 3, 0, 2]),
        (Strategy.MARGIN, [0, 3, 1, 2]),
        (Strategy.ENTROPY, [3, 0, 1, 2]),
        (Strategy.SEQUENTIAL, [0, 1, 2, 3]),
    ],
)
def test_a_measure_ranks_and_unknown_texts_come_last(
    strategy: Strategy, expected: list[int]
) -> None:
    ranked = rank(pool(MEASURED), only(strategy), 10, 0)
    assert places(ranked) == expected
    scores = [one.score for one in ranked]
    assert scores == sorted(scores, reverse=True)
    assert all(0.0 <= score <= 1.0 for score in scores)
    unknown = [one.index for one in ranked if not one.known]
    assert unknown == ([2] if strategy.needs_predictions else [])
    assert places(rank(pool(MEASURED), only(strategy), 2, 0)) == expected[:2]


def test_random_is_of_its_seed() -> None:
    many = pool([[0.5, 0.5, 0.5]] * 50)
    first = rank(many, only(Strategy.RANDOM), 50, -7)
    assert first == rank(many, only(Strategy.RANDOM), 50, -7)
    assert places(first) != places(rank(many, only(Strategy.RANDOM), 50, 8))
    assert sorted(places(first)) == list(range(50))


def test_diversity_takes_the_text_farthest_from_what_is_annotated_or_taken() -> None:
    angles = {0: 10.0, 1: 90.0, 2: 95.0, 4: 180.0}
    ranked = rank(pool([[NAN] * 3] * 5, angles, [0.0]), only(Strategy.DIVERSITY), 5, 0)
    assert places(ranked) == [4, 1, 0, 2, 3]
    assert [one.known for one in ranked] == [True] * 4 + [False]
    assert ranked[0].score == pytest.approx(FARTHEST, abs=1e-5)
    assert ranked[1].score == pytest.approx(1.0, abs=1e-5)


def test_diversity_begins_with_the_most_ordinary_text_when_nothing_is_annotated() -> None:
    angles = {0: 0.0, 1: 45.0, 2: 50.0, 3: 100.0}
    ranked = rank(pool([[NAN] * 3] * 4, angles), only(Strategy.DIVERSITY), 3, 0)
    assert places(ranked)[:2] == [2, 0]
    assert ranked[0].score == FARTHEST


def test_equal_embeddings_are_each_suggested_once() -> None:
    same = pool([[NAN] * 3] * 4, dict.fromkeys(range(4), 30.0), [30.0])
    ranked = rank(same, only(Strategy.DIVERSITY), 4, 0)
    assert sorted(places(ranked)) == [0, 1, 2, 3]
    assert all(one.score == pytest.approx(0.0, abs=1e-6) for one in ranked)


def test_a_mix_weighs_ranks_not_values() -> None:
    # By value the margins differ by next to nothing, by rank as much as anything does.
    measures = [[0.0, 0.500, 0.0], [0.0, 0.501, 0.0], [0.0, 0.502, 0.9]]
    mix = [
        StrategyWeight(strategy=Strategy.MARGIN, weight=3.0),
        StrategyWeight(strategy=Strategy.ENTROPY, weight=1.0),
    ]
    ranked = rank(pool(measures), mix, 3, 0)
    assert places(ranked) == [2, 1, 0]
    assert [one.score for one in ranked] == pytest.approx([1.0, 0.375, 0.0])


def test_a_mix_with_diversity_keeps_away_from_what_it_took() -> None:
    # The two most uncertain texts lie together: the second of them gives way.
    measures = [[0, 0.9, 0], [0, 0.89, 0], [0, 0.5, 0], [0, 0.1, 0]]
    angles = {0: 0.0, 1: 1.0, 2: 120.0, 3: 2.0}
    mix = [
        StrategyWeight(strategy=Strategy.MARGIN, weight=0.5),
        StrategyWeight(strategy=Strategy.DIVERSITY, weight=0.5),
    ]
    assert places(rank(pool(measures, angles, [1.5]), mix, 2, 0)) == [0, 2]


def test_in_a_mix_one_strategy_that_can_judge_is_enough() -> None:
    partly = pool([[0.1] * 3, [NAN] * 3, [NAN] * 3], {1: 0.0})
    assert judged(partly, DEFAULT_MIX).tolist() == [True, True, False]
    ranked = rank(partly, DEFAULT_MIX, 3, 0)
    assert [one.index for one in ranked if not one.known] == [2]
    calm = [StrategyWeight(strategy=Strategy.RANDOM, weight=1.0), *only(Strategy.SEQUENTIAL)]
    assert judged(partly, calm).all()
    assert not judged(pool([[NAN] * 3]), DEFAULT_MIX).any()


def test_an_empty_pool_has_an_empty_ranking() -> None:
    for strategy in Strategy:
        mix = DEFAULT_MIX if strategy is Strategy.MIXED else only(strategy)
        assert rank(pool([]), mix, 5, 0) == []


@given(
    st.lists(
        st.tuples(st.one_of(st.just(NAN), st.floats(0, 1)), st.one_of(st.none(), st.floats(0, 359)))
    ),
    st.lists(st.floats(0, 359), max_size=3),
    st.integers(1, 12),
    st.sampled_from(list(Strategy)),
)
def test_whatever_the_pool_each_text_comes_once_and_the_known_ones_first(
    texts: list[tuple[float, float | None]],
    centres: list[float],
    count: int,
    strategy: Strategy,
) -> None:
    some = pool(
        [[value] * 3 for value, _ in texts],
        {index: angle for index, (_, angle) in enumerate(texts) if angle is not None},
        centres,
    )
    mix = DEFAULT_MIX if strategy is Strategy.MIXED else only(strategy)
    ranked = rank(some, mix, count, 3)
    assert len(ranked) == min(count, len(texts)) == len(set(places(ranked)))
    known = [one.known for one in ranked]
    assert known == sorted(known, reverse=True)
    limit = FARTHEST if strategy is Strategy.DIVERSITY else 1.0 + 1e-9
    assert all(0.0 <= one.score <= limit for one in ranked)


@pytest.mark.parametrize(
    ("strategy", "mix", "field"),
    [
        (Strategy.MARGIN, only(Strategy.MARGIN), "mix"),
        (Strategy.MIXED, only(Strategy.MIXED), "mix[0].strategy"),
        (Strategy.MIXED, [*DEFAULT_MIX, *only(Strategy.MARGIN)], "mix[3].strategy"),
        (Strategy.MIXED, [StrategyWeight(strategy=Strategy.MARGIN, weight=0)], "mix[0].weight"),
        (Strategy.MIXED, [StrategyWeight(strategy=Strategy.MARGIN, weight=NAN)], "mix[0].weight"),
        (
            Strategy.MIXED,
            [StrategyWeight(strategy=Strategy.MARGIN, weight=float("inf"))],
            "mix[0].weight",
        ),
    ],
)
def test_a_mix_that_is_none_is_refused(
    strategy: Strategy, mix: list[StrategyWeight], field: str
) -> None:
    with pytest.raises(InvalidArgumentError) as refused:
        checked_mix(strategy, mix)
    assert [one.field for one in refused.value.violations] == [field]
