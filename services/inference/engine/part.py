"""What one trunk answers: the trunk runs once over a text, and all that reads its states follows.

A text is cut into segments of bounded length, so that no text keeps the device for longer than a
batch. Segments overlap by what the words that they own may need of their neighbours.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from services.common.modeling.adapter import AdapterWeights
from services.common.modeling.assertions import span_group, status_probabilities
from services.common.modeling.choices import ChoicePart, choice_parts
from services.common.modeling.decoding import decode_labels
from services.common.modeling.onnx.pooled import PooledBank
from services.common.modeling.onnx.trunk import TrunkRunner
from services.common.modeling.packing import BankInputs, state_sums
from services.common.modeling.predictor import TextPredictor, bank_logits
from services.common.modeling.span_windows import MAX_SPAN_WORDS, WINDOW
from services.common.modeling.states import PreparedText, Segment

SEGMENT_WORDS = 2048
"""Words that one segment owns."""

WordExtent: TypeAlias = tuple[int, int]
"""First and past-the-last word of a span in its text."""


@dataclass(frozen=True, kw_only=True)
class Want:
    """What is asked of a part; texts of which the same is asked share a batch.

    Attributes:
        labels: Positions in the bank of tags.
        controls: Positions in the bank of choices.
        statuses: Whether the status of spans is judged: of those that the wanted labels give, and
            of those that are given.
        embedding: Whether the states are summed up.
    """

    labels: tuple[int, ...] = ()
    controls: tuple[int, ...] = ()
    statuses: bool = False
    embedding: bool = False


@dataclass(frozen=True, kw_only=True)
class SegmentAnswer:
    """What was wanted of the words that a segment owns.

    Attributes:
        logits: Of B, I and O, [labels, words, 3].
        choices: None when no control is wanted.
        statuses: Probability of each status, by the span's words in the text, for the spans that
            begin here.
        state_sum: Sum of the last states of the words that the trunk saw; None when not wanted.
    """

    logits: NDArray[np.float32]
    choices: ChoicePart | None
    statuses: dict[WordExtent, NDArray[np.float32]]
    state_sum: NDArray[np.float32] | None


@dataclass(kw_only=True)
class TextRows:
    """What was wanted of a text, filled in segment by segment; see `SegmentAnswer`."""

    logits: NDArray[np.float32]
    choices: list[ChoicePart] = field(default_factory=list)
    statuses: dict[WordExtent, NDArray[np.float32]] = field(default_factory=dict)
    state_sum: NDArray[np.float32] | None = None

    @classmethod
    def empty(cls, text: PreparedText, want: Want) -> TextRows:
        """Return room for the answers of a text."""
        shape = (len(want.labels), len(text.words), 3)
        return cls(logits=np.empty(shape, dtype=np.float32))

    def add(self, segment: Segment, answer: SegmentAnswer) -> None:
        """Take over what one segment says."""
        self.logits[:, segment.own_start : segment.own_end] = answer.logits
        if answer.choices is not None:
            self.choices.append(answer.choices)
        self.statuses |= answer.statuses
        if answer.state_sum is not None:
            before = 0.0 if self.state_sum is None else self.state_sum
            self.state_sum = before + answer.state_sum


@dataclass(frozen=True, kw_only=True)
class Reading:
    """How a trunk reads texts.

    Attributes:
        trunk: The open trunk.
        max_length: Pieces per window.
        stride: Pieces that neighbouring windows share.
    """

    trunk: TrunkRunner
    max_length: int
    stride: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Part:
    """The adapters of one trunk. Compared by identity, so that it can name a group of batches.

    Attributes:
        predictor: The trunk, and the bank of labels, which may have none.
        choices: The bank of controls.
        assertion: The bank of the one adapter for assertion statuses.
    """

    predictor: TextPredictor
    choices: PooledBank | None = None
    assertion: PooledBank | None = None

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels, in the order of the bank."""
        return self.predictor.bank.labels

    @property
    def controls(self) -> tuple[str, ...]:
        """The controls, in the order of the bank."""
        return () if self.choices is None else self.choices.labels

    @property
    def statuses(self) -> tuple[str, ...]:
        """The assertion statuses, in the order of their probabilities."""
        return () if self.assertion is None else self.assertion.classes(0)

    @property
    def trunk_digest(self) -> str:
        """Digest of the trunk."""
        return self.predictor.reader.trunk.manifest.digest

    @property
    def adapters(self) -> Iterator[AdapterWeights]:
        """All loaded adapters."""
        yield from self.predictor.bank.adapters
        for bank in (self.choices, self.assertion):
            if bank is not None:
                yield from bank.adapters

    @property
    def reading(self) -> Reading:
        """What texts must be prepared for: parts with the same share one run of the trunk."""
        reader = self.predictor.reader
        return Reading(trunk=reader.trunk, max_length=reader.max_length, stride=reader.stride)

    def reach(self, want: Want) -> int:
        """Return how many words on either side of a segment's own ones may change its answers."""
        reach = self.predictor.bank.reach
        if self.choices is not None and want.controls:
            reach = max(reach, self.choices.reach)
        if want.statuses:
            # A span is judged where it begins, and needs its words and those around it there. The
            # reach of the tags comes on top: where it ends must not depend on the cut.
            reach += MAX_SPAN_WORDS + WINDOW
        return reach

    def answer(
        self,
        segments: Sequence[Segment],
        inputs: Sequence[BankInputs],
        want: Want,
        given: Sequence[Sequence[WordExtent]] | None = None,
    ) -> list[SegmentAnswer]:
        """Return what is wanted of each segment.

        Args:
            segments: Cut with the ``reach`` of this `want` at least.
            inputs: What the trunk says about each segment.
            want: What is wanted.
            given: For each segment the spans of its text whose status is wanted, at most
                MAX_SPAN_WORDS long; those that begin elsewhere are left to the other segments.
        """
        if want.labels:
            rows = bank_logits(self.predictor.bank, inputs, want.labels)
        else:
            rows = [np.empty((0, len(item.present), 3), dtype=np.float32) for item in inputs]
        choices: Sequence[ChoicePart | None] = [None] * len(segments)
        if self.choices is not None and want.controls:
            choices = choice_parts(self.choices, segments, inputs, want.controls)
        statuses: Sequence[dict[WordExtent, NDArray[np.float32]]] = [{} for _ in segments]
        if want.statuses:
            extents = [
                {
                    *self._decoded(segment, row, want),
                    *(one for one in asked if segment.own_start <= one[0] < segment.own_end),
                }
                for segment, row, asked in zip(
                    segments, rows, given or [()] * len(segments), strict=True
                )
            ]
            statuses = self._judge(segments, inputs, extents)
        owned = [
            (segment.own_start - segment.start, segment.own_end - segment.start)
            for segment in segments
        ]
        sums: Sequence[NDArray[np.float32] | None] = [None] * len(segments)
        if want.embedding:
            sums = state_sums(inputs, owned)
        return [
            SegmentAnswer(
                logits=row[:, own[0] : own[1]], choices=choice, statuses=judged, state_sum=found
            )
            for own, row, choice, judged, found in zip(
                owned, rows, choices, statuses, sums, strict=True
            )
        ]

    def _decoded(
        self, segment: Segment, row: NDArray[np.float32], want: Want
    ) -> Iterator[WordExtent]:
        """Yield the spans that begin in a segment, cut to the length that is judged."""
        biases = self.predictor.bank.outside_bias[list(want.labels)]
        for found in decode_labels(row, biases):
            for span in found:
                first, last = segment.start + span.first, segment.start + span.last
                if segment.own_start <= first < segment.own_end:
                    yield clipped(first, last)

    def _judge(
        self,
        segments: Sequence[Segment],
        inputs: Sequence[BankInputs],
        extents: Sequence[set[WordExtent]],
    ) -> list[dict[WordExtent, NDArray[np.float32]]]:
        judged: list[dict[WordExtent, NDArray[np.float32]]] = [{} for _ in segments]
        places = [(place, one) for place, found in enumerate(extents) for one in sorted(found)]
        if self.assertion is None or not places:
            return judged
        groups = [
            span_group(inputs[place], first - segments[place].start, last - segments[place].start)
            for place, (first, last) in places
        ]
        rows = status_probabilities(self.assertion, groups)
        for (place, extent), row in zip(places, rows, strict=True):
            judged[place][extent] = row
        return judged


def clipped(first: int, last: int) -> WordExtent:
    """Return the words of a span that its status is judged by."""
    return first, min(last, first + MAX_SPAN_WORDS)


def segment_cost(segment: Segment) -> int:
    """Return about how many pieces a segment sends through the trunk, at least 1."""
    words = max(len(segment.text.words), 1)
    return max(1, segment.text.cost * (segment.end - segment.start) // words)
