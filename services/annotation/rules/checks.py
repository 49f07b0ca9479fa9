"""What every rule set must keep to, whatever its rules look for: bounds, ids, labels, scores."""

from __future__ import annotations

from services.annotation.rules.domain import DictionaryRule, RegexRule, Rule, RuleSet, TokenRule
from services.annotation.rules.limits import (
    MAX_PATTERN_BYTES,
    MAX_RULES,
    MAX_TERM_BYTES,
    MAX_TERMS,
)
from services.annotation.rules.problems import Problems, is_text
from services.annotation.rules.token_specs import patterns_json

_PRIORITY = 1_000_000


def check_bounds(rule_set: RuleSet) -> None:
    """Refuse a rule set that is too large to look at closely.

    Raises:
        InvalidArgumentError: FIELD_INVALID.
    """
    problems = Problems()
    if len(rule_set.rules) > MAX_RULES:
        problems.add(
            "rules", f"has {len(rule_set.rules):,} rules: at most {MAX_RULES:,} are possible."
        )
    dictionaries = [r.body for r in rule_set.rules if isinstance(r.body, DictionaryRule)]
    terms = sum(len(body.terms) for body in dictionaries)
    if terms > MAX_TERMS:
        problems.add(
            "rules", f"have {terms:,} terms: at most {MAX_TERMS:,} are possible; split the set."
        )
    term_bytes = sum(_size(term) for body in dictionaries for term in body.terms)
    if term_bytes > MAX_TERM_BYTES:
        problems.add(
            "rules",
            f"have {term_bytes:,} bytes of terms: at most {MAX_TERM_BYTES:,} are possible; "
            "split the set.",
        )
    pattern_bytes = sum(_pattern_bytes(rule) for rule in rule_set.rules)
    if pattern_bytes > MAX_PATTERN_BYTES:
        problems.add(
            "rules",
            f"have {pattern_bytes:,} bytes of patterns: at most {MAX_PATTERN_BYTES:,} are "
            "possible; split the set.",
        )
    problems.refuse()


def size_of(rule_set: RuleSet) -> int:
    """Return about how large a rule set is, in bytes: its terms and patterns."""
    bodies = [rule.body for rule in rule_set.rules]
    terms = [term for one in bodies if isinstance(one, DictionaryRule) for term in one.terms]
    return sum(map(_size, terms)) + sum(map(_pattern_bytes, rule_set.rules))


def check_rule(index: int, rule: Rule, seen: set[str], problems: Problems) -> None:
    """Note what is wrong with a rule apart from its body; `seen` gathers the ids."""
    field = f"rules[{index}]"
    if not rule.id or not is_text(rule.id):
        problems.add(f"{field}.id", "is not a text of at least one character: give an id.")
    elif rule.id in seen:
        problems.add(f"{field}.id", f"{rule.id!r} is the id of an earlier rule: choose another.")
    seen.add(rule.id)
    if not rule.label.strip() or not is_text(rule.label):
        problems.add(f"{field}.label", "is blank or no text: name a label.")
    if not 0.0 <= rule.score <= 1.0:
        problems.add(f"{field}.score", f"{rule.score} is not from 0 to 1.")
    if not -_PRIORITY <= rule.priority <= _PRIORITY:
        problems.add(f"{field}.priority", f"is not from -{_PRIORITY:,} to {_PRIORITY:,}.")


def _pattern_bytes(rule: Rule) -> int:
    match rule.body:
        case RegexRule(pattern=pattern):
            return _size(pattern)
        case TokenRule(patterns=patterns):
            return _size(patterns_json(patterns))
        case DictionaryRule():
            return 0


def _size(text: str) -> int:
    return len(text.encode(errors="surrogatepass"))
