"""The narrow document-store port that every repository is written over.

A document is a JSON object (str, int, float, bool, None, list, dict; times are integer
microseconds since the epoch, UTC; no bytes, no NaN). Each document has a string id, unique in its
collection, and a revision that starts at 1 and grows by one with each write. One call changes one
document atomically and durably: when it returns, the write survives a crash. There are no
transactions across documents; keep what must change together in one document.

Field paths are dotted (``"lease.token"``) and reach into objects, never into lists. Their parts are
letters, digits, ``_`` and ``-``, not digits alone; other keys may stand in a document but no path
names them. Paths and collection names are written by developers, never taken from a request.

What every adapter does alike (the contract suite holds them to it):

- Null and absent are one in conditions and indexes; reading keeps the difference.
- True and False are no numbers; ``1`` and ``1.0`` are equal. Compare floats by Lt and Gt only.
- Strings are compared by code point, case and all, without normalisation.
- A field that a condition, order or index names holds scalars (a string without NUL) in every
  document, but for those of Has and HasAny, which may hold lists of strings; one that Lt, Gt or an
  order names holds values of one type, numbers or strings. What happens otherwise is not defined.
- Integers have 64 bits, floats are finite, strings hold no lone surrogates, keys no NUL; at most
  90 levels and 16 MiB (in the database's own format) to a document. Anything else, and any
  malformed argument or undeclared collection, is a ValueError, and nothing is written.
- Bodies are copied on the way in and out: changing one afterwards changes nothing stored.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

Document: TypeAlias = dict[str, Any]
Scalar: TypeAlias = str | int | float | bool | None


@dataclass(frozen=True, kw_only=True)
class Index:
    """A declared index of a collection.

    Attributes:
        fields: Dotted field paths, most significant first.
        unique: Whether two documents may not share the values of `fields`. A document in which
            one of them is null or absent is not held to it.
        where: Equality conditions that a document must meet to be in the index (partial index).
        multi: The one of `fields` that holds a list of strings: the document is in the index once
            for each different string of it. Such an index is neither unique nor partial. Its last
            field is what pages are ordered by; where the list holds a string, the other fields
            are not null. A page of a `find` that asks for equality of the fields between, Has or
            HasAny for the list, and that order then costs what it returns (HasAny: at most that
            for each string), however many documents there are.
    """

    fields: tuple[str, ...]
    unique: bool = False
    where: Mapping[str, Scalar] = field(default_factory=dict)
    multi: str = ""

    @property
    def name(self) -> str:
        """A stable name made of the fields, e.g. ``project_status``; ``_u`` ends a unique one."""
        return "_".join(f.replace(".", "_") for f in self.fields) + ("_u" if self.unique else "")


@dataclass(frozen=True, kw_only=True)
class Collection:
    """A named set of documents and its indexes.

    Attributes:
        name: Its name.
        indexes: What is declared.
        dropped: Indexes of earlier releases that must be gone: unique ones that would refuse what
            is right now. Other indexes that are declared no longer just stay.
    """

    name: str
    indexes: tuple[Index, ...] = ()
    dropped: tuple[Index, ...] = ()


@dataclass(frozen=True)
class Eq:
    """The field equals the value (None: the field is null or absent)."""

    field: str
    value: Scalar


@dataclass(frozen=True)
class Ne:
    """The field differs from the value or is absent (None: it is neither null nor absent)."""

    field: str
    value: Scalar


@dataclass(frozen=True)
class In:
    """The field equals one of the values, each as in `Eq`. No values: nothing matches."""

    field: str
    values: Sequence[Scalar]


@dataclass(frozen=True)
class Lt:
    """The field is present, of the value's type (number or string), and less than the value."""

    field: str
    value: str | int | float


@dataclass(frozen=True)
class Gt:
    """The field is present, of the value's type (number or string), and greater than the value."""

    field: str
    value: str | int | float


@dataclass(frozen=True)
class Has:
    """The field is a list that holds the string."""

    field: str
    value: str


@dataclass(frozen=True)
class HasAny:
    """The field is a list that holds one of the strings. No values: nothing matches."""

    field: str
    values: Sequence[str]


Condition: TypeAlias = Eq | Ne | In | Lt | Gt | Has | HasAny


@dataclass(frozen=True, kw_only=True)
class Order:
    """One sort key. The document id always breaks ties, ascending."""

    field: str
    descending: bool = False


@dataclass(frozen=True, kw_only=True)
class Stored:
    """A document as read or as just written."""

    id: str
    revision: int
    body: Document


class StoreError(Exception):
    """Base of what a store raises on purpose."""


class DuplicateError(StoreError):
    """The id, or the values of a unique index, are taken. `index` is ``"id"`` or the index name."""

    def __init__(self, index: str) -> None:
        """Remember which index refused the write."""
        super().__init__(f"duplicate value for {index}")
        self.index = index


class MissingError(StoreError):
    """No document has this id."""


class RevisionError(StoreError):
    """The document was changed since it was read."""


