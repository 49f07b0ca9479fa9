"""Telling formats in JSON apart by the keys of their first objects."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import ijson  # type: ignore[import-untyped]  # it has no types
from ijson.common import ObjectBuilder  # type: ignore[import-untyped]

from services.annotation.formats.records import TaskFormat

_MAX_ITEMS = 50
_PRODIGY = frozenset(
    (
        "_input_hash",
        "_task_hash",
        "_session_id",
        "_view_id",
        "_annotator_id",
        "answer",
        "options",
        "accept",
        "meta",
        "tokens",
    )
)
_OURS = frozenset(("spans", "completion", "completions", "choices", "regions", "predictions"))
_MIN = frozenset(("annotation_id", "annotator", "lead_time", "created_at", "updated_at"))
_GAL = frozenset(("created_username", "created_ago", "honeypot", "confidence_range"))
_DOCCANO = frozenset(
    (
        "label",
        "labels",
        "entities",
        "relations",
        "cats",
        "column_data",
        "column_label",
        "data",
        "Comments",
    )
)


@dataclass(frozen=True, kw_only=True)
class Parsed:
    """What the beginning of a JSON file says.

    Attributes:
        items: The members of an array, else the values that follow each other; the last one maybe
            in part.
        complete: How many of them are there as a whole.
        broken: Whether something is no JSON, other than for being cut off.
    """

    items: list[Any]
    complete: int
    broken: bool

    @property
    def is_json(self) -> bool:
        """Whether it is JSON, at least an object of it."""
        objects = any(isinstance(one, dict) and one for one in self.items)
        return objects or not self.broken


def items_of(head: bytes, text: str, *, goes_on: bool = False) -> list[Any]:
    """Return the first values of a JSON file, which may be cut off anywhere.

    The members of an array, else the values that follow each other. Empty: it is no JSON.

    Args:
        head: The beginning of the file.
        text: The same as text.
        goes_on: Whether the file may go on behind it.
    """
    items = parsed(head, goes_on=goes_on).items
    if items:
        return items
    # A first line that is broken says nothing about the others.
    found = []
    for line in text.splitlines()[1:_MAX_ITEMS]:
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(value, dict):
            found.append(value)
    return found


def shape_of(items: Sequence[Any]) -> TaskFormat | None:
    """Return the format whose objects look like these, as `items_of` returns them, or None."""
    if any(_is_pair(item) for item in items):
        return TaskFormat.SPACY_TUPLES
    objects = [item for item in items if isinstance(item, dict)]
    if not objects:
        return None
    fields: dict[str, Any] = {}
    for one in objects:
        for key, value in one.items():
            if value or key not in fields:
                fields.setdefault(key, value)
                fields[key] = fields[key] or value
    return _of_fields(fields)


def _of_fields(fields: Mapping[str, Any]) -> TaskFormat | None:
    keys = frozenset(fields)
    if "paragraphs" in keys:
        return TaskFormat.SPACY_JSON
    if any(map(_is_pair, _list(fields.get("annotations")))):
        return TaskFormat.SPACY_TUPLES
    completions = [one for one in _list(fields.get("completions")) if isinstance(one, dict)]
    if any(_GAL & frozenset(one) for one in completions):
        return TaskFormat.GENERATIVE_AI_LAB
    results = ("annotations", "completions", "predictions")
    # The data may stand behind annotations that are longer than what was read.
    if isinstance(fields.get("data"), dict) or any(
        isinstance(one, dict) and "result" in one
        for name in results
        for one in _list(fields.get(name))
    ):
        return TaskFormat.LABEL_STUDIO
    if "annotation_id" in keys or len(keys & _MIN) > 2:
        return TaskFormat.LABEL_STUDIO_MIN
    spans = [one for one in _list(fields.get("spans")) if isinstance(one, dict)]
    if "text" in keys or "html" in keys or "image" in keys:
        if keys & frozenset(("_input_hash", "_task_hash", "answer")):
            return TaskFormat.PRODIGY
        if spans and (keys & _PRODIGY or any("token_start" in one for one in spans)):
            return TaskFormat.PRODIGY
        if "options" in keys or "accept" in keys:
            return TaskFormat.PRODIGY
    if isinstance(fields.get("cats"), dict):
        return TaskFormat.PRODIGY
    if keys & _OURS:
        return TaskFormat.JSONL if "text" in keys or "pages" in keys else None
    if keys & _DOCCANO:
        return TaskFormat.DOCCANO
    return TaskFormat.JSONL if "text" in keys or "pages" in keys else None


def parsed(head: bytes, *, goes_on: bool = False) -> Parsed:
    """Return what the beginning of a JSON file says; see `items_of`."""
    values: list[Any] = []
    builder = ObjectBuilder()
    depth = count = complete = 0
    event, top, broken = "", "", False
    file = io.BytesIO(head)
    try:
        for event, value in ijson.basic_parse(file, multiple_values=True, use_float=True):
            if depth == 0:
                builder = ObjectBuilder()
                values.append(builder)
                top = event
            builder.event(event, value)
            if event in ("start_map", "start_array"):
                depth += 1
            elif event in ("end_map", "end_array"):
                depth -= 1
                count += depth <= 1
                complete += depth == (1 if top == "start_array" else 0)
                if count > _MAX_ITEMS:
                    break
    except (ijson.JSONError, ValueError, RecursionError):
        # The parser reads in pieces: only what is wrong in the last one may be due to the end.
        broken = not (goes_on and file.tell() == len(head))
        if event == "map_key" and not broken:
            builder.event("null", None)  # the key counts, though its value has no end here
        # What was read until here tells enough, unless the last value is hardly begun.
        if values and not getattr(values[-1], "value", None):
            values.pop()
    found = [one.value for one in values if hasattr(one, "value")]
    if len(found) == 1 and isinstance(found[0], list) and not _is_pair(found[0]):
        found = list(found[0][:_MAX_ITEMS])
    return Parsed(items=found, complete=complete, broken=broken)


def _is_pair(value: Any) -> bool:
    """Whether a value is a text with an object of annotations, as in TRAIN_DATA."""
    return (
        isinstance(value, list)
        and len(value) >= 2
        and isinstance(value[0], str)
        and isinstance(value[1], dict)
    )


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
