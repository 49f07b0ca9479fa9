from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.common.modeling.decoding import DecodedSpan, decode_bio, decode_labels, probabilities
from services.common.modeling.evaluation import evaluate


def logits(tags: str, strength: float = 5.0) -> np.ndarray:
    result = np.zeros((len(tags), 3), dtype=np.float32)
    result[np.arange(len(tags)), ["BIO".index(tag) for tag in tags]] = strength
    return result


@pytest.mark.parametrize(
    ("tags", "spans"),
    [
        ("", []),
        ("OOO", []),
        ("BIO", [(0, 2)]),
        ("BBI", [(0, 1), (1, 3)]),
        ("OII", [(1, 3)]),
        ("IOB", [(0, 1), (2, 3)]),
        ("BIIB", [(0, 3), (3, 4)]),
        ("BOI", [(0, 1), (2, 3)]),
    ],
)
def test_decodes_spans(tags: str, spans: list[tuple[int, int]]) -> None:
    assert [(s.first, s.last) for s in decode_bio(logits(tags), 0.0)] == spans


def test_bias_moves_the_border_and_the_score() -> None:
    weak = logits("O", 1.0)
    assert decode_bio(weak, 0.0) == []
    (span,) = decode_bio(weak, -2.0)
    assert isinstance(span, DecodedSpan)
    chances = probabilities(weak, -2.0)
    assert span.score == pytest.approx(1 - chances[0, 2], abs=1e-6)
    assert 0.0 <= span.score <= 1.0


def test_score_is_the_mean_over_words() -> None:
    values = np.concatenate([logits("B", 8.0), logits("I", 1.0)])
    (span,) = decode_bio(values, 0.0)
    chances = 1 - probabilities(values, 0.0)[:, 2]
    assert span.score == pytest.approx(float(chances.mean()), abs=1e-6)


def test_probabilities_per_label_and_of_huge_logits() -> None:
    values = np.stack([logits("BO", 1e4), logits("BO", 1e4)])
    chances = probabilities(values, np.asarray([0.0, -3e4], np.float32))
    assert np.isfinite(chances).all()
    assert chances[0, 1, 2] == 1.0
    assert chances[1, 1, 2] == 0.0


def test_evaluation_counts_exact_spans() -> None:
    gold = [[(0, 3, "A"), (5, 9, "B")], [(0, 1, "A")]]
    predicted = [[(0, 3, "A"), (5, 8, "B"), (0, 3, "A")], []]
    result = evaluate(gold, predicted, ["A", "B", "C"])
    assert (result.labels["A"].precision, result.labels["A"].recall) == (1.0, 0.5)
    assert result.labels["B"].f1 == 0.0
    assert result.labels["C"].support == 0
    assert (result.micro.correct, result.micro.predicted, result.micro.support) == (1, 2, 3)
    assert result.micro.f1 == pytest.approx(0.4)
    assert result.macro_f1 == pytest.approx((2 / 3 + 0) / 2)
    assert result.to_document()["micro"]["support"] == 3


def test_evaluation_needs_as_many_predictions_as_texts() -> None:
    with pytest.raises(ValueError, match=r"zip|shorter|longer"):
        evaluate([[]], [], ["A"])


@given(st.integers(0, 5), st.integers(0, 6), st.integers(0, 2**32 - 1))
def test_many_labels_are_decoded_as_each_by_itself(labels: int, words: int, seed: int) -> None:
    draw = np.random.default_rng(seed)
    logits = (2 * draw.standard_normal((labels, words, 3))).astype(np.float32)
    biases = draw.standard_normal(labels).astype(np.float32)
    alone = [decode_bio(row, float(bias)) for row, bias in zip(logits, biases, strict=True)]
    together = decode_labels(logits, biases)
    assert [[(s.first, s.last) for s in found] for found in together] == [
        [(s.first, s.last) for s in found] for found in alone
    ]
    assert [s.score for found in together for s in found] == pytest.approx(
        [s.score for found in alone for s in found]
    )
