"""One run of the trunk for all that is asked; long texts cut without a trace."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from services.common.modeling.assertions import assert_spans
from services.common.modeling.choices import classify, decide_choices
from services.common.modeling.onnx.sessions import DeviceOptions
from services.common.modeling.states import cut_segments
from services.inference.engine import part as engine
from services.inference.engine.batch import Ask, BatchItem, run_batch
from services.inference.engine.part import (
    Part,
    SegmentAnswer,
    TextRows,
    Want,
    WordExtent,
    clipped,
)
from services.inference.judging import Judged, word_extents
from tests.support.inference import (
    STATUSES,
    TEXT,
    golden_part,
    tiny_adapter,
    tiny_assertion,
    tiny_pooled,
    tiny_trunk,
)

PARTY, DATE = tiny_adapter("PARTY"), tiny_adapter("DATE")
TOPIC = tiny_pooled("topic")
TAGS = tiny_pooled("tags", classes=("x", "y"), thresholds=(0.4, 0.7))
ALL = Want(labels=(0, 1), controls=(0, 1), statuses=True, embedding=True)
LONG = " ".join(f"{TEXT} word{number}." for number in range(12))


@pytest.fixture(scope="module")
def part() -> Part:
    return golden_part([PARTY, DATE, TOPIC, TAGS, tiny_assertion()])


def run(
    part: Part,
    text: str,
    want: Want = ALL,
    given: tuple[WordExtent, ...] = (),
    segment_words: int = engine.SEGMENT_WORDS,
) -> TextRows:
    """Run the segments of a text one by one, as a busy queue does."""
    (prepared,) = part.predictor.prepare([text])
    rows = TextRows.empty(prepared, want)
    ask = Ask(part=part, want=want)
    for segment in cut_segments(prepared, segment_words, part.reach(want)):
        ((answer,),) = run_batch([BatchItem(segment=segment, asks=[ask], given=[given])])
        assert isinstance(answer, SegmentAnswer)
        rows.add(segment, answer)
    return rows


def test_a_part_says_what_the_shared_functions_say(part: Part) -> None:
    assert part.choices is not None
    assert part.assertion is not None
    reader = part.predictor.reader
    (prepared,) = part.predictor.prepare([TEXT])
    rows = run(part, TEXT, given=((0, 2),))
    expected = part.predictor.logits([prepared])[0]
    np.testing.assert_allclose(rows.logits, expected, atol=1e-5)
    (chosen,) = classify(reader, part.choices, [prepared])
    for mine, theirs in zip(decide_choices(part.choices, rows.choices), chosen, strict=True):
        assert (mine.control, mine.values, mine.chosen) == (
            theirs.control, theirs.values, theirs.chosen,
        )  # fmt: skip
        np.testing.assert_allclose(mine.probabilities, theirs.probabilities, atol=1e-5)
    spans = part.predictor.decode(prepared, rows.logits)
    assert spans
    extents = [(span.start, span.end) for span in spans]
    (judged,) = assert_spans(reader, part.assertion, [prepared], [extents])
    found = Judged(part=part, prepared=prepared, rows=rows)
    assert not found.missing(extents)
    for statuses, row in zip(found.statuses(extents), judged, strict=True):
        assert dict(statuses) == pytest.approx(dict(zip(STATUSES, row, strict=True)), abs=1e-5)
        assert [score for _, score in statuses] == sorted(row, reverse=True)
    assert (0, 2) in rows.statuses


def test_a_part_says_the_same_of_states_on_the_device(part: Part) -> None:
    runner = tiny_trunk().runner(DeviceOptions(states="device"))
    other = golden_part([PARTY, DATE, TOPIC, TAGS, tiny_assertion()], runner=runner)
    assert part.choices is not None
    for text in (TEXT, LONG, "\ufffd", ""):
        mine, theirs = run(other, text, given=((0, 2),)), run(part, text, given=((0, 2),))
        np.testing.assert_allclose(mine.logits, theirs.logits, atol=1e-5)
        for one, wanted in zip(
            decide_choices(part.choices, mine.choices),
            decide_choices(part.choices, theirs.choices),
            strict=True,
        ):
            np.testing.assert_allclose(one.probabilities, wanted.probabilities, atol=1e-5)
        assert mine.statuses.keys() == theirs.statuses.keys()
        for extent, row in mine.statuses.items():
            np.testing.assert_allclose(row, theirs.statuses[extent], atol=1e-5)
        if mine.state_sum is not None:
            assert theirs.state_sum is not None
            np.testing.assert_allclose(mine.state_sum, theirs.state_sum, rtol=1e-5, atol=1e-4)
        # The functions that read for themselves.
        (prepared,) = part.predictor.prepare([text])
        assert part.assertion is not None
        assert other.choices is not None
        assert other.assertion is not None
        spans = [[(0, 8), (3, 9)]]
        for found, wanted in zip(
            assert_spans(other.predictor.reader, other.assertion, [prepared], spans),
            assert_spans(part.predictor.reader, part.assertion, [prepared], spans),
            strict=True,
        ):
            np.testing.assert_allclose(found, wanted, atol=1e-5)
        (chosen,) = classify(other.predictor.reader, other.choices, [prepared])
        (expected,) = classify(part.predictor.reader, part.choices, [prepared])
        for one, wanted in zip(chosen, expected, strict=True):
            np.testing.assert_allclose(one.probabilities, wanted.probabilities, atol=1e-5)


def test_the_trunk_runs_once_whatever_is_asked(part: Part, monkeypatch: pytest.MonkeyPatch) -> None:
    pieces = []
    trunk = part.predictor.reader.trunk
    original = trunk.run

    def count(ids: NDArray[np.int64], mask: NDArray[np.int64]) -> NDArray[np.float32]:
        pieces.append(int(mask.sum()))
        return original(ids, mask)

    monkeypatch.setattr(trunk, "run", count)
    run(part, TEXT, Want(labels=(0,)))
    alone, pieces[:] = sum(pieces), []
    run(part, TEXT, given=((1, 3),))
    assert sum(pieces) == alone


def test_a_cut_changes_nothing(part: Part) -> None:
    assert part.choices is not None
    whole = run(part, LONG)
    cut = run(part, LONG, segment_words=37)
    (prepared,) = part.predictor.prepare([LONG])
    assert len(prepared.words) > 4 * 37
    np.testing.assert_allclose(cut.logits, whole.logits, atol=1e-4)
    for one, other in zip(
        decide_choices(part.choices, cut.choices),
        decide_choices(part.choices, whole.choices),
        strict=True,
    ):
        np.testing.assert_allclose(one.probabilities, other.probabilities, atol=1e-4)
    assert cut.statuses.keys() == whole.statuses.keys()
    for extent, row in cut.statuses.items():
        np.testing.assert_allclose(row, whole.statuses[extent], atol=1e-4)
    assert cut.state_sum is not None
    assert whole.state_sum is not None
    np.testing.assert_allclose(cut.state_sum, whole.state_sum, rtol=1e-4, atol=1e-3)


def test_a_very_long_span_is_judged_by_its_first_words(
    part: Part, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "MAX_SPAN_WORDS", 5)
    (prepared,) = part.predictor.prepare([LONG])
    extent = (0, len(LONG))
    assert word_extents(prepared.words, [extent]) == [(0, 5)] == [clipped(0, 400)]
    rows = run(part, LONG, given=((0, 5),))
    assert not Judged(part=part, prepared=prepared, rows=rows).missing([extent])


def test_a_span_without_a_word_has_the_prior(part: Part) -> None:
    for text in ("", "Ada    "):
        (prepared,) = part.predictor.prepare([text])
        judged = Judged(part=part, prepared=prepared, rows=run(part, text))
        spans = [(len(text) - 1, len(text))] if text else [(0, 0)]
        assert not judged.missing(spans)
        (statuses,) = judged.statuses(spans)
        assert sum(score for _, score in statuses) == pytest.approx(1.0)
        bias = tiny_assertion().load().tensors["head_bias"]
        assert statuses[0][0] == STATUSES[int(np.argmax(bias))]


def test_a_part_answers_only_what_is_wanted(part: Part) -> None:
    rows = run(part, TEXT, Want(controls=(1,)))
    assert rows.logits.shape[0] == 0
    assert rows.statuses == {}
    assert rows.state_sum is None
    assert len(rows.choices[0].sums) == 1
    assert run(part, TEXT, Want(labels=(0,))).choices == []


def test_words_of_spans() -> None:
    words = [(0, 3), (4, 7), (9, 12)]
    spans = [(0, 3), (1, 2), (2, 5), (4, 12), (7, 9), (12, 14), (0, 1)]
    expected = [(0, 1), (0, 1), (0, 2), (1, 3), (2, 2), (3, 3), (0, 1)]
    assert word_extents(words, spans) == expected
    assert word_extents([], [(0, 1)]) == [(0, 0)]
    assert word_extents(words, []) == []
