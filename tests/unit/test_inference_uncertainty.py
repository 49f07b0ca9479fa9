"""How sure models are of a text."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.common.modeling.choices import ControlChoice
from services.common.modeling.heads import Decoding
from services.inference.domain import Uncertainty
from services.inference.uncertainty import MOST, text_uncertainty

SURE = (0.0, 0.0, 1.0)
TORN = (0.5, 0.0, 0.5)
SINGLE = Decoding(scheme="single")


def tags(*labels: list[tuple[float, float, float]]) -> np.ndarray:
    return np.asarray(labels, dtype=np.float32)


def chosen(*chances: float) -> ControlChoice:
    values = tuple("abcdefgh"[: len(chances)])
    return ControlChoice(
        control="c",
        values=values,
        probabilities=np.asarray(chances, dtype=np.float32),
        chosen=(int(np.argmax(chances)),),
    )


def test_no_decision_is_sure() -> None:
    assert text_uncertainty([], []) == Uncertainty()
    assert text_uncertainty([tags([])], []) == Uncertainty()
    assert text_uncertainty([tags([SURE] * 9)], [(chosen(1.0), SINGLE)]) == Uncertainty()


def test_the_least_sure_words_count_however_long_the_text() -> None:
    few = text_uncertainty([tags([TORN] * MOST)], [])
    assert few.least_confidence == pytest.approx(0.5)
    assert few.margin == pytest.approx(1.0)
    assert few.entropy == pytest.approx(math.log(2) / math.log(3), abs=1e-5)
    assert text_uncertainty([tags([SURE] * 500 + [TORN] * MOST)], []) == few
    one = text_uncertainty([tags([SURE] * 500 + [TORN])], [])
    assert one.margin == pytest.approx(1.0 / MOST)
    assert text_uncertainty([tags([TORN])], []) == few


def test_of_a_word_the_least_sure_label_counts_and_of_trunks_all_labels() -> None:
    torn, sure = [TORN, SURE], [SURE, SURE]
    together = text_uncertainty([tags(torn, sure)], [])
    assert together.margin == pytest.approx(0.5)
    assert text_uncertainty([tags(sure), tags(torn)], []) == together


def test_a_single_choice_is_one_decision() -> None:
    found = text_uncertainty([], [(chosen(0.6, 0.3, 0.1), SINGLE)])
    assert found.least_confidence == pytest.approx(0.4)
    assert found.margin == pytest.approx(0.7)
    even = text_uncertainty([], [(chosen(0.25, 0.25, 0.25, 0.25), SINGLE)])
    assert even.entropy == pytest.approx(1.0)


def test_a_multiple_choice_is_torn_at_its_threshold() -> None:
    decoding = Decoding(scheme="multiple", thresholds=(0.2, 0.5))
    at = text_uncertainty([], [(chosen(0.2, 0.0), decoding)])
    assert at.margin == pytest.approx(0.5, abs=1e-3)
    above = text_uncertainty([], [(chosen(0.5, 0.0), decoding)])
    assert above.margin < at.margin
    certain = Decoding(scheme="multiple", thresholds=(0.0, 1.0))
    assert text_uncertainty([], [(chosen(0.3, 0.3), certain)]).margin == pytest.approx(0, abs=1e-6)


def test_of_words_and_controls_the_least_sure_decides() -> None:
    torn = [(chosen(0.5, 0.5), SINGLE)]
    assert text_uncertainty([tags([SURE])], torn).margin == pytest.approx(1.0)
    assert text_uncertainty([tags([TORN])], [(chosen(1, 0), SINGLE)]).margin == pytest.approx(1.0)


@given(
    st.lists(st.lists(st.floats(0, 1), min_size=3, max_size=3), min_size=1, max_size=12),
    st.lists(st.floats(0, 1), min_size=1, max_size=5),
    st.booleans(),
)
def test_measures_lie_between_0_and_1(
    words: list[list[float]], chances: list[float], several: bool
) -> None:
    rows = np.asarray([words], dtype=np.float32) + 1e-6
    rows /= rows.sum(axis=-1, keepdims=True)
    decoding = SINGLE
    values = np.asarray(chances)
    if several:
        decoding = Decoding(scheme="multiple", thresholds=tuple(chances))
    else:
        values = (values + 1e-6) / (values + 1e-6).sum()
    found = text_uncertainty([rows], [(chosen(*values), decoding)])
    for measure in (found.least_confidence, found.margin, found.entropy):
        assert 0.0 <= measure <= 1.0
