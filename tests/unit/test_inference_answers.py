"""min_score and top_n."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from services.inference.answers import best_spans
from services.inference.domain import OpenTask, ScoredSpan
from services.inference.preannotate import slices


def span(start: int, end: int, score: float, label: str = "A") -> ScoredSpan:
    return ScoredSpan(start=start, end=end, label=label, score=score)


def test_top_1_takes_the_best_of_overlapping_spans() -> None:
    low, high, apart = span(0, 5, 0.6), span(3, 8, 0.9, "B"), span(8, 10, 0.1)
    assert best_spans([low, high, apart], 1) == [high, apart]


def test_top_2_lets_two_cover_a_character() -> None:
    spans = [span(0, 4, 0.9), span(0, 4, 0.8, "B"), span(2, 6, 0.7, "C"), span(4, 6, 0.6, "D")]
    assert best_spans(spans, 2) == [spans[0], spans[1], spans[3]]


def test_a_span_left_out_makes_room_for_a_worse_one() -> None:
    best, middle, last = span(0, 3, 0.9), span(2, 8, 0.8), span(4, 8, 0.7)
    assert best_spans([best, middle, last], 1) == [best, last]


def test_equal_scores_are_decided_the_same_way_each_time() -> None:
    spans = [span(0, 2, 0.5, "B"), span(0, 4, 0.5, "B"), span(0, 4, 0.5, "A"), span(1, 4, 0.5)]
    assert best_spans(spans, 1) == best_spans(spans[::-1], 1) == [span(0, 4, 0.5, "A")]


def test_0_is_no_limit() -> None:
    spans = [span(3, 4, 0.1), span(0, 9, 0.9, "B"), span(0, 9, 0.2)]
    assert best_spans(spans, 0) == sorted(spans)


@given(
    st.lists(
        st.builds(
            lambda start, length, score, label: span(start, start + length, score, label),
            st.integers(0, 30),
            st.integers(1, 10),
            st.sampled_from([0.1, 0.5, 0.9]),
            st.sampled_from("ABC"),
        ),
        max_size=20,
        unique=True,
    ),
    st.integers(1, 3),
)
def test_no_character_is_covered_too_often_and_nothing_fits_in_addition(
    spans: list[ScoredSpan], top_n: int
) -> None:
    chosen = best_spans(spans, top_n)
    depth = [sum(one.start <= at < one.end for one in chosen) for at in range(45)]
    assert max(depth) <= top_n
    for one in set(spans) - set(chosen):
        assert max(depth[one.start : one.end]) == top_n


@given(st.lists(st.integers(0, 100), max_size=30), st.integers(1, 40))
def test_slices_hold_every_task_once(lengths: list[int], tokens: int) -> None:
    tasks = [OpenTask(name=str(i), text="x" * length) for i, length in enumerate(lengths)]
    parts = slices(tasks, tokens)
    assert [task for part in parts for task in part] == tasks
    assert all(
        len(part) == 1 or sum(len(task.text) // 4 + 1 for task in part) <= tokens for part in parts
    )
