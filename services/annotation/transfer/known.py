"""Texts of a file whose ids are taken: the same text again, or another one."""

from __future__ import annotations

from collections.abc import Sequence

from services.annotation.documents import to_task
from services.annotation.domain import Task
from services.annotation.formats.records import Refused
from services.annotation.schema import TASKS
from services.common.errors import Reason
from services.common.store.port import DocumentStore, Eq, In


async def known_tasks(
    store: DocumentStore, project: str, external_ids: Sequence[str]
) -> dict[str, Task]:
    """Return the tasks that have these external ids, by external id; deleted ones too."""
    if not external_ids:
        return {}
    found = await store.find(
        TASKS,
        where=[Eq("project", project), In("external_id", list(dict.fromkeys(external_ids)))],
        limit=len(external_ids),
    )
    return {one.body["external_id"]: to_task(one.body) for one in found}


def clash(line: int, new: Task, known: Task) -> Refused | None:
    """Return why a text cannot be imported beside the one that has its id; None: they are equal."""
    if new.text == known.text:
        return None
    return Refused(
        line=line,
        reason=Reason.RESOURCE_EXISTS,
        field="id",
        message=f"id: {new.external_id!r} is the id of another text, of this file or of an earlier "
        "import: give this one an id of its own.",
    )


def left_out(new: Task, known: Task) -> list[str]:
    """Return notes on what an import of the same text does not bring in."""
    if known.deleted is not None:
        return ["the task is there already, but deleted: undelete it to have it back."]
    there = {one.author for one in known.completions}
    authors = dict.fromkeys(one.author for one in new.completions if one.author not in there)
    if not authors:
        return []
    names = ", ".join(repr(author) for author in authors)
    note = (
        f"the task is there already, without what {names} annotated here, which was not added: "
        "create these completions one by one, or import the file into another project."
    )
    return [note]
