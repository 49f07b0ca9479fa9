"""The relations of a Prodigy example, whose ends are tokens that may lie in spans."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from services.annotation.content import Relation
from services.annotation.contents import RawRelation, checked_relations
from services.annotation.formats.json_fields import a_list, a_string, an_object
from services.annotation.formats.prodigy.spans import ReadSpans

_PLACED = frozenset({"head_span", "child_span", "label", "id"})


@dataclass(frozen=True, kw_only=True)
class ReadRelations:
    """What was read.

    Attributes:
        relations: The relations between spans, each with an id.
        rest: By id of a relation, what else the file says about it: tokens, colour.
        others: Relations with an end that is in no span, as they stand.
        notes: What was set aside.
    """

    relations: tuple[Relation, ...]
    rest: Mapping[str, Any]
    others: Sequence[Any]
    notes: Sequence[str]


def read_relations(body: Mapping[str, Any], found: ReadSpans, field: str) -> ReadRelations:
    """Return the relations of an example, or raise FIELD_INVALID."""
    raw: list[RawRelation] = []
    rest: dict[str, Any] = {}
    others: list[Any] = []
    notes: list[str] = []
    listed = a_list(body.get("relations"), field)
    taken = {one["id"] for one in listed if isinstance(one, dict) and _has_id(one)}
    given: set[str] = set()
    number = 0
    for index, value in enumerate(listed):
        place = f"{field}[{index}]"
        one = an_object(value, place)
        ends = [_end(one, side, found, place) for side in ("head", "child")]
        source, target = ends
        if source is None or target is None:
            others.append(value)
            notes.append(f"{place}: has an end at a token that is in no span; kept in extra.")
            continue
        relation_id = one["id"] if _has_id(one) and one["id"] not in given else ""
        while not relation_id or (not _has_id(one) and relation_id in taken | given):
            number += 1
            relation_id = f"r{number}"
        given.add(relation_id)
        label = a_string(one.get("label"), f"{place}.label", "")
        raw.append(
            RawRelation(
                source=source, target=target, labels=(label,) if label else (), id=relation_id
            )
        )
        left = {key: said for key, said in one.items() if key not in _PLACED}
        if left:
            rest[relation_id] = left
    ids = {one.id for one in found.spans}
    return ReadRelations(
        relations=checked_relations(raw, ids, field), rest=rest, others=others, notes=notes
    )


def _end(one: Mapping[str, Any], side: str, found: ReadSpans, place: str) -> str | None:
    """Return the id of the span at an end: the one that is named, else the one of its token."""
    span = an_object(one.get(f"{side}_span"), f"{place}.{side}_span")
    if span:
        extent = (span.get("start"), span.get("end"), span.get("label"))
        if all(isinstance(part, str | int) for part in extent):
            return found.by_extent.get(extent)
        return None
    token = one.get(side)
    return found.by_token.get(token) if type(token) is int else None


def _has_id(one: Mapping[str, Any]) -> bool:
    value = one.get("id")
    return isinstance(value, str) and 0 < len(value) <= 100
