"""The rules for the fields of a task, shared by single creation and import."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

from services.annotation.content import Page, Word
from services.annotation.contents import checked_extra
from services.annotation.spans import MAX_TEXT
from services.common.errors import Reason, invalid_field
from services.common.validate import check_count, check_line, check_text

MAX_EXTERNAL_ID = 200
MAX_METADATA = 64
MAX_TAGS = 100
MAX_PAGES = 1_000
MAX_WORDS = 20_000


def check_task_text(text: str, field: str, *, may_be_empty: bool = False) -> str:
    """Return a text of 1 (0 if it may be empty) to MAX_TEXT code points, or raise FIELD_INVALID."""
    return check_text(text, field, 0 if may_be_empty else 1, MAX_TEXT)


def check_tags(tags: Sequence[str], field: str) -> tuple[str, ...]:
    """Return tags sorted, each once, or raise FIELD_INVALID."""
    for index, tag in enumerate(tags):
        check_line(tag, f"{field}[{index}]", 1, 100)
    found = tuple(sorted(set(tags)))
    check_count(found, field, 0, MAX_TAGS)
    return found


def check_group(group: str, field: str) -> str:
    """Return the document that a task is a part of, or raise FIELD_INVALID."""
    return check_line(group, field, 0, MAX_EXTERNAL_ID)


def check_pages(
    text: str, pages: Sequence[Page], words: Sequence[Word], extra: str, field: str
) -> tuple[tuple[Page, ...], tuple[Word, ...], str]:
    """Return the pages, words and extra of a task, or raise FIELD_INVALID or OFFSET_INVALID."""
    check_count(pages, f"{field}.pages", 0, MAX_PAGES)
    check_count(words, f"{field}.words", 0, MAX_WORDS)
    for index, page in enumerate(pages):
        check_text(page.image, f"{field}.pages[{index}].image", 1, 10_000)
        if page.width < 0 or page.height < 0:
            raise invalid_field(f"{field}.pages[{index}]", "sizes must not be negative.")
    behind = 0
    for index, word in enumerate(words):
        place = f"{field}.words[{index}]"
        if not behind <= word.start < word.end <= len(text):
            raise invalid_field(
                place,
                f"{word.start} to {word.end} is outside the text or not behind the word before.",
                reason=Reason.OFFSET_INVALID,
            )
        behind = word.end
        box = (word.x, word.y, word.width, word.height)
        if not all(math.isfinite(one) and abs(one) <= 1e6 for one in box) or min(box[2:]) < 0:
            raise invalid_field(place, "its box must be numbers of percent.")
        if not 0 <= word.page <= len(pages):
            raise invalid_field(f"{place}.page", f"the task has {len(pages)} pages.")
    numbered = tuple(one if one.page else replace(one, page=1) for one in words)
    return tuple(pages), numbered, checked_extra(extra, f"{field}.extra")


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
