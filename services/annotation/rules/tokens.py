"""Finds token patterns in time linear in the text.

spaCy's own matcher keeps every way in which a pattern can match: two stars in a pattern make it
cubic. Here spaCy cuts the tokens and says which descriptions each of them fits; RE2 then finds the
sequences, in a string with one character per token that stands for the descriptions it fits.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache

import re2  # type: ignore[import-untyped]  # it has no types

from services.annotation.rules.domain import TokenPattern, TokenRule
from services.annotation.rules.limits import Effort
from services.annotation.rules.resolve import Match
from services.annotation.rules.token_specs import Repeat, plain, repeat_of, spec_key
from services.annotation.rules.tokenizer import Tokenizer, Tokens
from services.common.errors import Reason, ResourceExhaustedError

# Characters of two planes without surrogates: room for every combination of `MAX_SPECS` bits.
_FIRST = 0x20000


class TokenRules:
    """The token rules of a set. Threads may share it; spaCy's part they do in turns."""

    def __init__(self, rules: Mapping[int, TokenRule], ids: Mapping[int, str]) -> None:
        """Build from checked rules by their index in the set; `ids` names them in refusals."""
        conditions: dict[str, int] = {}
        bodies: list[dict[str, object]] = []
        self._patterns: list[_Pattern] = []
        for index, rule in rules.items():
            for pattern in rule.patterns:
                numbers = []
                for spec in pattern:
                    key = spec_key(spec)
                    if key not in conditions:
                        conditions[key] = len(bodies)
                        bodies.append({k: plain(v) for k, v in spec.items() if k != "OP"})
                    numbers.append(conditions[key])
                self._patterns.append(_Pattern(pattern, numbers, rule=index, id=ids[index]))
        self._tokenizer = Tokenizer(bodies)

    def matches(self, text: str, effort: Effort) -> Iterator[Match]:
        """Yield the matches of each pattern."""
        tokens = self._tokenizer.tokens(text, effort)
        for pattern in self._patterns:
            yield from pattern.matches(tokens, effort)


class _Pattern:
    """One token pattern, whose conditions are numbers of the tokenizer's."""

    def __init__(self, pattern: TokenPattern, conditions: list[int], *, rule: int, id: str) -> None:
        self._rule = rule
        self._id = id
        self._bits = {number: bit for bit, number in enumerate(dict.fromkeys(conditions))}
        self._parts = [
            (self._bits[number], repeat_of(spec))
            for number, spec in zip(conditions, pattern, strict=True)
        ]
        # Texts differ little in which combinations they hold, so few expressions serve them all.
        self._regex = lru_cache(maxsize=64)(self._compile)

    def matches(self, tokens: Tokens, effort: Effort) -> Iterator[Match]:
        masks = [self._mask(met) for met in tokens.met]
        effort.check(f"rule {self._id!r}")
        regex = self._regex(frozenset(masks))
        if regex is None:
            return
        letters = [chr(_FIRST + mask) for mask in masks]
        for match in regex.finditer("".join([letters[word] for word in tokens.words])):
            effort.match(self._id)
            first, beyond = match.span()
            yield tokens.starts[first], tokens.ends[beyond - 1], self._rule

    def _mask(self, met: frozenset[int]) -> int:
        return sum(1 << bit for number, bit in self._bits.items() if number in met)

    def _compile(self, present: frozenset[int]) -> re2._Regexp | None:
        """Return the expression over texts of these masks; None where it cannot match."""
        parts = []
        for bit, repeat in self._parts:
            fitting = [mask for mask in sorted(present) if bool(mask >> bit & 1) != repeat.negated]
            if fitting:
                parts.append(f"[{''.join(chr(_FIRST + mask) for mask in fitting)}]{_sign(repeat)}")
            elif repeat.least > 0:
                return None
        options = re2.Options()
        options.log_errors = False
        options.longest_match = True
        try:
            return re2.compile("".join(parts), options)
        except re2.error:
            raise ResourceExhaustedError(
                Reason.REQUEST_TOO_LARGE,
                f"A token pattern of rule {self._id!r} needs too much memory on this text: "
                "describe fewer different tokens in it or lower its repetitions.",
                metadata={"rule": self._id},
            ) from None


def _sign(repeat: Repeat) -> str:
    most = "" if repeat.most is None else repeat.most
    return f"{{{repeat.least},{most}}}"
