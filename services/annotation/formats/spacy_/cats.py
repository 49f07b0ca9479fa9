"""Categories of a text with a score each, as spaCy and Prodigy have them, and choices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from services.annotation.content import Choices
from services.annotation.contents import checked_choices
from services.annotation.formats.json_fields import a_float, an_object
from services.common.errors import invalid_field

_CHOSEN = 0.5


def read_cats(value: object, name: str, field: str) -> tuple[tuple[Choices, ...], dict[str, Any]]:
    """Return the categories of at least 0.5 as choices of one control, and all as they stand.

    The scores of the others say what was not chosen, which choices cannot: keep them as `extra`.

    Raises:
        InvalidArgumentError: FIELD_INVALID: not an object of numbers or truth values, or a name
            that cannot be a choice.
    """
    found = dict(an_object(value, field))
    chosen = []
    for label, score in found.items():
        number = float(score) if isinstance(score, bool) else a_float(score, f"{field}.{label}")
        if not 0 <= number <= 1:
            raise invalid_field(f"{field}.{label}", "must be from 0 to 1.")
        if number >= _CHOSEN:
            chosen.append(label)
    return checked_choices([(name, chosen)] if chosen else [], field), found


def write_cats(choices: Sequence[Choices], kept: object) -> dict[str, Any]:
    """Return the choices as categories; scores that the file once had stay where they agree."""
    chosen = dict.fromkeys(value for one in choices for value in one.values)
    known: Mapping[str, Any] = kept if isinstance(kept, dict) else {}
    cats = {
        label: score if (score >= _CHOSEN) == (label in chosen) else float(label in chosen)
        for label, score in known.items()
        if isinstance(score, int | float)
    }
    return cats | {label: 1.0 for label in chosen if label not in cats}
