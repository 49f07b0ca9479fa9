"""The engine's batches without the queue before them."""

from __future__ import annotations

from collections.abc import Sequence

from services.common.modeling.states import PreparedText, Segment, cut_segments
from services.inference.engine.batch import Ask, BatchItem, run_batch
from services.inference.engine.part import SEGMENT_WORDS, SegmentAnswer


def segments_of(text: PreparedText, ask: Ask) -> list[Segment]:
    """Cut a text as the service does."""
    return cut_segments(text, SEGMENT_WORDS, ask.part.reach(ask.want))


def batch_of(segments: Sequence[Segment], ask: Ask) -> list[BatchItem]:
    """Return a batch of segments of which one thing is asked."""
    return [BatchItem(segment=segment, asks=[ask], given=[()]) for segment in segments]


def answers_of(batch: Sequence[BatchItem]) -> list[SegmentAnswer]:
    """Run a batch on the device; raises what a part raises."""
    answers = []
    for found in run_batch(batch) if batch else ():
        for answer in found:
            if isinstance(answer, Exception):
                raise answer
            answers.append(answer)
    return answers
