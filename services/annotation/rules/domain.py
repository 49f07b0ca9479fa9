"""What a rule set is: rules that propose spans of a label without any model.

Plain values; `services.annotation.rules.compiled` checks them and makes them run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

TokenValue: TypeAlias = "str | int | bool | Mapping[str, TokenValue] | tuple[TokenValue, ...]"
"""What an attribute of a token is compared with: a value, or an object as ``{"IN": [...]}``."""

TokenSpec: TypeAlias = Mapping[str, TokenValue]
"""What one token must be, as in patterns of spaCy's Matcher; ``OP`` says how often."""

TokenPattern: TypeAlias = tuple[TokenSpec, ...]
"""A sequence of tokens."""


@dataclass(frozen=True, kw_only=True)
class DictionaryRule:
    """Finds the terms of a list.

    Attributes:
        terms: What to find, verbatim: no term is normalised, and a blank is one blank.
        case_sensitive: Whether case counts; if not, both sides are case-folded (ß equals SS).
        whole_words: Whether a match must begin and end at a word boundary of Unicode (UAX 29).
    """

    terms: tuple[str, ...]
    case_sensitive: bool = False
    whole_words: bool = True


@dataclass(frozen=True, kw_only=True)
class RegexRule:
    r"""Finds the matches of a regular expression, from left to right, not overlapping.

    Attributes:
        pattern: In RE2's syntax. ``\w``, ``\d`` and ``\b`` know ASCII only; any letter is
            ``\p{L}``.
        group: Number or name of the group that is the span; empty: the whole match. A match in
            which the group is empty or takes no part proposes nothing.
        case_sensitive: Whether case counts.
    """

    pattern: str
    group: str = ""
    case_sensitive: bool = True


@dataclass(frozen=True, kw_only=True)
class TokenRule:
    """Finds sequences of tokens: of each pattern the leftmost, longest matches, not overlapping.

    Attributes:
        patterns: The alternatives, as in spaCy's Matcher but with lexical attributes only
            (`services.annotation.rules.token_specs` lists them). Tokens are those of
            ``spacy.blank("xx")``; a run of more than 256 characters without white space is cut.
    """

    patterns: tuple[TokenPattern, ...]


RuleBody: TypeAlias = DictionaryRule | RegexRule | TokenRule


@dataclass(frozen=True, kw_only=True)
class Rule:
    """Proposes spans of one label.

    Attributes:
        id: Unique in its rule set.
        label: The label of the spans.
        body: How spans are found.
        priority: Decides between overlapping matches of the same length; the higher wins.
        score: The score of the spans, from 0 to 1.
    """

    id: str
    label: str
    body: RuleBody
    priority: int = 0
    score: float = 1.0


@dataclass(frozen=True, kw_only=True)
class RuleSet:
    """The rules of one source of predictions.

    Attributes:
        id: Its id within the project.
        name: What people call it.
        revision: Grows by one with every change of the rules; predictions name it.
        rules: The rules; order decides last between overlapping matches.
    """

    id: str
    name: str
    revision: int
    rules: tuple[Rule, ...]
