"""What several messages hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from services.inference.domain import AdapterRef, ScoredSpan
from spanloop.common.v1 import text_pb2


def digests(refs: Mapping[str, AdapterRef]) -> dict[str, str]:
    """Return the digests of adapters by what they answer."""
    return {name: ref.digest for name, ref in refs.items()}


def versions(refs: Mapping[str, AdapterRef]) -> dict[str, str]:
    """Return the model versions of adapters by what they answer."""
    return {name: ref.model_version for name, ref in refs.items()}


def span_messages(spans: Sequence[ScoredSpan]) -> list[text_pb2.ScoredSpan]:
    """Return spans as messages."""
    return [
        text_pb2.ScoredSpan(
            start=span.start,
            end=span.end,
            label=span.label,
            score=span.score,
            assertion=span.assertion,
            assertion_score=span.assertion_score,
        )
        for span in spans
    ]
