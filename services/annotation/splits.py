"""Dividing the examples of a snapshot, and the hash of its content. Pure functions.

Examples lie in canonical order: by text, then spans, then split. So equal content has an equal
hash wherever and in whichever order it was imported. Shuffling sorts by a hash of seed and text,
which keeps equal texts side by side, so that they fall into the same split but for the one cut.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace

from services.annotation.domain import Example, Given, Ratios, Split, SplitPolicy
from services.common.errors import FailedPreconditionError, Reason, invalid_field

_DEFAULT = Ratios(train=0.8, dev=0.1, test=0.1, seed=0)
_GIVEN_DEV_SHARE = 0.1


def check_ratios(ratios: Ratios, field: str) -> Ratios:
    """Return ratios that can be used, or raise FIELD_INVALID."""
    if not 0 < ratios.train <= 1:
        raise invalid_field(f"{field}.train", "must be more than 0 and at most 1.")
    for name, share in (("dev", ratios.dev), ("test", ratios.test)):
        if not 0 <= share < 1:
            raise invalid_field(f"{field}.{name}", "must be at least 0 and less than 1.")
    if not math.isclose(ratios.train + ratios.dev + ratios.test, 1.0, abs_tol=1e-6):
        raise invalid_field(field, "train, dev and test must add up to 1.")
    return ratios


def divide(
    examples: Iterable[Example], policy: SplitPolicy | None
) -> tuple[list[Example], SplitPolicy]:
    """Return the examples in canonical order with their splits, and the policy that was used.

    Args:
        examples: What was selected, each with the split that came with its task.
        policy: How to divide. None: as given when each has a split, else 0.8 / 0.1 / 0.1, seed 0.

    Raises:
        FailedPreconditionError: STATE_CONFLICT when given splits are asked for and an example has
            none; NO_TRAINING_DATA when nothing is left to train on.
    """
    selected = list(examples)
    if policy is None:
        complete = all(one.split is not Split.UNSPECIFIED for one in selected)
        policy = Given(seed=0) if complete else _DEFAULT
    match policy:
        case Ratios():
            ordered = sorted(selected, key=_canonical)
            divided = _by_ratio(ordered, policy)
        case Given():
            divided = _as_given(sorted(selected, key=_canonical_with_split), policy.seed)
    if not any(one.split is Split.TRAIN for one in divided):
        raise FailedPreconditionError(
            Reason.NO_TRAINING_DATA,
            "No example falls into the train split: submit more completions, or divide otherwise.",
        )
    return sorted(divided, key=_canonical_with_split), policy


def content_hash(labels: Sequence[str], examples: Iterable[Example]) -> str:
    """Return ``sha256:<hex>`` over the label values and the examples (text, spans, split).

    Ids, authors and times are left out: they say nothing about the content.
    """
    digest = hashlib.sha256(_line(sorted(labels)))
    for one in examples:
        spans = sorted([span.start, span.end, span.label] for span in one.spans)
        digest.update(_line([one.text, spans, one.split.value]))
    return f"sha256:{digest.hexdigest()}"


def counts(
    labels: Sequence[str], examples: Sequence[Example]
) -> tuple[dict[str, int], dict[str, int]]:
    """Return the number of examples by split, and of spans by label; labels without any have 0."""
    by_split = Counter(one.split.value for one in examples)
    by_label = Counter(span.label for one in examples for span in one.spans)
    splits = (Split.TRAIN, Split.DEV, Split.TEST)
    return (
        {split.value: by_split[split.value] for split in splits},
        {label: by_label[label] for label in labels},
    )


def _by_ratio(ordered: Sequence[Example], ratios: Ratios) -> list[Example]:
    shuffled = sorted(ordered, key=lambda one: _shuffle_key(one, ratios.seed))
    test = _share(ratios.test, len(shuffled))
    dev = _share(ratios.dev, len(shuffled))
    return [
        replace(one, split=_at(place, len(shuffled), dev, test))
        for place, one in enumerate(shuffled)
    ]


def _at(place: int, total: int, dev: int, test: int) -> Split:
    if place >= total - test:
        return Split.TEST
    return Split.DEV if place >= total - test - dev else Split.TRAIN


def _share(share: float, total: int) -> int:
    """Return how many examples a share is: at least one of three or more, unless it is 0."""
    least = 1 if share > 0 and total >= 3 else 0
    return max(least, round(share * total))


def _as_given(ordered: Sequence[Example], seed: int) -> list[Example]:
    without = next((one for one in ordered if one.split is Split.UNSPECIFIED), None)
    if without is not None:
        raise FailedPreconditionError(
            Reason.STATE_CONFLICT,
            f"Task {without.task} has no split: give all tasks one, or divide by ratios.",
            metadata={"task": without.task},
        )
    train = [one for one in ordered if one.split is Split.TRAIN]
    others = [one for one in ordered if one.split is not Split.TRAIN]
    if any(one.split is Split.DEV for one in others) or len(train) < 2:
        return [*train, *others]
    shuffled = sorted(train, key=lambda one: _shuffle_key(one, seed))
    dev = max(1, round(_GIVEN_DEV_SHARE * len(shuffled)))
    return [
        *others,
        *shuffled[:-dev],
        *(replace(one, split=Split.DEV) for one in shuffled[-dev:]),
    ]


def _canonical(example: Example) -> tuple[str, list[tuple[int, int, str]]]:
    return example.text, sorted((span.start, span.end, span.label) for span in example.spans)


def _canonical_with_split(example: Example) -> tuple[str, list[tuple[int, int, str]], str]:
    return (*_canonical(example), example.split.value)


def _shuffle_key(example: Example, seed: int) -> bytes:
    return hashlib.sha256(f"{seed}\n{example.text}".encode()).digest()


def _line(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
