"""Finds the terms of all dictionary rules in one pass over a text (Aho-Corasick)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import ahocorasick  # type: ignore[import-not-found]  # it has no types

from services.annotation.rules.boundaries import Boundaries
from services.annotation.rules.domain import DictionaryRule
from services.annotation.rules.folding import INSIDE, Folded, fold
from services.annotation.rules.limits import MAX_TERM_LENGTH, Effort
from services.annotation.rules.problems import Problems, is_text
from services.annotation.rules.resolve import Match


class Dictionaries:
    """The dictionary rules of a set. Read only once built, so threads may share it."""

    def __init__(self, rules: Mapping[int, DictionaryRule], ids: Mapping[int, str]) -> None:
        """Build from checked rules by their index in the set; `ids` names them in refusals."""
        self._ids = ids
        self._whole_words = {index: rule.whole_words for index, rule in rules.items()}
        self._exact = _automaton({i: r for i, r in rules.items() if r.case_sensitive})
        self._folded = _automaton({i: r for i, r in rules.items() if not r.case_sensitive})

    def matches(self, text: str, boundaries: Boundaries, effort: Effort) -> Iterator[Match]:
        """Yield every occurrence of every term, overlapping ones too."""
        if self._exact is not None:
            plain = Folded(text=text, origins=None)
            yield from self._search(self._exact, plain, boundaries, effort)
        if self._folded is not None:
            yield from self._search(self._folded, fold(text), boundaries, effort)

    def _search(
        self,
        automaton: ahocorasick.Automaton,
        folded: Folded,
        boundaries: Boundaries,
        effort: Effort,
    ) -> Iterator[Match]:
        origins = folded.origins
        for last, (length, rules) in automaton.iter(folded.text):
            start, end = last + 1 - length, last + 1
            if origins is not None:
                start, end = origins[start], origins[end]
            for rule in rules:
                effort.match(self._ids[rule])
                # Half of an expanded character (an s of ß) is no match.
                if INSIDE in (start, end):
                    continue
                if not self._whole_words[rule] or boundaries.keeps_words(start, end):
                    yield start, end, rule


def check_dictionary(field: str, rule: DictionaryRule, problems: Problems) -> None:
    """Note what is wrong with a dictionary rule; `field` is the path of the rule in the set."""
    if not rule.terms:
        problems.add(f"{field}.dictionary.terms", "has no terms: give at least one.")
    for index, term in enumerate(rule.terms):
        path = f"{field}.dictionary.terms[{index}]"
        if not term.strip():
            problems.add(path, "is blank: remove it.")
        elif term != term.strip():
            problems.add(path, "begins or ends with white space: remove that.")
        elif len(term) > MAX_TERM_LENGTH:
            problems.add(path, f"is longer than {MAX_TERM_LENGTH} characters: shorten it.")
        elif not is_text(term):
            problems.add(path, "holds a lone surrogate, which no text can.")


def _automaton(rules: Mapping[int, DictionaryRule]) -> ahocorasick.Automaton | None:
    """Return the automaton of the rules' terms: each leads to its length and its rules."""
    owners: dict[str, list[int]] = {}
    for index, rule in rules.items():
        terms = rule.terms if rule.case_sensitive else (fold(term).text for term in rule.terms)
        for term in dict.fromkeys(terms):
            owners.setdefault(term, []).append(index)
    if not owners:
        return None
    automaton = ahocorasick.Automaton()
    for term, indexes in owners.items():
        automaton.add_word(term, (len(term), tuple(indexes)))
    automaton.make_automaton()
    return automaton
