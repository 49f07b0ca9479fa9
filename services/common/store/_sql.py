"""Translation of declarations and conditions into SQLite's SQL.

Every name that is put into a statement was checked against a pattern by `_documents`; every value
is a bound parameter, save in index definitions, where SQLite wants literals.
"""

from __future__ import annotations

from collections.abc import Sequence

from services.common.store.port import (
    Collection,
    Condition,
    Eq,
    Gt,
    In,
    Index,
    Lt,
    Ne,
    Order,
    Scalar,
)

Params = list[Scalar]


def table_ddl(collection: Collection) -> str:
    """Return the statement that creates the collection's table."""
    return (
        f"CREATE TABLE IF NOT EXISTS {table(collection.name)} "
        "(id TEXT PRIMARY KEY NOT NULL, revision INTEGER NOT NULL, body TEXT NOT NULL)"
    )


def table(collection: str) -> str:
    """Return the quoted table name."""
    return f'"c_{collection}"'


def index_name(collection: str, index: Index) -> str:
    """Return the name of an index; SQLite has one name space for all tables."""
    return f"ix_{collection}__{index.name}"


def index_ddl(collection: str, index: Index) -> str:
    """Return the statement that creates the index."""
    columns = [_value(path) for path in index.fields]
    if not index.unique:
        columns.append("id")  # the tie-breaker of every order, so that no page needs a sort
    where = [_literal(path, value) for path, value in index.where.items()]
    return (
        f'CREATE {"UNIQUE " if index.unique else ""}INDEX "{index_name(collection, index)}" '
        f"ON {table(collection)} ({', '.join(columns)})"
        + (f" WHERE {' AND '.join(where)}" if where else "")
    )


def conditions(where: Sequence[Condition]) -> tuple[str, Params]:
    """Return an SQL expression and its parameters; it is true when all conditions hold."""
    params: Params = []
    terms = [_condition(condition, params) for condition in where]
    return " AND ".join(terms) or "1", params


def order_by(order: Sequence[Order]) -> str:
    """Return the ORDER BY terms; the id breaks ties."""
    return ", ".join(
        [*(f"{_value(k.field)}{' DESC' if k.descending else ''}" for k in order), "id"]
    )


def behind(order: Sequence[Order], after: Sequence[Scalar]) -> tuple[str, Params]:
    """Return the expression that holds for documents behind the position `after`."""
    keys = [(_value(key.field), key.descending) for key in order] + [("id", False)]
    params: Params = []
    bound = ""
    if order:
        # implied by the alternatives below, but only this form lets SQLite seek in the index
        bound = f"{keys[0][0]} {'<=' if keys[0][1] else '>='} ? AND "
        params.append(after[0])
    alternatives = []
    for depth, (key, descending) in enumerate(keys):
        equal = "".join(f"{other} = ? AND " for other, _ in keys[:depth])
        alternatives.append(f"({equal}{key} {'<' if descending else '>'} ?)")
        params += after[: depth + 1]
    return f"{bound}({' OR '.join(alternatives)})", params


def _path(path: str) -> str:
    return "'$" + "".join(f'."{part}"' for part in path.split(".")) + "'"


def _value(path: str) -> str:
    return f"json_extract(body, {_path(path)})"


def _kind(path: str) -> str:
    return f"json_type(body, {_path(path)})"


def _condition(condition: Condition, params: Params) -> str:
    match condition:
        case Eq(field=path, value=value):
            return _equal(path, value, params)
        case Ne(field=path, value=value):
            return f"({_equal(path, value, params)}) IS NOT TRUE"
        case In(field=path, values=values):
            return f"({' OR '.join(_one_of(path, values, params)) or '0'})"
        case Lt(field=path, value=bound):
            return _compare(path, "<", bound, params)
        case Gt(field=path, value=bound):
            return _compare(path, ">", bound, params)


def _equal(path: str, value: Scalar, params: Params) -> str:
    if value is None:
        return f"{_value(path)} IS NULL"
    if isinstance(value, bool):
        return _is_bool(path, value)
    params.append(value)
    # json_extract gives true and false as 1 and 0
    if not isinstance(value, str) and value in (0, 1):
        return f"{_value(path)} = ? AND {_kind(path)} NOT IN ('true', 'false')"
    return f"{_value(path)} = ?"


def _is_bool(path: str, value: bool) -> str:
    return f"{_value(path)} = {int(value)} AND {_kind(path)} = '{str(value).lower()}'"


def _one_of(path: str, values: Sequence[Scalar], params: Params) -> list[str]:
    plain = [v for v in values if isinstance(v, str) or (v is not None and v not in (0, 1))]
    terms = []
    if plain:
        params += plain
        terms.append(f"{_value(path)} IN ({', '.join('?' * len(plain))})")
    rest = [v for v in values if v is None or (not isinstance(v, str) and v in (0, 1))]
    terms += [f"({_equal(path, v, params)})" for v in rest]
    return terms


def _compare(path: str, operator: str, bound: str | float, params: Params) -> str:
    params.append(bound)
    types = "'text'" if isinstance(bound, str) else "'integer', 'real'"
    return f"{_value(path)} {operator} ? AND typeof({_value(path)}) IN ({types})"


def _literal(path: str, value: Scalar) -> str:
    if value is None:
        return f"{_value(path)} IS NULL"
    if isinstance(value, bool):
        return _is_bool(path, value)
    text = "'" + value.replace("'", "''") + "'" if isinstance(value, str) else repr(value)
    return f"{_value(path)} = {text}"
