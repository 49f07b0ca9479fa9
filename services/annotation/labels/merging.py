"""Spans that have become one, because the labels they were stored with are one by now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from services.annotation.content import Content, ScoredSpan, Span

_Key = tuple[int, int, str, tuple[tuple[int, int], ...]]


def merged(content: Content) -> Content:
    """Return a content with each span once: the first of those with one label and extent.

    It takes over what it does not say itself, and the relations of the others.
    """
    first: dict[_Key, Span] = {}
    moved: dict[str, str] = {}
    for span in content.spans:
        key = key_of(span, span.label)
        kept = first.setdefault(key, span)
        if kept is not span:
            moved[span.id] = kept.id
            attributes = {**dict(span.attributes), **dict(kept.attributes)}
            first[key] = replace(
                kept,
                assertion=kept.assertion or span.assertion,
                attributes=tuple(sorted(attributes.items())),
            )
    if not moved:
        return content
    relations = tuple(
        replace(
            one,
            source=moved.get(one.source, one.source),
            target=moved.get(one.target, one.target),
        )
        for one in content.relations
    )
    return replace(content, spans=tuple(first.values()), relations=relations)


def merged_scored(spans: Sequence[ScoredSpan]) -> tuple[ScoredSpan, ...]:
    """Return each span once: with one label and extent, the one with the highest score."""
    best: dict[tuple[int, int, str], ScoredSpan] = {}
    for span in spans:
        kept = best.setdefault((span.start, span.end, span.label), span)
        if span.score > kept.score:
            best[span.start, span.end, span.label] = span
    return tuple(best.values())


def key_of(span: Span, label: str) -> _Key:
    """Return what no two spans of a completion may have in common, with the label given."""
    return span.start, span.end, label, span.fragments
