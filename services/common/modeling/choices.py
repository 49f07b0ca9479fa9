"""From the states of a text's words to what is chosen of each `Choices` control.

The server's way, with the trunk run once for everything that is asked of a text::

    segments = cut_segments(text, limit, reach)        # reach: the largest of the banks
    inputs = reader.read_for_banks(segments)           # the trunk
    tags = bank_logits(bank, inputs)                   # labels of words, if wanted
    parts = choice_parts(choices, segments, inputs)    # one per segment
    answers = decide_choices(choices, parts)           # one per control, from all the text's parts

``classify`` does all of it for texts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.common.modeling.class_decoding import chosen_classes, class_probabilities
from services.common.modeling.onnx.pooled import PooledBank, PooledGroup, PooledSums
from services.common.modeling.packing import BankInputs
from services.common.modeling.states import (
    PreparedText,
    Segment,
    WordStateReader,
    chunk_segments,
)


@dataclass(frozen=True, kw_only=True)
class ChoicePart:
    """What one segment of a text says: per selected control, sums of one group."""

    sums: list[PooledSums]


@dataclass(frozen=True, kw_only=True)
class ControlChoice:
    """What an adapter says about one control of one text.

    Attributes:
        control: Name of the control.
        values: Its values, as the adapter orders them.
        probabilities: Of each value, float32 [values]; those of a single-choice control add up
            to 1.
        chosen: Positions of the values that are chosen: exactly one of a single-choice control,
            any number of a multiple-choice one.
    """

    control: str
    values: tuple[str, ...]
    probabilities: NDArray[np.float32]
    chosen: tuple[int, ...]


def choice_parts(
    bank: PooledBank,
    segments: Sequence[Segment],
    inputs: Sequence[BankInputs],
    selection: Sequence[int] | None = None,
) -> list[ChoicePart]:
    """Run the bank on segments, of one text or of several.

    Args:
        bank: Adapters with heads for choices.
        segments: The segments, cut with at least the bank's ``reach``.
        inputs: What ``WordStateReader.read_for_banks`` returned for them.
        selection: Positions of the wanted controls in the bank; None for all.
    """
    owned = [
        (segment.own_start - segment.start, segment.own_end - segment.start) for segment in segments
    ]
    groups = [PooledGroup(inputs=item, own=own) for item, own in zip(inputs, owned, strict=True)]
    sums = bank.run_sums(groups, selection)
    return [
        ChoicePart(
            sums=[PooledSums(value=found.value[row], total=found.total[row]) for found in sums]
        )
        for row in range(len(groups))
    ]


def decide_choices(
    bank: PooledBank, parts: Sequence[ChoicePart], selection: Sequence[int] | None = None
) -> list[ControlChoice]:
    """Return what is chosen for one text from all its segments' parts.

    How the text was cut changes nothing: attention goes over the words of all segments. A text
    without words has the adapter's prior.

    Args:
        bank: The bank that made the parts.
        parts: The text's parts, in any order; none for a text without words.
        selection: As it was for the parts.
    """
    wanted = range(len(bank.adapters)) if selection is None else selection
    choices = []
    for row, index in enumerate(wanted):
        manifest = bank.adapters[index].manifest
        nothing = np.zeros(len(manifest.classes), dtype=np.float32)
        whole = PooledSums(
            value=np.sum([nothing, *(part.sums[row].value for part in parts)], axis=0),
            total=np.sum([nothing, *(part.sums[row].total for part in parts)], axis=0),
        )
        found = class_probabilities(bank.logits(index, whole), manifest.decoding.scheme)
        choices.append(
            ControlChoice(
                control=manifest.label,
                values=manifest.classes,
                probabilities=found,
                chosen=chosen_classes(found, manifest.decoding),
            )
        )
    return choices


def classify(
    reader: WordStateReader,
    bank: PooledBank,
    texts: Sequence[PreparedText],
    selection: Sequence[int] | None = None,
) -> list[list[ControlChoice]]:
    """Return, for each text, what is chosen of each control. Memory stays bounded.

    Args:
        reader: Runs the bank's trunk.
        bank: Adapters with heads for choices.
        texts: Texts that the reader prepared.
        selection: Positions of the wanted controls; None for all.
    """
    parts: list[list[ChoicePart]] = [[] for _ in texts]
    for places, segments in chunk_segments(texts, bank.reach):
        found = choice_parts(bank, segments, reader.read_for_banks(segments), selection)
        for place, part in zip(places, found, strict=True):
            parts[place].append(part)
    return [decide_choices(bank, items, selection) for items in parts]
