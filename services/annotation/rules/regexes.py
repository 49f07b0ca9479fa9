"""Runs regular expressions with RE2, whose search is linear in the text."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import re2  # type: ignore[import-untyped]  # it has no types

from services.annotation.rules.domain import RegexRule
from services.annotation.rules.limits import Effort
from services.annotation.rules.problems import Problems, is_text
from services.annotation.rules.resolve import Match

_MIB = 1 << 20
_MEMORY = 256 * _MIB
_LEAST, _MOST = 1 * _MIB, 8 * _MIB

# An empty match reads no character, so whether a pattern has one depends on nothing but what its
# assertions see on both sides: the end of the text, a line end, a word character or another one.
_CONTEXTS = tuple(product(("", "\n", "a", " "), repeat=2))


class Regex:
    """One compiled regular expression. Threads may share it."""

    def __init__(self, rule: RegexRule, *, index: int, id: str, memory: int) -> None:
        """Compile.

        Args:
            rule: What to compile.
            index: The rule's index in its set.
            id: Its id, for refusals.
            memory: What RE2 may use for it, in bytes.

        Raises:
            ValueError: The pattern is wrong; the message says how.
            LookupError: The group does not exist; the message says which do.
        """
        options = re2.Options()
        options.log_errors = False
        options.case_sensitive = rule.case_sensitive
        options.max_mem = memory
        try:
            self._regex = re2.compile(rule.pattern, options)
        except re2.error as error:
            raise ValueError(_reason(error, memory)) from None
        if self._matches_nothing():
            raise ValueError("can match the empty string: make at least one character required.")
        self._group = self._group_number(rule.group)
        self._index = index
        self._id = id

    def matches(self, text: str, effort: Effort) -> Iterator[Match]:
        """Yield the matches from left to right, in code points."""
        for match in self._regex.finditer(text):
            effort.match(self._id)
            start, end = match.span(self._group)
            # Both are -1 for a group that takes no part.
            if start < end:
                yield start, end, self._index
        effort.check(f"rule {self._id!r}")

    def _matches_nothing(self) -> bool:
        return any(
            self._regex.fullmatch(before + after, len(before), len(before)) is not None
            for before, after in _CONTEXTS
        )

    def _group_number(self, group: str) -> int:
        if not group:
            return 0
        names: dict[str, int] = self._regex.groupindex
        if group in names:
            return names[group]
        if group.isascii() and group.isdigit() and len(group) < 6:
            number = int(group)
            if number <= self._regex.groups:
                return number
        known = ", ".join(sorted(names)) or "none"
        raise LookupError(
            f"{group!r} is no group of the pattern, which has {self._regex.groups} "
            f"(named: {known})."
        )


def compile_regex(
    field: str, rule: RegexRule, *, index: int, id: str, memory: int, problems: Problems
) -> Regex | None:
    """Return the compiled rule, or None after noting what is wrong with it."""
    if not rule.pattern:
        problems.add(f"{field}.regex.pattern", "is empty: give a pattern in RE2's syntax.")
    elif not is_text(rule.pattern):
        problems.add(f"{field}.regex.pattern", "holds a lone surrogate, which no text can.")
    else:
        try:
            return Regex(rule, index=index, id=id, memory=memory)
        except LookupError as error:
            problems.add(f"{field}.regex.group", str(error.args[0]))
        except ValueError as error:
            problems.add(f"{field}.regex.pattern", str(error))
    return None


def memory_per_regex(count: int) -> int:
    """Return what RE2 may use for each of `count` patterns, in bytes: at least 1 MiB."""
    return max(_LEAST, min(_MOST, _MEMORY // max(count, 1)))


def _reason(error: Exception, memory: int) -> str:
    told = error.args[0] if error.args else str(error)
    text = told.decode(errors="replace") if isinstance(told, bytes) else str(told)
    if "too large" in text:
        return (
            f"needs more than the {memory // _MIB} MiB that each pattern may use in a set of this "
            "size: lower its repetitions or split the set."
        )
    return f"is no pattern of RE2 ({text}); see https://github.com/google/re2/wiki/Syntax."
