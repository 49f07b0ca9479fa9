"""Checks of single request fields; each returns the value or raises FIELD_INVALID for the field."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import TypeVar

from services.common.errors import invalid_field

T = TypeVar("T")

_ID = re.compile(r"[a-z0-9][a-z0-9_\-]{0,62}", re.ASCII)


def check_text(value: str, field: str, min: int = 0, max: int = 1000) -> str:
    """Return a text of `min` to `max` code points without NUL."""
    if not value and min > 0:
        raise invalid_field(field, "is required.")
    if not min <= len(value) <= max:
        raise invalid_field(
            field, f"must have {min} to {max} characters." if min else f"at most {max} characters."
        )
    if "\0" in value:
        raise invalid_field(field, "must not hold NUL.")
    return value


def check_line(value: str, field: str, min: int = 0, max: int = 200) -> str:
    """Return a text as `check_text`, without control characters and blanks at either end."""
    check_text(value, field, min, max)
    if value != value.strip():
        raise invalid_field(field, "must not begin or end with a blank.")
    # What can be printed holds none; the rest is looked at closely, as it is rare.
    if not value.isprintable() and any(unicodedata.category(char) == "Cc" for char in value):
        raise invalid_field(field, "must not hold control characters.")
    return value


def check_id(value: str, field: str) -> str:
    """Return an id that a caller chose: 1 to 63 of a-z, 0-9, ``-`` and ``_``, first no sign."""
    if not value:
        raise invalid_field(field, "is required.")
    if not _ID.fullmatch(value):
        raise invalid_field(
            field, "must be 1 to 63 of a-z, 0-9, - and _, beginning with a letter or digit."
        )
    return value


def check_range(value: T, field: str, min: float | None = None, max: float | None = None) -> T:
    """Return a number from `min` to `max`, both included; NaN is in no range."""
    number = float(value)  # type: ignore[arg-type]  # int or float; T keeps which
    low = number if min is None else min
    high = number if max is None else max
    if not low <= number <= high:
        if min is None:
            raise invalid_field(field, f"must be at most {max}.")
        raise invalid_field(
            field, f"must be at least {min}." if max is None else f"must be from {min} to {max}."
        )
    return value


def check_present(value: T | None, field: str) -> T:
    """Return the value of a field that must be set."""
    if value is None:
        raise invalid_field(field, "is required.")
    return value


def check_count(
    items: Sequence[object] | Mapping[str, object], field: str, min: int, max: int
) -> None:
    """Return when a list or map has `min` to `max` entries."""
    if not min <= len(items) <= max:
        raise invalid_field(field, f"must have {min} to {max} entries, not {len(items)}.")


def check_mask(
    paths: Sequence[str], allowed: Sequence[str], field: str = "update_mask"
) -> list[str]:
    """Return the paths of an update mask, each once: at least one, all of them allowed."""
    if not paths:
        raise invalid_field(field, f"is required; it may hold: {', '.join(allowed)}.")
    for path in paths:
        if path not in allowed:
            raise invalid_field(
                field, f"{path[:100]} cannot be changed; it may hold: {', '.join(allowed)}."
            )
    return list(dict.fromkeys(paths))
