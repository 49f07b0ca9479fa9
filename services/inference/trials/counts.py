"""How two answers differ, and the sum of what is counted of a trial. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TypeAlias

from services.common.trial_counts import Counts, Difference
from services.inference.answers import TextAnswer
from services.inference.domain import AdapterKind

AdapterKey: TypeAlias = tuple[AdapterKind, str]
"""What an adapter answers for: kind and name; the assertion's name is empty."""

# From this score on a label of a word counts as found.
_FOUND = 0.5

_STATUSES: AdapterKey = (AdapterKind.ASSERTION, "")


class Tally:
    """Counts one trial for as long as this process lives."""

    def __init__(self) -> None:
        """Begin at nothing."""
        self.requests = 0
        self.errors = 0
        self.skipped_requests = 0
        self.dropped_requests = 0
        self._compared_requests = 0
        self._compared_texts = 0
        self._differing_texts = 0
        self._differences: dict[AdapterKey, Difference] = {}

    def answered(self) -> None:
        """The candidate answered a request."""
        self.requests += 1

    def failed(self) -> None:
        """The candidate failed a request."""
        self.requests += 1
        self.errors += 1

    def compared(self, texts: Sequence[Mapping[AdapterKey, Difference]]) -> None:
        """The answers for the texts of a request were compared."""
        self._compared_requests += 1
        self._compared_texts += len(texts)
        for text in texts:
            self._differing_texts += any(one.differs for one in text.values())
            for key, one in text.items():
                self._differences[key] = self._differences.get(key, Difference()) + one

    def counts(self) -> Counts[AdapterKey]:
        """Return what was counted up to now."""
        return Counts(
            requests=self.requests,
            errors=self.errors,
            compared_requests=self._compared_requests,
            compared_texts=self._compared_texts,
            differing_texts=self._differing_texts,
            skipped_requests=self.skipped_requests,
            dropped_requests=self.dropped_requests,
            differences=dict(sorted(self._differences.items())),
        )


def differences(
    served: Sequence[TextAnswer], candidate: Sequence[TextAnswer], keys: Collection[AdapterKey]
) -> list[dict[AdapterKey, Difference]]:
    """Return for each text how two answers differ, of what both answer for.

    Args:
        served: Of what is deployed.
        candidate: Of the candidate, in the same order, asked the same.
        keys: What both answer for.
    """
    return [
        _difference(_found(one, keys), _found(other, keys), keys)
        for one, other in zip(served, candidate, strict=True)
    ]


_Found: TypeAlias = dict[tuple[AdapterKey, object], str]
"""What was found for a text, with its assertion status where that is answered."""


def _difference(
    served: _Found, candidate: _Found, keys: Collection[AdapterKey]
) -> dict[AdapterKey, Difference]:
    found = dict.fromkeys(keys, Difference())
    for item in served:
        missing = item not in candidate
        changed = not missing and served[item] != candidate[item]
        found[item[0]] += Difference(served=1, missing=int(missing), changed=int(changed))
    for item in candidate.keys() - served.keys():
        found[item[0]] += Difference(added=1)
    return found


def _found(answer: TextAnswer, keys: Collection[AdapterKey]) -> _Found:
    found: _Found = {}
    for span in answer.spans:
        key = (AdapterKind.LABEL, span.label)
        found[key, (span.start, span.end)] = span.assertion if _STATUSES in keys else ""
    for word in answer.words:
        for label, score in word.labels:
            if score >= _FOUND:
                found[(AdapterKind.LABEL, label), (word.start, word.end)] = ""
    for choice in answer.choices:
        if choice.chosen:
            found[(AdapterKind.CONTROL, choice.control), choice.value] = ""
    for judged in answer.assertions:
        found[_STATUSES, (judged.start, judged.end)] = judged.statuses[0][0]
    return {item: status for item, status in found.items() if item[0] in keys}
