"""Heads: what an adapter answers, and how its logits become answers."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from services.common.modeling.documents import Reader

TAGS = 3
"""Logits of a word under the head of tags: B, I, O."""

MARKS = 3
"""Columns that tell an assertion adapter where a word stands: in, before or behind the span."""


ASSERTION = "assertion"
"""What stands in the place of a label for the one adapter of all assertion statuses."""


class Head(StrEnum):
    """What an adapter answers."""

    TAGS = "tags"
    """B/I/O of each word."""
    CHOICES = "choices"
    """The classes of a whole text."""
    ASSERTION = "assertion"
    """The classes of a marked span."""


MODEL_TYPES = {
    Head.TAGS: "ner",
    Head.CHOICES: "classification",
    Head.ASSERTION: "assertion",
}
"""The model type of each head."""

_SCHEMES = {
    Head.TAGS: ("bio",),
    Head.CHOICES: ("single", "multiple"),
    Head.ASSERTION: ("single",),
}


@dataclass(frozen=True, kw_only=True)
class Decoding:
    """How logits become answers.

    Attributes:
        scheme: ``bio``: spans of words; ``single``: the class with the highest logit, their
            probabilities add up to 1; ``multiple``: every class whose own probability reaches its
            threshold.
        outside_bias: For ``bio``: added to the logit of O (outside).
        thresholds: For ``multiple``: one per class, between 0 and 1.
    """

    outside_bias: float = 0.0
    scheme: str = "bio"
    thresholds: tuple[float, ...] = ()

    def to_document(self) -> dict[str, Any]:
        """Return the JSON form: what the scheme needs."""
        match self.scheme:
            case "bio":
                return {"outside_bias": self.outside_bias, "scheme": self.scheme}
            case "multiple":
                return {"scheme": self.scheme, "thresholds": list(self.thresholds)}
            case _:
                return {"scheme": self.scheme}

    @classmethod
    def read(cls, reader: Reader, head: Head, classes: int) -> Decoding:
        """Read the JSON form of a decoding for adapters with this head.

        Raises:
            ManifestError: If anything is missing, of the wrong kind, or not for such adapters.
        """
        scheme, allowed = reader.text("scheme"), _SCHEMES[head]
        if scheme not in allowed:
            raise reader.wrong("scheme", " or ".join(f"'{name}'" for name in allowed))
        if scheme == "bio":
            return cls(outside_bias=reader.number("outside_bias"))
        if scheme == "single":
            return cls(scheme=scheme)
        thresholds = reader.numbers("thresholds")
        if len(thresholds) != classes or not all(0 <= t <= 1 for t in thresholds):
            raise reader.wrong("thresholds", "one number between 0 and 1 per class")
        return cls(scheme=scheme, thresholds=thresholds)
