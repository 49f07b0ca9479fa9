"""Dividing documents so that each split has its share of every label.

Greedy, after Sechidis, Tsoumakas and Vlahavas, "On the Stratification of Multi-Label Data" (2011),
with documents of several examples as the units: the rarest label's documents are dealt out first,
each to the split that lacks most of that label.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from services.annotation.dataset import Example
from services.annotation.domain import Split


def stratified(documents: Sequence[Sequence[Example]], sizes: Mapping[Split, int]) -> list[Split]:
    """Return the split of each document.

    Args:
        documents: In shuffled order, which decides between equals.
        sizes: How many examples each split shall have; they add up to all of them.
    """
    total = sum(sizes.values()) or 1
    contents = [_labels(document) for document in documents]
    left = Counter[str]()
    for content in contents:
        left.update(content)
    lacking = {
        split: {label: count * size / total for label, count in left.items()}
        for split, size in sizes.items()
    }
    room = {split: float(size) for split, size in sizes.items()}
    splits: list[Split | None] = [None] * len(documents)

    def give(place: int, label: str | None) -> None:
        size = len(documents[place])
        # A split that was asked to be empty stays so.
        open_splits = [split for split in sizes if sizes[split] > 0]
        best = max(
            open_splits,
            key=lambda split: (
                0.0 if label is None else lacking[split][label],
                room[split],
            ),
        )
        splits[place] = best
        room[best] -= size
        for one, count in contents[place].items():
            lacking[best][one] -= count
            left[one] -= count

    by_label: dict[str, list[int]] = {}
    for place, content in enumerate(contents):
        for label in content:
            by_label.setdefault(label, []).append(place)
    waiting = set(by_label)
    while waiting:
        label = min(waiting, key=lambda one: (left[one], one))
        waiting.discard(label)
        for place in by_label[label]:
            if splits[place] is None:
                give(place, label)
    for place, split in enumerate(splits):
        if split is None:
            give(place, None)
    return [split for split in splits if split is not None]


def _labels(document: Sequence[Example]) -> Counter[str]:
    found = Counter[str]()
    for example in document:
        found.update(f"span {span.label}" for span in example.spans)
        for choices in example.content.choices:
            found.update(f"choice {choices.name}={value}" for value in choices.values)
    return found
