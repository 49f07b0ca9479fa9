"""Dividing the examples of a snapshot, and the hash of its content. Pure functions.

Examples lie in canonical order: by text, then spans, then split. So equal content has an equal
hash wherever and in whichever order it was imported. What is divided are documents: the examples of
one group, or those with one text. Shuffling sorts them by a hash of the seed and that.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from services.annotation.content import Content, Span
from services.annotation.dataset import ByTags, Example, Given, Ratios, SplitPolicy
from services.annotation.domain import Split
from services.annotation.stratify import stratified
from services.common.errors import FailedPreconditionError, Reason, invalid_field

_DEFAULT = Ratios(train=0.8, dev=0.1, test=0.1, seed=0)
_GIVEN_DEV_SHARE = 0.1
_SPLITS = (Split.TRAIN, Split.DEV, Split.TEST)


@dataclass(frozen=True, kw_only=True)
class Counts:
    """How much a snapshot holds.

    Attributes:
        examples: By split.
        spans: By label.
        choices: Examples by ``name=value``.
        assertions: Spans by assertion status.
    """

    examples: dict[str, int]
    spans: dict[str, int]
    choices: dict[str, int]
    assertions: dict[str, int]


def check_policy(policy: SplitPolicy, field: str) -> SplitPolicy:
    """Return a policy that can be used, or raise FIELD_INVALID."""
    match policy:
        case Ratios():
            check_ratios(policy, f"{field}.ratios")
        case ByTags():
            both = {*policy.train} & {*policy.dev, *policy.test} | {*policy.dev} & {*policy.test}
            if both:
                raise invalid_field(
                    f"{field}.by_tags", f"{min(both)!r} stands for two splits: choose one."
                )
        case Given():
            pass
    return policy


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
        case ByTags():
            tagged = [
                replace(one, split=split)
                for one in selected
                if (split := _split_of_tags(one, policy)) is not Split.UNSPECIFIED
            ]
            divided = _as_given(sorted(tagged, key=_canonical_with_split), policy.seed)
    if not any(one.split is Split.TRAIN for one in divided):
        raise FailedPreconditionError(
            Reason.NO_TRAINING_DATA,
            "No example falls into the train split: submit more completions, or divide otherwise.",
        )
    return sorted(divided, key=_canonical_with_split), policy


def with_positives(
    examples: Iterable[Example], trained: Mapping[str, frozenset[str]]
) -> list[Example]:
    """Return the examples with each span once for every label that it is a positive of.

    Args:
        examples: With spans as annotated.
        trained: By label that models are trained for: the labels whose spans are its positives.
    """
    of: dict[str, list[str]] = {}
    for label, positives in trained.items():
        for one in positives:
            of.setdefault(one, []).append(label)
    if all(labels == [value] for value, labels in of.items()):
        return list(examples)
    return [replace(one, content=_expanded(one.content, of)) for one in examples]


def content_hash(labels: Sequence[str], examples: Iterable[Example]) -> str:
    """Return ``sha256:<hex>`` over the label values and the examples.

    Of an example these count: text, spans, choices, relations and split. Ids, authors and times
    are left out: they say nothing about the content.
    """
    digest = hashlib.sha256(_line(sorted(labels)))
    for one in examples:
        digest.update(_line([one.text, *_hashed(one.content), one.split.value]))
    return f"sha256:{digest.hexdigest()}"


def example_hash(example: Example) -> bytes:
    """Return a hash that differs for examples whose completion, content or split differs."""
    content = [example.completion, example.text, *_hashed(example.content), example.split.value]
    return hashlib.sha256(_line(content)).digest()


def counts(labels: Sequence[str], examples: Sequence[Example]) -> Counts:
    """Count what a snapshot holds; labels and splits without any have 0."""
    by_split = Counter(one.split.value for one in examples)
    by_label = Counter(span.label for one in examples for span in one.spans)
    by_choice = Counter(
        f"{choices.name}={value}"
        for one in examples
        for choices in one.content.choices
        for value in choices.values
    )
    # Positives of another label are there once more; the status is of one span all the same.
    by_status = Counter(
        status
        for one in examples
        for _, _, status in {(s.start, s.end, s.assertion) for s in one.spans if s.assertion}
    )
    return Counts(
        examples={split.value: by_split[split.value] for split in _SPLITS},
        spans={label: by_label[label] for label in labels},
        choices=dict(sorted(by_choice.items())),
        assertions=dict(sorted(by_status.items())),
    )


def _by_ratio(ordered: Sequence[Example], ratios: Ratios) -> list[Example]:
    documents = _documents(ordered, ratios.seed)
    total = len(ordered)
    test, dev = _share(ratios.test, total), _share(ratios.dev, total)
    if ratios.stratify:
        sizes = {Split.TRAIN: total - test - dev, Split.DEV: dev, Split.TEST: test}
        splits = stratified(documents, sizes)
    else:
        splits = _cut(documents, dev, test)
    return [
        replace(one, split=split)
        for document, split in zip(documents, splits, strict=True)
        for one in document
    ]


def _cut(documents: Sequence[Sequence[Example]], dev: int, test: int) -> list[Split]:
    """Give whole documents to test from the end, then to dev, then to train."""
    splits = [Split.TRAIN] * len(documents)
    place = len(documents)
    for split, wanted in ((Split.TEST, test), (Split.DEV, dev)):
        held = 0
        # The first document stays for training.
        while held < wanted and place > 1:
            place -= 1
            splits[place] = split
            held += len(documents[place])
    return splits


def _documents(ordered: Sequence[Example], seed: int) -> list[list[Example]]:
    """Return the examples by document, shuffled."""
    by_key: dict[tuple[bytes, str], list[Example]] = {}
    for one in ordered:
        by_key.setdefault((_shuffle_key(one, seed), one.group or one.text), []).append(one)
    return [by_key[key] for key in sorted(by_key)]


def _split_of_tags(example: Example, policy: ByTags) -> Split:
    tags = set(example.tags)
    for wanted, split in (
        (policy.test or ("Test",), Split.TEST),
        (policy.dev, Split.DEV),
        (policy.train or ("Train",), Split.TRAIN),
    ):
        if tags.intersection(wanted):
            return split
    return Split.UNSPECIFIED


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
    documents = _documents(train, seed)
    splits = _cut(documents, max(1, round(_GIVEN_DEV_SHARE * len(train))), 0)
    return [
        *others,
        *(
            replace(one, split=split)
            for document, split in zip(documents, splits, strict=True)
            for one in document
        ),
    ]


def _canonical(example: Example) -> tuple[str, list[tuple[int, int, str]]]:
    return example.text, sorted((span.start, span.end, span.label) for span in example.spans)


def _canonical_with_split(example: Example) -> tuple[str, list[tuple[int, int, str]], str]:
    return (*_canonical(example), example.split.value)


def _shuffle_key(example: Example, seed: int) -> bytes:
    return hashlib.sha256(f"{seed}\n{example.group or example.text}".encode()).digest()


def _expanded(content: Content, of: Mapping[str, Sequence[str]]) -> Content:
    spans: list[Span] = []
    seen: set[tuple[int, int, str, tuple[tuple[int, int], ...]]] = set()
    # An alias has no entry of its own: its relations go to the span that stands for it.
    ends: dict[str, str] = {}
    for span in content.spans:
        for label in of.get(span.label, ()):
            key = (span.start, span.end, label, span.fragments)
            if key in seen:
                continue
            seen.add(key)
            own = label == span.label
            spans.append(span if own else replace(span, label=label, id=f"{span.id}+{label}"))
            if own or span.id not in ends:
                ends[span.id] = spans[-1].id
    relations = tuple(
        replace(one, source=ends[one.source], target=ends[one.target])
        for one in content.relations
        if one.source in ends and one.target in ends
    )
    spans.sort(key=lambda one: (one.start, one.end, one.label, one.id))
    return replace(content, spans=tuple(spans), relations=relations)


def _hashed(content: Content) -> list[object]:
    """Return what counts of a content. One with plain spans only hashes as it always did."""
    place = {
        span.id: [span.start, span.end, span.label, *(list(one) for one in span.fragments)]
        for span in content.spans
    }
    spans: list[list[object]] = []
    for span in sorted(content.spans, key=lambda one: (one.start, one.end, one.label)):
        stored: list[object] = [span.start, span.end, span.label]
        if span.fragments or span.assertion or span.attributes:
            stored.append([span.fragments, span.assertion, span.attributes])
        spans.append(stored)
    hashed: list[object] = [spans]
    if content.choices or content.relations:
        relations = [
            [place.get(one.source), place.get(one.target), sorted(one.labels), one.direction]
            for one in content.relations
        ]
        hashed.append([[one.name, sorted(one.values)] for one in content.choices])
        hashed.append(sorted(relations, key=_line))
    return hashed


def _line(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
