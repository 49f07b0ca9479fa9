"""Counting what columns of tokens cannot say about a task."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from services.annotation.domain import Completion
from services.annotation.formats.losses import count_id, count_task
from services.annotation.formats.records import ExportItem


def count(omitted: Counter[str], name: str, number: int) -> None:
    """Count something, unless there is nothing of it."""
    if number:
        omitted[name] += number


def count_content(
    omitted: Counter[str],
    item: ExportItem,
    chosen: Completion,
    extents: Sequence[tuple[int, int]],
    holds: Sequence[str] = (),
) -> None:
    """Count what a file of tokens with tags loses of a task, except for spans.

    Args:
        omitted: Where it is counted.
        item: The task.
        chosen: Its annotation that is written.
        extents: Its tokens.
        holds: Kinds that the format holds; see `count_task`.
    """
    count_task(omitted, item, *holds)
    count_id(omitted, item)
    content = chosen.content
    count(omitted, "relations", len(content.relations))
    count(omitted, "attributes", sum(len(one.attributes) for one in content.spans))
    count(omitted, "assertions", sum(bool(one.assertion) for one in content.spans))
    text = item.task.text
    joined = " ".join(text[start:end] for start, end in extents)
    count(omitted, "texts between words (written as single blanks)", joined != text)


def count_spans(omitted: Counter[str], overlapping: int, unaligned: int) -> None:
    """Count the spans that tokens cannot mark."""
    count(omitted, "overlapping or discontinuous spans", overlapping)
    count(omitted, "spans that begin or end inside a word", unaligned)


def plain(omitted: Counter[str], cell: str, separators: str, instead: str) -> str:
    """Return a cell without the signs that divide cells, counting it if it has any."""
    clean = cell
    for sign in separators:
        clean = clean.replace(sign, instead)
    count(omitted, "signs inside words or labels that divide columns (replaced)", clean != cell)
    return clean
