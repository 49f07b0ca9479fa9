"""Counting what the results of an annotation cannot say."""

from __future__ import annotations

from collections import Counter

from services.annotation.content import Content


def count_content(omitted: Counter[str], content: Content, assertions: frozenset[str]) -> None:
    """Count what reading the results of a content again would not give back.

    Args:
        omitted: The counts.
        content: The content.
        assertions: Labels that the labelling config marks as assertion statuses.
    """
    extents: dict[tuple[int, int], set[str]] = {}
    for one in content.spans:
        extents.setdefault((one.start, one.end), set()).add(one.assertion)
        omitted["discontinuous spans (written from start to end)"] += bool(one.fragments)
        omitted["assertions that the labelling config does not mark (read as labels)"] += (
            bool(one.assertion) and one.assertion not in assertions
        )
    omitted["assertions of one of several spans with the same extent"] += sum(
        len(found) > 1 for found in extents.values()
    )
