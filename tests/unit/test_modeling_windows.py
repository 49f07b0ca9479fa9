from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.common.modeling.windows import plan_windows


@given(
    st.lists(st.booleans(), max_size=300),
    st.integers(1, 40),
    st.integers(0, 40),
)
def test_every_piece_has_one_owner_inside_its_window(
    initial: list[bool], capacity: int, overlap: int
) -> None:
    windows = plan_windows(np.asarray(initial, dtype=np.bool_), capacity, overlap)
    owned = [piece for window in windows for piece in range(window.own_start, window.own_end)]
    assert owned == list(range(len(initial)))
    for window in windows:
        assert 0 < window.end - window.start <= capacity
        assert window.start <= window.own_start < window.own_end <= window.end


def test_a_short_text_is_one_window() -> None:
    (window,) = plan_windows(np.ones(10, dtype=np.bool_), 10, 4)
    assert (window.start, window.end, window.own_start, window.own_end) == (0, 10, 0, 10)


def test_borders_fall_between_words_and_owned_pieces_have_context() -> None:
    initial = np.zeros(300, dtype=np.bool_)
    initial[::3] = True
    windows = plan_windows(initial, 50, 16)
    assert len(windows) > 5
    for before, after in itertools.pairwise(windows):
        assert initial[after.start]
        assert initial[before.own_end]
        assert before.end - before.own_end >= 4
        assert after.own_start - after.start >= 4


def test_a_word_longer_than_a_window_is_cut() -> None:
    initial = np.zeros(100, dtype=np.bool_)
    initial[0] = True
    assert plan_windows(initial, 30, 8)[-1].own_end == 100


@pytest.mark.parametrize(("capacity", "overlap"), [(0, 0), (5, -1)])
def test_refuses_impossible_windows(capacity: int, overlap: int) -> None:
    with pytest.raises(ValueError, match="capacity"):
        plan_windows(np.ones(3, dtype=np.bool_), capacity, overlap)
