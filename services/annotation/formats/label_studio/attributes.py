"""What is said about one span or region by a control of its own: choices, text, a number."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from services.annotation.formats.json_fields import to_json
from services.annotation.formats.label_studio.values import is_line

_KEYS = {"choices": "choices", "textarea": "text", "rating": "rating", "number": "number"}
_MAX_VALUE = 1_000


def attribute_of(
    result: Mapping[str, Any],
) -> tuple[str, str, dict[str, Any], tuple[str, ...]] | None:
    """Return an attribute that a result gives, or None when it gives none.

    Returns:
        Its name, that of the control; its value: what was chosen or written, several as a JSON
        list; what an entry must know to write it; the key of the value that it stands in.
    """
    name, value = result.get("from_name"), result.get("value")
    key = _KEYS.get(str(result.get("type")))
    if key is None or not is_line(name, 100) or not isinstance(value, dict):
        return None
    said = value.get(key)
    part: dict[str, Any] = {"in": key}
    if isinstance(said, list) and said and all(isinstance(one, str) for one in said):
        if len(said) == 1:
            found = said[0]
        else:
            found = to_json(said)
            part["many"] = True
    elif type(said) in (int, float):
        found = to_json(said)
        part["number"] = True
    else:
        return None
    if len(found) > _MAX_VALUE or "\0" in found:
        return None
    return str(name), found, part, (key,)


def attribute_value(value: str, part: Mapping[str, Any]) -> Any:
    """Return what a result says for the value of an attribute; `part` as from `attribute_of`."""
    if part.get("many") or part.get("number"):
        try:
            found = json.loads(value)
        except (ValueError, RecursionError):
            found = None
        if part.get("many") and isinstance(found, list):
            return found
        if part.get("number") and type(found) in (int, float):
            return found
    return [value]
