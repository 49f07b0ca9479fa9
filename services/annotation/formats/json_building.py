"""Building tasks from JSON of other tools: spans that may repeat, notes, and what is left over."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from services.annotation.content import Span
from services.annotation.contents import checked_extra
from services.annotation.formats.json_fields import to_json
from services.annotation.spans import RawSpan, checked_spans
from services.annotation.tasks import MAX_METADATA
from services.common.errors import InvalidArgumentError, invalid_field
from services.common.offsets import OffsetEncoding, to_code_points

_MAX_KEY = 100
_MAX_NOTE = 1_000


def merged_spans(
    text: str,
    raw: Sequence[RawSpan],
    encoding: OffsetEncoding,
    field: str,
    field_of: Callable[[int], str] | None = None,
) -> tuple[tuple[Span, ...], list[str], list[str]]:
    """Return spans in code points, and where the file says a span twice, only the first of them.

    Args:
        text: The text.
        raw: The spans of the file, in one piece each. An id that occurs twice, or that cannot be
            one, is replaced.
        encoding: The unit of their offsets.
        field: Path of the list in the file.
        field_of: Path of an offset, by its index in start, end, start, end, …; by default
            ``field[0].start`` and so on.

    Returns:
        The spans; for each of `raw` the id that it has now; a note for each one that was merged.

    Raises:
        InvalidArgumentError: As `services.annotation.spans.checked_spans`.
    """

    def place(index: int) -> str:
        return f"{field}[{index // 2}].{'end' if index % 2 else 'start'}"

    flat = [offset for one in raw for offset in (one.start, one.end)]
    points = to_code_points(text, flat, encoding, field_of or place)
    first: dict[tuple[int, int, str], int] = {}
    places, notes = [], []
    taken: set[str] = set()
    kept: list[RawSpan] = []
    place_of: list[int] = []
    for index, one in enumerate(raw):
        start, end = points[2 * index : 2 * index + 2]
        earlier = first.setdefault((start, end, one.label), index)
        if earlier != index:
            notes.append(
                f"{field}[{index}]: has the label and extent of {field}[{earlier}] and was "
                "merged with it."
            )
            place_of.append(place_of[earlier])
            continue
        span_id = one.id if _usable(one.id) and one.id not in taken else ""
        taken.add(span_id)
        place_of.append(len(kept))
        places.append(index)
        kept.append(replace(one, start=start, end=end, id=span_id))
    _number(kept, taken)
    ids = [kept[one].id for one in place_of]
    try:
        spans = checked_spans(text, kept, OffsetEncoding.CODE_POINT, field)
    except InvalidArgumentError as error:
        raise _at_origin(error, field, places, field_of or place) from None
    return spans, ids, notes


def split_notes(found: Mapping[str, Any]) -> tuple[dict[str, str], dict[str, Any]]:
    """Return what of an object can be metadata of a task, and the rest for `extra`.

    Numbers and truth values become text as JSON has them.
    """
    metadata: dict[str, str] = {}
    rest: dict[str, Any] = {}
    for key, value in found.items():
        usable = 0 < len(key) <= _MAX_KEY and key == key.strip() and key.isprintable()
        scalar = isinstance(value, str | int | float)
        note = value if isinstance(value, str) else to_json(value)
        fits = len(note) <= _MAX_NOTE and "\0" not in note and len(metadata) < MAX_METADATA
        if usable and scalar and fits:
            metadata[key] = note
        else:
            rest[key] = value
    return metadata, rest


def extra_of(name: str, rest: Mapping[str, Any], field: str) -> str:
    """Return what is left over of a format as `extra`; empty when nothing is."""
    return checked_extra(to_json({name: rest}), field) if rest else ""


def own_extra(extra: str, name: str) -> dict[str, Any]:
    """Return what an `extra` keeps for a format, to be written back; empty when it is nothing."""
    found = json.loads(extra).get(name) if extra else None
    return found if isinstance(found, dict) else {}


def kept_object(kept: Mapping[str, Any], key: str) -> dict[str, Any]:
    """Return an object within what was kept; callers may store any `extra`, so any else is none."""
    found = kept.get(key)
    return found if isinstance(found, dict) else {}


def kept_list(kept: Mapping[str, Any], key: str) -> list[Any]:
    """Return a list within what was kept; see `kept_object`."""
    found = kept.get(key)
    return found if isinstance(found, list) else []


def has_other_extra(extra: str, name: str) -> bool:
    """Whether an `extra` keeps something for formats other than this one."""
    return bool(extra) and any(key != name for key in json.loads(extra))


def _usable(span_id: str) -> bool:
    return 0 < len(span_id) <= _MAX_KEY and span_id == span_id.strip() and span_id.isprintable()


def _number(kept: list[RawSpan], taken: set[str]) -> None:
    """Give those without an id one, in the order in which they will stand."""
    number = 0
    order = sorted(range(len(kept)), key=lambda at: (kept[at].start, kept[at].end, kept[at].label))
    for at in order:
        if not kept[at].id:
            number += 1
            while f"s{number}" in taken:
                number += 1
            kept[at] = replace(kept[at], id=f"s{number}")


def _at_origin(
    error: InvalidArgumentError, field: str, places: Sequence[int], field_of: Callable[[int], str]
) -> InvalidArgumentError:
    """Return the refusal with the index that the span has in the file."""
    if not error.violations:
        return error
    violation = error.violations[0]
    index, _, inner = violation.field.removeprefix(f"{field}[").partition("]")
    if not violation.field.startswith(f"{field}[") or not index.isdigit():
        return error
    origin = places[int(index)]
    sides = {".start": 2 * origin, ".end": 2 * origin + 1}
    path = field_of(sides[inner]) if inner in sides else f"{field}[{origin}]{inner}"
    return invalid_field(path, violation.description, reason=error.reason)
