"""How selections lie in documents: only what differs from "everything" is kept."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from services.annotation.domain import TaskStatus, TieBreak
from services.annotation.selection.filters import EVERYTHING, TaskFilter
from services.annotation.selection.rules import Selection
from services.common.store.port import Document


def selection_document(selection: Selection) -> Document:
    """Return a selection as a document."""
    wanted: Document = {}
    for one in fields(TaskFilter):
        value = getattr(selection.filter, one.name)
        if value != getattr(EVERYTHING, one.name):
            wanted[one.name] = list(value) if isinstance(value, tuple) else value
    return {
        "filter": wanted,
        "reviewed_only": selection.reviewed_only,
        "tie_break": None if selection.tie_break is None else selection.tie_break.value,
    }


def to_selection(body: Document) -> Selection:
    """Read a selection."""
    wanted: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in body["filter"].items()
    }
    if "statuses" in wanted:
        wanted["statuses"] = tuple(TaskStatus(value) for value in wanted["statuses"])
    tie_break = body["tie_break"]
    return Selection(
        filter=TaskFilter(**wanted),
        reviewed_only=body["reviewed_only"],
        tie_break=None if tie_break is None else TieBreak(tie_break),
    )
