r"""Where a text may be cut: between grapheme clusters, and between words.

Both follow Unicode's rules (UAX 29) as the `regex` library knows them: "can't" and "3.5" are one
word each, every ideograph is one, and in "C++" each plus is one. Computed when first asked for.
"""

from __future__ import annotations

from functools import cached_property

import regex  # type: ignore[import-untyped]  # it has no types

from services.annotation.rules.limits import Effort

_GRAPHEME = regex.compile(r"\X")
_WORD_BOUNDARY = regex.compile(r"(?w)\b")


class Boundaries:
    """The boundaries of one text. Not for use from several threads."""

    def __init__(self, text: str, effort: Effort) -> None:
        """Prepare; nothing is computed yet."""
        self._text = text
        self._effort = effort

    def keeps_graphemes(self, start: int, end: int) -> bool:
        """Return whether a span cuts no grapheme cluster, such as a letter from its accent."""
        starts = self._graphemes
        return starts is None or bool(starts[start] and starts[end])

    def keeps_words(self, start: int, end: int) -> bool:
        """Return whether a span begins and ends at word boundaries."""
        return bool(self._words[start] and self._words[end])

    @cached_property
    def _graphemes(self) -> bytearray | None:
        if self._text.isascii() and "\r\n" not in self._text:
            return None
        marks = bytearray(len(self._text) + 1)
        for match in _GRAPHEME.finditer(self._text):
            marks[match.start()] = 1
            self._effort.step("the grapheme clusters of the text")
        marks[0] = marks[-1] = 1
        return marks

    @cached_property
    def _words(self) -> bytearray:
        marks = bytearray(len(self._text) + 1)
        for match in _WORD_BOUNDARY.finditer(self._text):
            marks[match.start()] = 1
            self._effort.step("the word boundaries of the text")
        marks[0] = marks[-1] = 1
        return marks
