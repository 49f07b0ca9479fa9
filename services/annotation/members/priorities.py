"""The priorities of a project's members, which may decide what is trained on."""

from __future__ import annotations

from services.annotation.schema import MEMBERS
from services.common.store.port import DocumentStore, Eq, Order, Scalar, position

_BY_CREATION = [Order(field="ord")]
_PAGE = 1_000


async def priorities_of(store: DocumentStore, project: str) -> dict[str, int]:
    """Return the priority of each member of a project, by user."""
    found: dict[str, int] = {}
    after: list[Scalar] | None = None
    while True:
        page = await store.find(
            MEMBERS,
            where=[Eq("project", project)],
            order=_BY_CREATION,
            limit=_PAGE,
            after=after,
        )
        found.update((one.body["user"], one.body["priority"]) for one in page if one.body["roles"])
        if len(page) < _PAGE:
            return found
        after = position(page[-1], _BY_CREATION)
