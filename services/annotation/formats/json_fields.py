"""Values of JSON documents of unknown content, checked for their type.

Each function takes a value and its path for the refusal, and raises FIELD_INVALID (offsets:
OFFSET_INVALID) when the value is of another type. None is what an absent or null key gives.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from services.annotation.formats.json_stream import Item
from services.annotation.spans import MAX_TEXT
from services.annotation.tasks import check_external_id
from services.common.errors import InvalidArgumentError, Reason, invalid_field


def document(item: Item) -> Mapping[str, Any]:
    """Return the value of an item that must be an object, or raise REQUEST_MALFORMED."""
    if not isinstance(item.value, dict):
        raise InvalidArgumentError(
            Reason.REQUEST_MALFORMED,
            f"Item {item.number} is not a JSON object: write an object for each text.",
        )
    return item.value


def an_object(value: object, field: str) -> Mapping[str, Any]:
    """Return an object; an empty one for None."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise invalid_field(field, "must be an object.")
    return value


def a_list(value: object, field: str) -> Sequence[Any]:
    """Return a list; an empty one for None."""
    if value is None:
        return ()
    if not isinstance(value, list):
        raise invalid_field(field, "must be a list.")
    return value


def a_string(value: object, field: str, default: str | None = None) -> str:
    """Return a string; the default, if there is one, for None."""
    if value is None and default is not None:
        return default
    if not isinstance(value, str):
        raise invalid_field(field, "is required, as a string.")
    return value


def strings(value: object, field: str) -> tuple[str, ...]:
    """Return the strings of a list; none for None."""
    return tuple(
        a_string(one, f"{field}[{index}]") for index, one in enumerate(a_list(value, field))
    )


def a_bool(value: object, field: str) -> bool:
    """Return true or false; false for None."""
    if value is None:
        return False
    if not isinstance(value, bool):
        raise invalid_field(field, "must be true or false.")
    return value


def an_int(value: object, field: str, default: int | None = None) -> int:
    """Return a whole number; the default, if there is one, for None."""
    if value is None and default is not None:
        return default
    if type(value) is not int:
        raise invalid_field(field, "is required, as a whole number.")
    return value


def a_float(value: object, field: str, default: float | None = None) -> float:
    """Return a finite number; the default, if there is one, for None."""
    if value is None and default is not None:
        return default
    if isinstance(value, int | float) and not isinstance(value, bool):
        try:
            found = float(value)
        except OverflowError:
            found = math.inf
        if math.isfinite(found):
            return found
    raise invalid_field(field, "is required, as a number.")


def an_offset(value: object, field: str) -> int:
    """Return an offset into a text, cut to what any text can have."""
    if type(value) is not int:
        raise invalid_field(field, "is required, as a whole number.", reason=Reason.OFFSET_INVALID)
    # Anything beyond any text is equally outside; a huge number must not travel on.
    return max(-1, min(value, 4 * MAX_TEXT + 1))


def an_id(value: object, field: str) -> str:
    """Return an external id, given as a string or a whole number; empty for None."""
    if value is None:
        return ""
    if type(value) is int:
        value = str(value)
    if not isinstance(value, str):
        raise invalid_field(field, "must be a string or a whole number.")
    return check_external_id(value, field)


def to_json(value: object) -> str:
    """Return a value as JSON in one line, as files and `extra` hold it."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False)
