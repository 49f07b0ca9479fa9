"""Checks a rule set and makes it run."""

from __future__ import annotations

from collections.abc import Iterator

from services.annotation.content import ScoredSpan
from services.annotation.rules.boundaries import Boundaries
from services.annotation.rules.checks import check_bounds, check_rule
from services.annotation.rules.dictionaries import Dictionaries, check_dictionary
from services.annotation.rules.domain import DictionaryRule, RegexRule, RuleSet, TokenRule
from services.annotation.rules.limits import DEFAULT_SECONDS, Effort
from services.annotation.rules.problems import Problems, is_text
from services.annotation.rules.regexes import Regex, compile_regex, memory_per_regex
from services.annotation.rules.resolve import Match, resolve
from services.annotation.rules.token_specs import check_patterns
from services.annotation.rules.tokens import TokenRules
from services.common.errors import invalid_field


class CompiledRules:
    """A rule set that runs; made by `compile_rules`.

    It does not change, and any number of threads may annotate with one at a time.
    """

    def __init__(
        self,
        rule_set: RuleSet,
        *,
        dictionaries: Dictionaries,
        regexes: tuple[Regex, ...],
        tokens: TokenRules | None,
    ) -> None:
        """Put the compiled parts together."""
        self.rule_set = rule_set
        self._dictionaries = dictionaries
        self._regexes = regexes
        self._tokens = tokens

    def annotate(self, text: str, *, limit_s: float = DEFAULT_SECONDS) -> tuple[ScoredSpan, ...]:
        """Return the spans that the rules propose, ordered by start, end and label.

        The same text and rules always give the same spans. Of overlapping matches of one label
        the longest stays, then that of the higher priority, then that of the earlier rule, then
        the leftmost; spans of different labels may overlap. A match that cuts a grapheme cluster
        (a letter from its accent, an emoji in two) is none.

        The call computes: run it in a thread where an event loop must go on.

        Args:
            text: The text; at most a few megabytes is sensible.
            limit_s: How long it may compute, in seconds.

        Raises:
            InvalidArgumentError: FIELD_INVALID: `text` holds a lone surrogate.
            ResourceExhaustedError: REQUEST_TOO_LARGE: the rules match more than a million times.
            DeadlineExceededError: DEADLINE_EXCEEDED: it computed longer than `limit_s`.
        """
        if not is_text(text):
            raise invalid_field("text", "holds a lone surrogate, which no text can.")
        effort = Effort(limit_s)
        boundaries = Boundaries(text, effort)
        matches = [
            match
            for match in self._matches(text, boundaries, effort)
            if boundaries.keeps_graphemes(match[0], match[1])
        ]
        return tuple(resolve(matches, self.rule_set.rules, len(text)))

    def _matches(self, text: str, boundaries: Boundaries, effort: Effort) -> Iterator[Match]:
        yield from self._dictionaries.matches(text, boundaries, effort)
        for regex in self._regexes:
            yield from regex.matches(text, effort)
        if self._tokens is not None:
            yield from self._tokens.matches(text, effort)


def compile_rules(rule_set: RuleSet) -> CompiledRules:
    """Return the rule set ready to run.

    Takes about a second for 100,000 terms; the first set with token rules in a process loads
    spaCy, which takes some seconds.

    Raises:
        InvalidArgumentError: FIELD_INVALID: a violation for each bad field, whose path begins with
            ``rules[index]`` and goes on in ``.dictionary``, ``.regex`` or ``.tokens``.
    """
    check_bounds(rule_set)
    problems = Problems()
    seen: set[str] = set()
    dictionaries: dict[int, DictionaryRule] = {}
    regexes: list[Regex] = []
    token_rules: dict[int, TokenRule] = {}
    memory = memory_per_regex(sum(isinstance(rule.body, RegexRule) for rule in rule_set.rules))
    for index, rule in enumerate(rule_set.rules):
        field = f"rules[{index}]"
        check_rule(index, rule, seen, problems)
        match rule.body:
            case DictionaryRule() as body:
                check_dictionary(field, body, problems)
                dictionaries[index] = body
            case RegexRule() as body:
                regex = compile_regex(
                    field, body, index=index, id=rule.id, memory=memory, problems=problems
                )
                if regex is not None:
                    regexes.append(regex)
            case TokenRule() as body:
                check_patterns(f"{field}.tokens.patterns", body.patterns, problems)
                token_rules[index] = body
    problems.refuse()
    ids = {index: rule.id for index, rule in enumerate(rule_set.rules)}
    return CompiledRules(
        rule_set,
        dictionaries=Dictionaries(dictionaries, ids),
        regexes=tuple(regexes),
        tokens=TokenRules(token_rules, ids) if token_rules else None,
    )
