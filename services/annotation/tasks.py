"""The rules for the fields of a task, shared by single creation and import."""

from __future__ import annotations

from collections.abc import Mapping

from services.annotation.spans import MAX_TEXT
from services.common.validate import check_count, check_line, check_text

MAX_EXTERNAL_ID = 200
MAX_METADATA = 64


def check_task_text(text: str, field: str) -> str:
    """Return a text of 1 to MAX_TEXT code points, or raise FIELD_INVALID."""
    return check_text(text, field, 1, MAX_TEXT)


def check_external_id(value: str, field: str) -> str:
    """Return an external id, or raise FIELD_INVALID; empty means that there is none."""
    return check_line(value, field, 0, MAX_EXTERNAL_ID)


def check_metadata(metadata: Mapping[str, str], field: str) -> dict[str, str]:
    """Return a task's notes, or raise FIELD_INVALID."""
    check_count(metadata, field, 0, MAX_METADATA)
    for key, value in metadata.items():
        check_line(key, f"{field} key", 1, 100)
        check_text(value, f"{field}[{key[:100]}]", 0, 1000)
    return dict(metadata)
