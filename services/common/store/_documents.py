"""What a document, an id, a path and a change may be: the rules that both adapters enforce.

The adapters check here before they speak to a database, so that a mistake is the same ValueError
on both and never a driver's error.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterable, Mapping, Sequence
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
)

# BSON allows 100 levels; the adapter's own envelope takes some of them.
MAX_DEPTH = 90
# MongoDB's bound on one document; SQLite is held to the same so that neither surprises later.
MAX_DOCUMENT_BYTES = 16 * 1024 * 1024
MAX_ID_BYTES = 900
# A condition is part of a statement with a bounded number of parameters.
MAX_IN_VALUES = 10_000

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,62}")
# A part of digits only would be a list position to MongoDB.
_PART = re.compile(r"(?![0-9]+\Z)[A-Za-z0-9_-]{1,128}")
_INT64 = range(-(2**63), 2**63)
_TOO_DEEP = f"nested deeper than {MAX_DEPTH} levels"


def check_path(path: str) -> str:
    """Return `path`, or raise ValueError when it is not a dotted field path."""
    if not all(_PART.fullmatch(part) for part in path.split(".")):
        raise ValueError(f"not a field path: {path!r}")
    return path


def check_id(id: str) -> str:
    """Return `id`, or raise ValueError when it cannot be a document id."""
    _check_text(id)
    if not id or "\0" in id or len(id.encode()) > MAX_ID_BYTES:
        raise ValueError(f"an id has 1 to {MAX_ID_BYTES} bytes and no NUL: {id[:80]!r}")
    return id


# Keys that were found good: there are few, but for those that users choose.
_good_keys: set[str] = set()
_MAX_GOOD_KEYS = 10_000


def check_collections(collections: Sequence[Collection]) -> None:
    """Raise ValueError when a declaration is not usable: bad or repeated names."""
    for collection in collections:
        if not _NAME.fullmatch(collection.name):
            raise ValueError(f"not a collection name: {collection.name!r}")
        names: set[str] = set()
        for index in collection.indexes:
            if not index.fields or index.name in names:
                raise ValueError(f"{collection.name}: index {index.name!r} is empty or repeated")
            names.add(index.name)
            if index.multi and (
                index.multi not in index.fields[:-1] or index.unique or index.where
            ):
                raise ValueError(f"{collection.name}: {index.name} cannot be a multi-value index")
            for path in (*index.fields, *index.where):
                check_path(path)
            for value in index.where.values():
                _check_scalar(value)
    if len({c.name for c in collections}) != len(collections):
        raise ValueError("a collection is declared twice")


def unique_indexes(collection: Collection) -> list[Index]:
    """Return the indexes that can refuse a write."""
    return [index for index in collection.indexes if index.unique]


def checked(value: Any, depth: int = MAX_DEPTH) -> Any:
    """Return a deep copy of a JSON value.

    Raises:
        ValueError: It holds what not both databases can keep: another type than the port names,
            a non-finite float, an integer beyond 64 bits, a lone surrogate, a key that is not a
            string or holds NUL, or it is nested too deeply.
    """
    kind = type(value)
    if kind is dict:
        if depth == 0:
            raise ValueError(_TOO_DEEP)
        # This is most of the work of a bulk insert: what documents mostly hold takes no call.
        copy = {}
        for key, item in value.items():
            if type(key) is not str or key not in _good_keys:
                _check_key(key)
            kind = type(item)
            if kind is str:
                if not item.isascii():
                    _check_text(item)
                copy[key] = item
            elif item is None or kind is bool or (kind is int and item in _INT64):
                copy[key] = item
            else:
                copy[key] = checked(item, depth - 1)
        return copy
    if kind is list:
        if depth == 0:
            raise ValueError(_TOO_DEEP)
        if not value:
            return []
        return [
            item if type(item) is str and item.isascii() else checked(item, depth - 1)
            for item in value
        ]
    return _checked_leaf(value, kind)


def _check_key(key: object) -> None:
    if type(key) is not str or "\0" in key:
        raise ValueError(f"not a document key: {key!r}")
    _check_text(key)
    if len(_good_keys) < _MAX_GOOD_KEYS:
        _good_keys.add(key)


def _checked_leaf(value: Any, kind: type) -> Any:
    if kind is int:
        if value not in _INT64:
            raise ValueError("an integer does not fit into 64 bits")
        return value
    if kind is str:
        _check_text(value)
        return value
    if value is None or kind is bool:
        return value
    if kind is float:
        if not math.isfinite(value):
            raise ValueError("a float is not finite")
        return value
    if isinstance(value, str):  # StrEnum and NewType-like subclasses are plain text in a document
        return checked(str.__str__(value))
    raise ValueError(f"not a document value: {kind.__name__}")


def checked_body(body: Document) -> Document:
    """Return a deep copy of a document body, or raise ValueError as `checked` does."""
    if type(body) is not dict:
        raise ValueError("a document body is a dict")
    copy: Document = checked(body)
    return copy


def check_conditions(where: Iterable[Condition]) -> None:
    """Raise ValueError when a condition names no path or compares with what cannot be compared."""
    for condition in where:
        check_path(condition.field)
        match condition:
            case Eq(value=value) | Ne(value=value):
                _check_scalar(value)
            case In(values=values):
                if len(values) > MAX_IN_VALUES:
                    raise ValueError(f"In takes at most {MAX_IN_VALUES} values")
                for value in values:
                    _check_scalar(value)
            case Has(value=value):
                _check_string(value)
            case HasAny(values=values):
                if len(values) > MAX_IN_VALUES:
                    raise ValueError(f"HasAny takes at most {MAX_IN_VALUES} values")
                for value in values:
                    _check_string(value)
            case Lt(value=bound) | Gt(value=bound):
                if bound is None or isinstance(bound, bool):
                    raise ValueError("Lt and Gt compare with a number or a string")
                _check_scalar(bound)


def check_page(order: Sequence[Order], limit: int, after: Sequence[Scalar] | None) -> None:
    """Raise ValueError when the arguments of a find do not fit together."""
    for key in order:
        check_path(key.field)
    if limit < 1:
        raise ValueError("limit is at least 1")
    if after is None:
        return
    if len(after) != len(order) + 1 or not isinstance(after[-1], str):
        raise ValueError("after holds the value of each order field and then the id")
    if any(value is None or isinstance(value, bool) for value in after):
        raise ValueError("after holds numbers and strings: order fields are never null")
    for value in after:
        _check_scalar(value)


def checked_changes(
    set: Mapping[str, Any] | None, increment: Mapping[str, int] | None
) -> tuple[dict[str, Any], dict[str, int]]:
    """Return copies of the changes of an update.

    Raises:
        ValueError: A path or value is unusable, or two changes touch the same field.
    """
    values = {check_path(path): checked(value) for path, value in (set or {}).items()}
    steps = {check_path(path): checked(step) for path, step in (increment or {}).items()}
    if any(type(step) is not int for step in steps.values()):
        raise ValueError("increment adds integers")
    paths = sorted([*values, *steps], key=lambda path: path.split("."))
    for first, second in itertools.pairwise(paths):
        if first == second or second.startswith(first + "."):
            raise ValueError(f"both {first} and {second} are changed")
    return values, steps


def apply_changes(body: Document, values: Mapping[str, Any], steps: Mapping[str, int]) -> None:
    """Change `body` in place as `DocumentStore.update` says.

    Raises:
        ValueError: Something other than an object stands on the way, or a field to increment is
            not an integer.
    """
    for path, value in values.items():
        parent, last = _parent(body, path)
        parent[last] = value
    for path, step in steps.items():
        parent, last = _parent(body, path)
        old = parent.get(last, 0)
        if type(old) is not int or old + step not in _INT64:
            raise ValueError(f"{path} cannot be incremented")
        parent[last] = old + step


def _parent(body: Document, path: str) -> tuple[Document, str]:
    *way, last = path.split(".")
    for part in way:
        body = body.setdefault(part, {})
        if type(body) is not dict:
            raise ValueError(f"{path}: {part} is not an object")
    return body, last


def _check_text(value: str) -> None:
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise ValueError("a string holds a lone surrogate") from None


def _check_scalar(value: Scalar) -> None:
    if isinstance(value, dict | list):
        raise ValueError("conditions compare scalars")  # noqa: TRY004 - one class for all misuse
    checked(value)
    if isinstance(value, str) and "\0" in value:
        raise ValueError("conditions compare no string that holds NUL")


def _check_string(value: str) -> None:
    if not isinstance(value, str):
        raise ValueError("Has and HasAny look for strings")  # noqa: TRY004 - as above
    _check_scalar(value)
