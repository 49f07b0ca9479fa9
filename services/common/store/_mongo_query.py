"""Translation of the port's conditions, changes and indexes into MongoDB's documents.

A stored document is ``{"_id": id, "revision": n, "body": {…}, "nulls": {…}}``. ``nulls`` is there
because the port does not hold null to uniqueness, while MongoDB does: a null at a path of a unique
index is not written into ``body`` but noted in ``nulls``, so that the index (partial:
``$exists``) leaves the document out, and put back when the document is read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from services.common.store.port import (
    Collection,
    Condition,
    Document,
    Eq,
    Gt,
    Has,
    HasAny,
    In,
    Index,
    Lt,
    Ne,
    Order,
    Scalar,
    Stored,
    read_path,
)

Query = dict[str, Any]


def unique_paths(collection: Collection) -> frozenset[str]:
    """Return the paths at which nulls are set aside."""
    return frozenset(path for index in collection.indexes if index.unique for path in index.fields)


def index_keys(index: Index) -> list[tuple[str, int]]:
    """Return the key pattern of a declared index."""
    keys = [(f"body.{path}", 1) for path in index.fields]
    return keys if index.unique else [*keys, ("_id", 1)]


def index_filter(index: Index) -> Query:
    """Return which documents are in the index; empty: all."""
    wanted: Query = {}
    if index.unique:
        wanted = {f"body.{path}": {"$exists": True} for path in index.fields}
    for path, value in index.where.items():
        if value is None or f"body.{path}" not in wanted:
            wanted[f"body.{path}"] = value
        else:
            wanted[f"body.{path}"] = {"$exists": True, "$eq": value}
    return wanted


def query(where: Sequence[Condition]) -> Query:
    """Return the filter that holds when all conditions hold."""
    terms = [_condition(condition) for condition in where]
    return {"$and": terms} if terms else {}


def sort_keys(order: Sequence[Order]) -> list[tuple[str, int]]:
    """Return the sort keys; the id breaks ties."""
    return [*((f"body.{k.field}", -1 if k.descending else 1) for k in order), ("_id", 1)]


def behind(order: Sequence[Order], after: Sequence[Scalar]) -> Query:
    """Return the filter that holds for documents behind the position `after`."""
    keys = sort_keys(order)
    alternatives = [
        {
            **{other: after[place] for place, (other, _) in enumerate(keys[:depth])},
            key: {"$gt" if direction > 0 else "$lt": after[depth]},
        }
        for depth, (key, direction) in enumerate(keys)
    ]
    if len(alternatives) == 1:
        return alternatives[0]
    first, direction = keys[0]
    # implied by the alternatives; gives the planner one range to seek in
    return {
        "$and": [
            {first: {"$gte" if direction > 0 else "$lte": after[0]}},
            {"$or": alternatives},
        ]
    }


def packed(id: str, revision: int, body: Document, unique: frozenset[str]) -> Document:
    """Return the document to write; `body` is not changed."""
    nulls = sorted(path for path in unique if _holds_null(body, path))
    for path in nulls:
        body = _without(body, path)
    document: Document = {"_id": id, "revision": revision, "body": body}
    if nulls:
        document["nulls"] = {_slashed(path): True for path in nulls}
    return document


def unpacked(document: Mapping[str, Any]) -> Stored:
    """Return a document as the port shows it."""
    body = document["body"]
    for slashed in document.get("nulls", {}):
        *way, last = slashed.split("/")
        parent: Any = body
        for part in way:
            parent = parent.setdefault(part, {})
        parent[last] = None
    return Stored(id=document["_id"], revision=int(document["revision"]), body=body)


def change(
    values: Mapping[str, Any], steps: Mapping[str, int], unique: frozenset[str]
) -> dict[str, Any]:
    """Return the update that makes the changes and counts the revision."""
    assign: Query = {}
    remove: Query = {}
    for path, value in values.items():
        aside = sorted(u for u in unique if u == path or u.startswith(f"{path}."))
        for inner in aside:
            holds = value is None if inner == path else _holds_null(value, inner[len(path) + 1 :])
            (assign if holds else remove)[f"nulls.{_slashed(inner)}"] = True
            if holds and inner != path:
                value = _without(value, inner[len(path) + 1 :])
        if path in unique and value is None:
            remove[f"body.{path}"] = True
        else:
            assign[f"body.{path}"] = value
    for path in steps:
        if path in unique:
            remove[f"nulls.{_slashed(path)}"] = True
    update: dict[str, Any] = {
        "$inc": {"revision": 1, **{f"body.{path}": step for path, step in steps.items()}}
    }
    if assign:
        update["$set"] = assign
    if remove:
        update["$unset"] = remove
    return update


def _condition(condition: Condition) -> Query:
    field = f"body.{condition.field}"
    match condition:
        case Eq(value=value):
            return {field: {"$eq": value}}
        case Ne(value=value):
            return {field: {"$ne": value}}
        case In(values=values):
            return {field: {"$in": list(values)}}
        case Has(value=value):
            return {field: {"$elemMatch": {"$eq": value}}}
        case HasAny(values=values):
            return {field: {"$elemMatch": {"$in": list(values)}}}
        case Lt(value=bound):
            return {field: {"$lt": bound}}
        case Gt(value=bound):
            return {field: {"$gt": bound}}


def _slashed(path: str) -> str:
    return path.replace(".", "/")


def _holds_null(body: Any, path: str) -> bool:
    *way, last = path.split(".")
    parent = read_path(body, ".".join(way)) if way else body
    return isinstance(parent, dict) and last in parent and parent[last] is None


def _without(body: Document, path: str) -> Document:
    first, _, rest = path.partition(".")
    if not rest:
        return {key: value for key, value in body.items() if key != first}
    return {**body, first: _without(body[first], rest)}