class StoreUnavailableError(StoreError):
    """The database cannot be reached, is full, or refuses writes just now.

    A write that raises this was not acknowledged. As a rule nothing was written; when a connection
    or disk fails while a write is under way, it may yet have been, so repeat with the same id and
    guard.
    """


class SchemaError(StoreError):
    """The database found by `open` cannot be used as declared; a person must decide what to do.

    It is another program's or release's, or its documents break a new unique index.
    """


class DocumentStore(Protocol):
    """What a repository may ask of a database. Every method may raise StoreUnavailableError."""

    async def open(self, collections: Sequence[Collection]) -> None:
        """Connect and create the collections and indexes that are missing. Safe to repeat.

        Raises:
            SchemaError: The database cannot be used as declared.
        """
        ...

    async def close(self) -> None:
        """Release connections. Safe to repeat."""
        ...

    async def ping(self) -> None:
        """Return when the database answers."""
        ...

    async def insert(self, collection: str, id: str, body: Document) -> Stored:
        """Store a new document at revision 1.

        Raises:
            DuplicateError: The id or a unique index value is taken; nothing was written. When both
                are, `index` is ``"id"``.
        """
        ...

    async def insert_many(
        self, collection: str, items: Sequence[tuple[str, Document]]
    ) -> list[Stored | DuplicateError]:
        """Store several new documents with one round trip; each succeeds or fails on its own.

        Returns:
            For each item, in order, the stored document or why it was refused. When the call
            raises or the process dies, any subset of them may have been stored.
        """
        ...

    async def get(self, collection: str, id: str) -> Stored | None:
        """Read one document, or None."""
        ...

    async def get_many(self, collection: str, ids: Sequence[str]) -> dict[str, Stored]:
        """Read several documents; ids that do not exist are left out."""
        ...

    async def replace(
        self, collection: str, id: str, body: Document, *, expected_revision: int
    ) -> Stored:
        """Compare-and-swap: store `body` if the document is still at `expected_revision`.

        Raises:
            MissingError: No such document.
            RevisionError: It is at another revision; nothing was written.
            DuplicateError: A unique index value is taken; nothing was written.
        """
        ...

    async def update(
        self,
        collection: str,
        id: str,
        *,
        where: Sequence[Condition] = (),
        set: Mapping[str, Any] | None = None,
        increment: Mapping[str, int] | None = None,
    ) -> Stored | None:
        """Guarded update: change the named fields if the document meets every condition.

        `set` writes dotted paths (objects on the way are created), `increment` adds to integers
        (absent counts as 0). Guard and write are one atomic step. A null or scalar on the way, a
        field to increment that is no integer, or two changes of one field are a ValueError.

        Returns:
            The document after the write, or None when it does not exist or the guard failed.

        Raises:
            DuplicateError: A unique index value is taken; nothing was written.
        """
        ...

    async def claim_one(
        self,
        collection: str,
        *,
        where: Sequence[Condition],
        order: Sequence[Order],
        set: Mapping[str, Any],
        increment: Mapping[str, int] | None = None,
    ) -> Stored | None:
        """Take the first document, in `order`, that meets the conditions, and change it.

        Choosing and writing are one atomic step: two concurrent callers never get the same
        document while the change makes it fail the conditions.

        Returns:
            The document after the write, or None when none matches.
        """
        ...

    async def delete(
        self, collection: str, id: str, *, expected_revision: int | None = None
    ) -> bool:
        """Remove a document; False when there was none.

        Raises:
            RevisionError: It is not at `expected_revision`; nothing was removed.
        """
        ...

    async def delete_many(self, collection: str, ids: Sequence[str]) -> int:
        """Remove several documents with one round trip; return how many there were.

        When the call raises or the process dies, any subset of them may have been removed.
        """
        ...

    async def find(
        self,
        collection: str,
        *,
        where: Sequence[Condition] = (),
        order: Sequence[Order] = (),
        limit: int,
        after: Sequence[Scalar] | None = None,
    ) -> list[Stored]:
        """Read up to `limit` documents that meet every condition, in `order` then by id.

        Args:
            collection: The collection's name.
            where: Conditions, all of which must hold.
            order: Sort keys; their fields must be present and not null in every matching document.
            limit: The most documents to return, at least 1.
            after: Continue behind this position: the values of the `order` fields and then the id
                of the last document of the page before (see `position`).
        """
        ...

    async def count(self, collection: str, *, where: Sequence[Condition] = ()) -> int:
        """Count the documents that meet every condition."""
        ...


def read_path(body: Document, path: str) -> Any:
    """Return the value at a dotted path, or None where it is absent."""
    value: Any = body
    for part in path.split("."):
        if not isinstance(value, dict) or part not in value:
            return None
        value = value[part]
    return value


def position(stored: Stored, order: Sequence[Order]) -> list[Scalar]:
    """Return the position of a document in an order, to hand to `find` as `after`."""
    return [*(read_path(stored.body, key.field) for key in order), stored.id]
