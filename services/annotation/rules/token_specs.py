"""The language of token patterns: which attributes, comparisons and repetitions there are.

A subset of spaCy's Matcher: attributes that follow from the token's text alone. ``REGEX`` and
``FUZZY`` are left out because their time is not linear in the text; regex rules do that.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from services.annotation.rules.domain import TokenPattern, TokenSpec, TokenValue
from services.annotation.rules.problems import Problems, is_text
from services.common.errors import invalid_field

TEXT_ATTRIBUTES = frozenset({"ORTH", "TEXT", "LOWER", "SHAPE", "PREFIX", "SUFFIX"})
NUMBER_ATTRIBUTES = frozenset({"LENGTH"})
FLAG_ATTRIBUTES = frozenset(
    {
        "IS_ALPHA", "IS_DIGIT", "IS_PUNCT", "IS_LOWER", "IS_UPPER", "IS_TITLE",
        "LIKE_NUM", "LIKE_EMAIL", "LIKE_URL",
    }
)  # fmt: skip
ATTRIBUTES = TEXT_ATTRIBUTES | NUMBER_ATTRIBUTES | FLAG_ATTRIBUTES

MAX_TOKENS = 64
"""Tokens in a pattern."""

MAX_SPECS = 16
"""Different token descriptions in a pattern."""

MAX_REPEATS = 100
"""Sum of the numbers in the ``{n,m}`` of a pattern."""

_LISTS = frozenset({"IN", "NOT_IN"})
_COMPARISONS = frozenset({"==", "!=", ">=", "<=", ">", "<"})
_COUNTS = re.compile(r"\{(\d{0,4})(,?)(\d{0,4})\}", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class Repeat:
    """How often a token stands there.

    Attributes:
        least: The fewest times.
        most: The most times; None: any number.
        negated: Whether it is a token that the description does *not* fit.
    """

    least: int = 1
    most: int | None = 1
    negated: bool = False


def parse_token_patterns(text: str, *, field: str) -> tuple[TokenPattern, ...]:
    """Read token patterns from JSON: a list of patterns, each a list of objects.

    Raises:
        InvalidArgumentError: FIELD_INVALID: it is no JSON of that form. What the objects say is
            checked when the rule set is compiled.
    """
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise invalid_field(field, f"is no JSON: {error}.") from None
    if not isinstance(value, list) or not all(isinstance(pattern, list) for pattern in value):
        raise invalid_field(field, 'is no list of lists: write [[{"LOWER": "mr"}, {}], ...].')
    for row, pattern in enumerate(value):
        for column, spec in enumerate(pattern):
            path = f"{field}[{row}][{column}]"
            if not isinstance(spec, dict):
                raise invalid_field(path, "is no JSON object.")
            for name, part in spec.items():
                try:
                    _frozen(part)
                except ValueError as error:
                    raise invalid_field(f"{path}.{name}", str(error)) from None
    return to_patterns(value)


def to_patterns(value: list[list[dict[str, object]]]) -> tuple[TokenPattern, ...]:
    """Return patterns as the domain has them from parsed JSON.

    Raises:
        ValueError: They hold null, a fraction, or more levels than any pattern needs.
    """
    return tuple(
        tuple({key: _frozen(part) for key, part in spec.items()} for spec in pattern)
        for pattern in value
    )


def patterns_json(patterns: tuple[TokenPattern, ...]) -> str:
    """Return patterns as compact JSON."""
    return json.dumps(plain(patterns), ensure_ascii=False, separators=(",", ":"))


def plain(value: object) -> object:
    """Return a value of the domain as JSON has it: lists and dicts."""
    if isinstance(value, Mapping):
        return {key: plain(part) for key, part in value.items()}
    if isinstance(value, tuple | list):
        return [plain(part) for part in value]
    return value


def repeat_of(spec: TokenSpec) -> Repeat:
    """Return what ``OP`` says.

    Raises:
        ValueError: It is none of ``! ? * + {n} {n,m} {n,} {,m}``.
    """
    match spec.get("OP", "1"):
        case "1":
            return Repeat()
        case "!":
            return Repeat(negated=True)
        case "?":
            return Repeat(least=0)
        case "*":
            return Repeat(least=0, most=None)
        case "+":
            return Repeat(most=None)
        case str(op) if found := _COUNTS.fullmatch(op):
            low, comma, high = found.groups()
            if not comma and low:
                return _counted(int(low), int(low))
            if comma and (low or high):
                return _counted(int(low or 0), int(high) if high else None)
    raise ValueError("is none of ! ? * + {n} {n,m} {n,} {,m}.")


def check_patterns(field: str, patterns: tuple[TokenPattern, ...], problems: Problems) -> None:
    """Note what is wrong with the patterns; `field` is the path of the list."""
    if not patterns:
        problems.add(field, "has no patterns: give at least one.")
    for row, pattern in enumerate(patterns):
        _check_pattern(f"{field}[{row}]", pattern, problems)


def _check_pattern(path: str, pattern: TokenPattern, problems: Problems) -> None:
    if not pattern:
        problems.add(path, "has no tokens: give at least one object.")
        return
    if len(pattern) > MAX_TOKENS:
        problems.add(path, f"has more than {MAX_TOKENS} tokens: shorten it.")
    if len({spec_key(spec) for spec in pattern}) > MAX_SPECS:
        problems.add(path, f"describes more than {MAX_SPECS} different tokens: shorten it.")
    repeats: list[Repeat] = []
    for column, spec in enumerate(pattern):
        _check_spec(f"{path}[{column}]", spec, problems)
        try:
            repeats.append(repeat_of(spec))
        except ValueError as error:
            problems.add(f"{path}[{column}].OP", str(error))
    if len(repeats) < len(pattern):
        return
    if all(repeat.least == 0 for repeat in repeats):
        problems.add(path, "can match no token at all: make at least one token required.")
    if sum(_counted_size(repeat) for repeat in repeats) > MAX_REPEATS:
        problems.add(path, f"repeats more than {MAX_REPEATS} times in all: lower the numbers.")


def spec_key(spec: TokenSpec) -> str:
    """Return what tells descriptions apart, whatever the order of their parts and without OP."""
    return json.dumps(
        {key: plain(value) for key, value in spec.items() if key != "OP"}, sort_keys=True
    )


def _check_spec(path: str, spec: TokenSpec, problems: Problems) -> None:
    for name, value in spec.items():
        if name == "OP":
            continue
        if name not in ATTRIBUTES:
            problems.add(
                f"{path}.{name}",
                "is no attribute of a token here: use " + ", ".join(sorted(ATTRIBUTES)) + ".",
            )
        elif name in FLAG_ATTRIBUTES:
            if not isinstance(value, bool):
                problems.add(f"{path}.{name}", "must be true or false.")
        elif isinstance(value, Mapping):
            _check_comparison(f"{path}.{name}", name, value, problems)
        elif not _fits(name, value):
            problems.add(f"{path}.{name}", f"must be {_kind(name)} or an object.")


def _check_comparison(
    path: str, name: str, value: Mapping[str, TokenValue], problems: Problems
) -> None:
    known = _LISTS | (_COMPARISONS if name in NUMBER_ATTRIBUTES else frozenset())
    if not value:
        problems.add(path, "is an empty object: compare with something.")
    for operator, operand in value.items():
        if operator not in known:
            problems.add(
                f"{path}.{operator}",
                "is no comparison here: use " + ", ".join(sorted(known)) + ".",
            )
        elif operator in _LISTS:
            if not isinstance(operand, tuple) or not all(_fits(name, one) for one in operand):
                problems.add(f"{path}.{operator}", f"must be a list, each {_kind(name)}.")
            elif not operand:
                problems.add(f"{path}.{operator}", "is empty: name at least one value.")
        elif not _fits(name, operand):
            problems.add(f"{path}.{operator}", f"must be {_kind(name)}.")


def _fits(name: str, value: TokenValue) -> bool:
    if name in NUMBER_ATTRIBUTES:
        return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 31
    return isinstance(value, str) and is_text(value)


def _kind(name: str) -> str:
    return "a whole number" if name in NUMBER_ATTRIBUTES else "a text"


def _counted(least: int, most: int | None) -> Repeat:
    if most is not None and (most == 0 or most < least):
        raise ValueError("counts down or never: write {n,m} with m at least n and at least 1.")
    return Repeat(least=least, most=most)


def _counted_size(repeat: Repeat) -> int:
    size = repeat.least if repeat.most is None else repeat.most
    return size if size > 1 else 0


def _frozen(value: object, levels: int = 2) -> TokenValue:
    match value:
        case bool() | int() | str():
            return value
        case dict() if levels:
            return {str(key): _frozen(part, levels - 1) for key, part in value.items()}
        case list() | tuple() if levels:
            return tuple(_frozen(part, levels - 1) for part in value)
    raise ValueError("holds null, a fraction or too many levels, which fit no attribute.")
