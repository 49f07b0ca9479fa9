"""Writing relations as results."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from services.annotation.content import Direction, Relation

_DIRECTIONS = {Direction.RIGHT: "right", Direction.LEFT: "left", Direction.BOTH: "bi"}


def relation_results(
    relations: Sequence[Relation],
    kept: Sequence[tuple[int, Mapping[str, Any], Mapping[str, Any]]],
    names: Mapping[str, str],
    shared: set[str],
    results: list[dict[str, Any]],
    omitted: Counter[str],
) -> None:
    """Put relations into a list of results.

    Args:
        relations: All of the annotation.
        kept: For those that a file had: their place in `results`, their entry, what else it says.
        names: From ids of spans and regions to those of their results.
        shared: Ids of spans that are not the first ones of their result.
        results: Where they go: to their places, new ones to the end.
        omitted: Counts what cannot be said.
    """
    by_id = {one.id: one for one in relations}
    done: set[str] = set()
    for place, entry, base in kept:
        one = by_id.get(str(entry["relation"]))
        if one is None or one.id in done:
            continue
        done.add(one.id)
        ends = [names.get(one.source, one.source), names.get(one.target, one.target)]
        former = entry.get("ends")
        if (
            isinstance(former, list)
            and len(former) == 2
            and entry.get("of")
            == [
                one.source,
                one.target,
            ]
        ):
            ends = former
        results[place] = _result(one, ends, entry.get("id"), len(done), base)
    for one in relations:
        if one.id in done and one.id:
            continue
        done.add(one.id)
        omitted["ends of relations at one of several labels of a result"] += len(
            {one.source, one.target} & shared
        )
        ends = [names.get(one.source, one.source), names.get(one.target, one.target)]
        results.append(_result(one, ends, None, len(done), {}))


def _result(
    one: Relation, ends: Sequence[Any], former: object, number: int, base: Mapping[str, Any]
) -> dict[str, Any]:
    result = dict(base) | {
        "type": "relation",
        "from_id": ends[0],
        "to_id": ends[1],
        "direction": _DIRECTIONS[one.direction],
    }
    if one.labels:
        result["labels"] = list(one.labels)
    if former is not None:
        result["id"] = former
    elif one.id and one.id != f"rel{number}":
        result["id"] = one.id
    return result
