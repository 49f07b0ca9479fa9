"""Agreement about Choices controls: the units are items, a rating is the set of values chosen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import TypeAlias

from services.annotation.agreement.domain import ChoiceAgreement, ChoicePair, Support
from services.annotation.agreement.kappas import (
    cohen_kappa,
    fleiss_kappa,
    krippendorff_alpha,
    mean,
)

Values: TypeAlias = frozenset[str]


def choice_agreements(
    answers: Mapping[str, Sequence[Mapping[str, Values]]],
) -> tuple[ChoiceAgreement, ...]:
    """Return the agreement about each control, in the order of their names.

    Args:
        answers: By name of a control, for each item what each annotator who answered chose.
    """
    return tuple(_agreement(name, answers[name]) for name in sorted(answers))


def _agreement(name: str, items: Sequence[Mapping[str, Values]]) -> ChoiceAgreement:
    compared = [item for item in items if len(item) > 1]
    counts: dict[tuple[str, str], Counter[tuple[Values, Values]]] = {}
    ratings: Counter[tuple[Values, ...]] = Counter()
    for item in compared:
        annotators = sorted(item)
        ratings[tuple(item[one] for one in annotators)] += 1
        for first, second in combinations(annotators, 2):
            pair = counts.setdefault((first, second), Counter())
            pair[item[first], item[second]] += 1
    pairs = tuple(
        ChoicePair(
            first=names[0],
            second=names[1],
            items=counts[names].total(),
            cohen_kappa=cohen_kappa(counts[names]),
        )
        for names in sorted(counts)
    )
    return ChoiceAgreement(
        name=name,
        support=Support(
            items=len(compared),
            spans=0,
            annotators=len({annotator for item in compared for annotator in item}),
        ),
        pairs=pairs,
        mean_cohen_kappa=mean(pair.cohen_kappa for pair in pairs),
        fleiss_kappa=fleiss_kappa(ratings),
        krippendorff_alpha=krippendorff_alpha(ratings),
    )
