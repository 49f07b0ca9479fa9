"""The texts that a model got most wrong."""

from __future__ import annotations

import heapq
from collections.abc import Iterable

from services.trainer.reports.model import ScoredText, Span, WorstExample

MAX_EXAMPLES = 20
MAX_TEXT = 2_000
_MAX_SPANS = 50
_MAX_QUOTE = 80
_LEAD = 200
_CUT = "…"


def worst_examples(texts: Iterable[ScoredText]) -> tuple[WorstExample, ...]:
    """Return the worst texts, the worst first; texts without an error are none.

    What is spurious costs its score; what was missed costs 1, since nothing of it was predicted.
    """
    losses = ((_loss(text), -index, text) for index, text in enumerate(texts))
    found = heapq.nlargest(
        MAX_EXAMPLES, (entry for entry in losses if entry[0] > 0), key=lambda entry: entry[:2]
    )
    return tuple(_example(text, loss) for loss, _, text in found)


def _loss(text: ScoredText) -> float:
    gold = set(text.gold)
    found = {(start, end, label) for start, end, label, _ in text.predicted}
    spurious = sum(
        score for start, end, label, score in text.predicted if (start, end, label) not in gold
    )
    return len(gold - found) + spurious


def _example(text: ScoredText, loss: float) -> WorstExample:
    gold = set(text.gold)
    found = {(start, end, label) for start, end, label, _ in text.predicted}
    missed, spurious = sorted(gold - found), sorted(found - gold)
    first = min(span[0] for span in (*missed, *spurious))
    return WorstExample(
        text=_cut(text.text, first),
        missed=_described(missed, text.text),
        spurious=_described(spurious, text.text),
        loss=round(loss, 6),
    )


def _cut(text: str, first: int) -> str:
    """Return a text, or of a long one the part that begins a little before position `first`."""
    if len(text) <= MAX_TEXT:
        return text
    start = max(0, min(first - _LEAD, len(text) - MAX_TEXT))
    lead = _CUT if start else ""
    size = MAX_TEXT - 2 * len(_CUT)
    tail = _CUT if start + size < len(text) else ""
    return lead + text[start : start + size] + tail


def _described(spans: list[Span], text: str) -> tuple[str, ...]:
    lines = [_describe(span, text) for span in spans[:_MAX_SPANS]]
    if len(spans) > _MAX_SPANS:
        lines.append(f"{_CUT} and {len(spans) - _MAX_SPANS} more")
    return tuple(lines)


def _describe(span: Span, text: str) -> str:
    start, end, label = span
    if (start, end) == (0, len(text)):
        return label
    quote = text[start:end]
    if len(quote) > _MAX_QUOTE:
        quote = quote[: _MAX_QUOTE - len(_CUT)] + _CUT
    return f'{label} {start}-{end} "{quote}"'
