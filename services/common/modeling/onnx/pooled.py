"""The pooled bank: adapters that give one answer per text or per marked span."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from services.common.modeling.adapter import AdapterWeights
from services.common.modeling.heads import MARKS, Head
from services.common.modeling.manifest import LadderArchitecture
from services.common.modeling.onnx.bank import BankRuntime, check_adapters, placed
from services.common.modeling.onnx.pooled_graph import pooled_logits
from services.common.modeling.packing import BankInputs, pack_words

# Rows of one run: what the product of groups and rows costs stays small.
_ROWS_AT_ONCE = 4096


@dataclass(frozen=True, kw_only=True)
class PooledGroup:
    """What one answer is about.

    Attributes:
        inputs: The words that the ladder sees.
        own: First and past-the-last of the words that are pooled; None: all. The others are there
            for context only, as at the borders of a long text's segments.
        marks: For assertions: where each word stands to the span, float32 [words, MARKS].
    """

    inputs: BankInputs
    own: tuple[int, int] | None = None
    marks: NDArray[np.float32] | None = None


@dataclass(frozen=True, kw_only=True)
class PooledSums:
    """What an adapter found in groups: sums over their words, float32 [groups, classes].

    The sums of the segments of one text add up to those of the text.
    """

    value: NDArray[np.float32]
    total: NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class _Stack:
    """Adapters of one architecture; `members` are their positions in the bank."""

    session: ort.InferenceSession
    members: tuple[int, ...]
    weights: dict[str, ort.OrtValue]


class PooledBank:
    """Adapters with the same kind of head, ready to run. Immutable; threads may share it.

    One bank holds either classifications (one adapter per `Choices` control) or assertions. The
    functions of ``choices`` and ``assertions`` turn its logits into answers.
    """

    def __init__(
        self, runtime: BankRuntime, head: Head, adapters: Sequence[AdapterWeights]
    ) -> None:
        """Stack adapters; prefer ``stack``, which verifies them."""
        self.head = head
        self.adapters = tuple(adapters)
        self.labels = tuple(adapter.label for adapter in adapters)
        by_architecture: dict[LadderArchitecture, list[int]] = {}
        for index, adapter in enumerate(adapters):
            by_architecture.setdefault(adapter.manifest.architecture, []).append(index)
        self._stacks = [
            _Stack(
                session=runtime.session(architecture),
                members=tuple(members),
                weights=_without_bias(runtime.place([adapters[index] for index in members])),
            )
            for architecture, members in by_architecture.items()
        ]
        self._gap = max((architecture.context for architecture in by_architecture), default=0)
        self.reach = max((architecture.reach for architecture in by_architecture), default=0)

    @classmethod
    def stack(
        cls, runtime: BankRuntime, head: Head, adapters: Sequence[AdapterWeights]
    ) -> PooledBank:
        """Verify that adapters belong together and stack them.

        Args:
            runtime: The sessions, for the trunk that the adapters must name. The bank of tags and
                pooled banks may share one.
            head: ``Head.CHOICES`` or ``Head.ASSERTION``.
            adapters: In the order of the results; may be empty.

        Raises:
            ManifestError: If two adapters have one label, or one belongs to another trunk, does not
                fit it, or has another head; the message names the label.
        """
        check_adapters(runtime.trunk, adapters, head)
        return cls(runtime, head, adapters)

    @property
    def window_settings(self) -> tuple[int, int]:
        """Window length and overlap in pieces: the largest that any adapter was trained with."""
        manifests = [adapter.manifest for adapter in self.adapters]
        return (
            max((manifest.max_length for manifest in manifests), default=0),
            max((manifest.stride for manifest in manifests), default=0),
        )

    def classes(self, index: int) -> tuple[str, ...]:
        """Return an adapter's classes, in the order of its logits."""
        return self.adapters[index].manifest.classes

    def indices(self, labels: Sequence[str]) -> tuple[int, ...]:
        """Return the positions of labels.

        Raises:
            KeyError: For a label without adapter.
        """
        position = {label: index for index, label in enumerate(self.labels)}
        return tuple(position[label] for label in labels)

    def run(
        self, groups: Sequence[PooledGroup], selection: Sequence[int] | None = None
    ) -> list[NDArray[np.float32]]:
        """Return the logits of every group.

        Args:
            groups: Texts or spans; memory stays bounded whatever their number.
            selection: Positions of the wanted adapters; None for all.

        Returns:
            For each selected adapter, in that order: float32 [groups, classes of the adapter]. A
            group without a word that the trunk saw has the adapter's prior: what it answers when
            it knows nothing.
        """
        wanted = range(len(self.adapters)) if selection is None else selection
        sums = self.run_sums(groups, selection)
        return [self.logits(index, found) for index, found in zip(wanted, sums, strict=True)]

    def logits(self, index: int, sums: PooledSums) -> NDArray[np.float32]:
        """Return an adapter's logits from its sums."""
        bias = self.adapters[index].tensors["head_bias"]
        return pooled_logits(sums.value, sums.total, bias)

    def run_sums(
        self, groups: Sequence[PooledGroup], selection: Sequence[int] | None = None
    ) -> list[PooledSums]:
        """Return sums instead of logits, for texts of which only segments are at hand.

        Args:
            groups: As for ``run``.
            selection: As for ``run``.
        """
        wanted = range(len(self.adapters)) if selection is None else selection
        results = {index: self._empty_sums(index, len(groups)) for index in wanted}
        stacks = [stack for stack in self._stacks if results.keys() & set(stack.members)]
        position = 0
        for chunk in _chunks(groups, self._gap) if stacks else ():
            feeds = placed(pack_groups(chunk, self._gap))
            place = slice(position, position + len(chunk))
            position += len(chunk)
            for stack in stacks:
                # Other adapters of equal shape are computed along: there are few.
                run = stack.session.run_with_ort_values
                value, total = run(["value", "total"], {**feeds, **stack.weights})
                for row, index in enumerate(stack.members):
                    if index in results:
                        results[index].value[place] = value.numpy()[row]
                        results[index].total[place] = total.numpy()[row]
        return [results[index] for index in wanted]

    def _empty_sums(self, index: int, groups: int) -> PooledSums:
        shape = (groups, len(self.classes(index)))
        return PooledSums(
            value=np.zeros(shape, dtype=np.float32), total=np.zeros(shape, dtype=np.float32)
        )


