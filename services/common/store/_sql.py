"""Translation of declarations and conditions into SQLite's SQL.

Every name that is put into a statement was checked against a pattern by `_documents`; every value
is a bound parameter, save in index definitions, where SQLite wants literals.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from services.common.store.port import (
    Collection,
    Condition,
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

Params = list[Scalar]
# the column of a side table that holds the document's id
SIDE_ID = "doc"


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


def side_table(collection: str, index: Index) -> str:
    """Return the name of the side table of a multi-value index."""
    return f"m_{collection}__{index.name}"


def side_columns(index: Index) -> list[str]:
    """Return the columns of the side table: one for each field of the index, and the id."""
    return [*(f"k{place}" for place in range(len(index.fields))), SIDE_ID]


def index_ddl(collection: str, index: Index) -> str:
    """Return the statement that creates the index."""
    columns = [extract(path) for path in index.fields]
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


def order_by(order: Sequence[Order], columns: Mapping[str, str] | None = None) -> str:
    """Return the ORDER BY terms; the id breaks ties. `columns` are as in `behind`."""
    names = columns or {}
    return ", ".join(
        [
            *(
                f"{names.get(k.field) or extract(k.field)}{' DESC' if k.descending else ''}"
                for k in order
            ),
            names.get("id", "id"),
        ]
    )


def behind(
    order: Sequence[Order], after: Sequence[Scalar], columns: Mapping[str, str] | None = None
) -> tuple[str, Params]:
    """Return the expression that holds for documents behind the position `after`.

    `columns` names the columns in which fields, and the id, stand already.
    """
    names = columns or {}
    keys = [(names.get(key.field) or extract(key.field), key.descending) for key in order]
    keys.append((names.get("id", "id"), False))
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


def json_path(path: str) -> str:
    """Return the literal of a path within a document."""
    return "'$" + "".join(f'."{part}"' for part in path.split(".")) + "'"


def extract(path: str) -> str:
    """Return the expression of a field of the column `body`."""
    return f"json_extract(body, {json_path(path)})"


def _kind(path: str) -> str:
    return f"json_type(body, {json_path(path)})"


def _condition(condition: Condition, params: Params) -> str:
    match condition:
        case Eq(field=path, value=value):
            return _equal(path, value, params)
        case Ne(field=path, value=value):
            return f"({_equal(path, value, params)}) IS NOT TRUE"
        case In(field=path, values=values):
            return f"({' OR '.join(_one_of(path, values, params)) or '0'})"
        case Has(field=path, value=value):
            return _holds(path, [value], params)
        case HasAny(field=path, values=values):
            return _holds(path, values, params)
        case Lt(field=path, value=bound):
            return _compare(path, "<", bound, params)
        case Gt(field=path, value=bound):
            return _compare(path, ">", bound, params)


def _equal(path: str, value: Scalar, params: Params) -> str:
    if value is None:
        return f"{extract(path)} IS NULL"
    if isinstance(value, bool):
        return _is_bool(path, value)
    params.append(value)
    # json_extract gives true and false as 1 and 0
    if not isinstance(value, str) and value in (0, 1):
        return f"{extract(path)} = ? AND {_kind(path)} NOT IN ('true', 'false')"
    return f"{extract(path)} = ?"


def _is_bool(path: str, value: bool) -> str:
    return f"{extract(path)} = {int(value)} AND {_kind(path)} = '{str(value).lower()}'"


def _one_of(path: str, values: Sequence[Scalar], params: Params) -> list[str]:
    plain = [v for v in values if isinstance(v, str) or (v is not None and v not in (0, 1))]
    terms = []
    if plain:
        params += plain
        terms.append(f"{extract(path)} IN ({', '.join('?' * len(plain))})")
    rest = [v for v in values if v is None or (not isinstance(v, str) and v in (0, 1))]
    terms += [f"({_equal(path, v, params)})" for v in rest]
    return terms


def _compare(path: str, operator: str, bound: str | float, params: Params) -> str:
    params.append(bound)
    types = "'text'" if isinstance(bound, str) else "'integer', 'real'"
    return f"{extract(path)} {operator} ? AND typeof({extract(path)}) IN ({types})"


def _holds(path: str, values: Sequence[str], params: Params) -> str:
    params += values
    marks = ", ".join("?" * len(values))
    # quoted, so that json_each takes the list alone; its items have numbers for keys
    return (
        f"EXISTS (SELECT 1 FROM json_each(json_quote({extract(path)})) "  # noqa: S608
        f"WHERE type = 'text' AND typeof(key) = 'integer' AND value IN ({marks}))"
    )


def _literal(path: str, value: Scalar) -> str:
    if value is None:
        return f"{extract(path)} IS NULL"
    if isinstance(value, bool):
        return _is_bool(path, value)
    text = "'" + value.replace("'", "''") + "'" if isinstance(value, str) else repr(value)
    return f"{extract(path)} = {text}"
