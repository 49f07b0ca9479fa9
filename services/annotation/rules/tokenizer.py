"""Cuts a text into the tokens of ``spacy.blank("xx")``, in time linear in the text."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.annotation.rules.limits import Effort

if TYPE_CHECKING:
    from spacy.language import Language
    from spacy.matcher import Matcher

# spaCy peels the marks off a run without white space one by one and looks at all the rest each
# time: 20,000 brackets take a minute. Words, numbers and addresses are shorter than this.
_LONGEST_RUN = 256
# Between blocks of about this length we look at the time.
_BLOCK = 20_000
_RUN = re.compile(r"\S+")


@dataclass(frozen=True, kw_only=True, slots=True)
class Tokens:
    """The tokens of a text, in order, and which conditions their words meet.

    Attributes:
        starts: Where each begins, in code points.
        ends: Where each ends.
        words: Which of the text's different words each is, as an index into `met`.
        met: Of each different word the conditions that it meets.
    """

    starts: list[int]
    ends: list[int]
    words: list[int]
    met: list[frozenset[int]]


class Tokenizer:
    """spaCy's blank pipeline with a list of conditions on single tokens.

    Threads may share it: they take turns, because spaCy's vocabulary is one for all of them. It
    forgets the words of a text afterwards, so its memory does not grow with the texts seen.
    """

    def __init__(self, conditions: list[dict[str, object]]) -> None:
        """Load spaCy; `conditions` are checked descriptions of a token without ``OP``."""
        import spacy
        from spacy.matcher import Matcher

        self._language: Language = spacy.blank("xx")
        self._matcher: Matcher = Matcher(self._language.vocab, validate=True)
        self._numbers: dict[int, int] = {}
        for number, condition in enumerate(conditions):
            key = f"condition {number}"
            self._matcher.add(key, [[condition]])
            self._numbers[self._language.vocab.strings.add(key)] = number
        self._turn = threading.Lock()

    def tokens(self, text: str, effort: Effort) -> Tokens:
        """Return the tokens of a text."""
        starts: list[int] = []
        ends: list[int] = []
        words: list[int] = []
        known: dict[str, int] = {}
        with self._turn, self._language.memory_zone():
            for begin, end in _pieces(text):
                effort.check("the tokens of the text")
                for token in self._language.tokenizer(text[begin:end]):
                    word = token.text
                    starts.append(begin + token.idx)
                    ends.append(begin + token.idx + len(word))
                    words.append(known.setdefault(word, len(known)))
            met = self._met(list(known))
        return Tokens(starts=starts, ends=ends, words=words, met=met)

    def _met(self, words: list[str]) -> list[frozenset[int]]:
        """Return which conditions each word meets; all of them look at the word alone."""
        if not self._numbers:
            return [frozenset()] * len(words)
        from spacy.tokens import Doc

        met: list[set[int]] = [set() for _ in words]
        for key, start, _ in self._matcher(Doc(self._language.vocab, words=words)):
            met[start].add(self._numbers[key])
        return [frozenset(one) for one in met]


def _pieces(text: str) -> Iterator[tuple[int, int]]:
    """Yield parts of a text that spaCy cuts as it would cut the whole, but for overlong runs."""
    begin = 0
    before = 0
    for run in _RUN.finditer(text):
        start, end = run.span()
        # A blank between two words belongs to the first; other white space is a token.
        if start - begin > _BLOCK and start - before == 1 and text[before] == " ":
            yield begin, start
            begin = start
        if end - start > _LONGEST_RUN:
            for cut in range(start + _LONGEST_RUN, end, _LONGEST_RUN):
                yield begin, cut
                begin = cut
        before = end
    if begin < len(text):
        yield begin, len(text)