def pack_groups(groups: Sequence[PooledGroup], gap: int) -> dict[str, Any]:
    """Lay groups one after the other, with `gap` masked rows between them.

    Args:
        groups: At least one; either all with marks or none.
        gap: The largest context of the adapters.

    Returns:
        The graph's inputs: ``states``, ``features``, ``mask``, ``members`` and, for assertions,
        ``marks``.
    """
    # A row at least, masked, so that a group without words has something to run on.
    packed = pack_words([group.inputs for group in groups], gap, least=1)
    rows = len(packed.mask)
    feeds = {"states": packed.states, "features": packed.features, "mask": packed.mask}
    members = np.zeros((len(groups), rows), dtype=np.float32)
    marks = np.zeros((rows, MARKS), dtype=np.float32)
    for index, (group, offset) in enumerate(zip(groups, packed.offsets, strict=True)):
        first, last = group.own or (0, packed.counts[index])
        members[index, offset + first : offset + last] = group.inputs.present[first:last]
        if group.marks is not None:
            marks[offset : offset + packed.counts[index]] = group.marks
    feeds["members"] = members
    if groups[0].marks is not None:
        feeds["marks"] = marks
    return feeds


def _without_bias(weights: dict[str, ort.OrtValue]) -> dict[str, ort.OrtValue]:
    return {name: value for name, value in weights.items() if name != "head_bias"}


def _chunks(groups: Sequence[PooledGroup], gap: int) -> Iterator[list[PooledGroup]]:
    chunk: list[PooledGroup] = []
    rows = 0
    for group in groups:
        size = len(group.inputs.present) + gap
        if chunk and rows + size > _ROWS_AT_ONCE:
            yield chunk
            chunk, rows = [], 0
        chunk.append(group)
        rows += size
    if chunk:
        yield chunk
