"""One batch on the device: the trunk runs once over all its segments, whoever asked for them.

Projects that share a trunk share its run; only the banks behind it are their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from services.common.modeling.states import Segment
from services.inference.engine.part import Part, SegmentAnswer, Want, WordExtent


@dataclass(frozen=True, kw_only=True)
class Ask:
    """What is asked of one part.

    Attributes:
        part: The part.
        want: What is wanted.
    """

    part: Part
    want: Want


@dataclass(frozen=True, kw_only=True, eq=False)
class BatchItem:
    """One segment and all that is asked about it.

    Attributes:
        segment: Reaches as far as each of the asks needs.
        asks: All of parts with the same trunk.
        given: For each ask the spans of the text whose status is wanted.
    """

    segment: Segment
    asks: Sequence[Ask]
    given: Sequence[Sequence[WordExtent]]


def run_batch(items: Sequence[BatchItem]) -> list[list[SegmentAnswer | Exception]]:
    """Return for each item the answer to each of its asks.

    A part that fails costs only those who asked it their answer: they get what was raised.

    Args:
        items: At least one; all of one trunk.
    """
    reader = items[0].asks[0].part.predictor.reader
    inputs = reader.read_for_banks([item.segment for item in items])
    answers: dict[tuple[int, int], SegmentAnswer | Exception] = {}
    for ask, places in _by_ask(items).items():
        found: Sequence[SegmentAnswer | Exception]
        try:
            found = ask.part.answer(
                [items[index].segment for index, _ in places],
                [inputs[index] for index, _ in places],
                ask.want,
                [items[index].given[place] for index, place in places],
            )
        except Exception as error:  # noqa: BLE001 - others share the batch
            found = [error] * len(places)
        answers.update(zip(places, found, strict=True))
    return [
        [answers[index, place] for place in range(len(item.asks))]
        for index, item in enumerate(items)
    ]


def _by_ask(items: Sequence[BatchItem]) -> dict[Ask, list[tuple[int, int]]]:
    """Return the places, (item, ask), at which the same is asked of the same part."""
    places: dict[Ask, list[tuple[int, int]]] = {}
    for index, item in enumerate(items):
        for place, ask in enumerate(item.asks):
            places.setdefault(ask, []).append((index, place))
    return places
