"""Texts with classes: what CSV and fastText have in common."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from services.annotation.content import Choices, Content
from services.annotation.contents import checked_choices
from services.annotation.formats.losses import count_task
from services.annotation.formats.records import ExportItem, ParsedCompletion


def classified(name: str, values: Sequence[str], field: str) -> tuple[ParsedCompletion, ...]:
    """Return the completion that says which classes a text has; none without any.

    Raises:
        InvalidArgumentError: FIELD_INVALID.
    """
    if not values:
        return ()
    choices = checked_choices([(name, list(dict.fromkeys(values)))], field)
    return (ParsedCompletion(content=Content(choices=choices)),)


def classes_of(item: ExportItem, name: str, omitted: Counter[str]) -> list[str]:
    """Return the classes of a task to write, counting what else it has."""
    count_task(omitted, item, "choices")
    if item.chosen is None:
        return []
    content = item.chosen.content
    wanted: Choices | None = next((one for one in content.choices if one.name == name), None)
    others = sum(len(one.values) for one in content.choices if one is not wanted)
    for kind, number in (
        ("spans", len(content.spans)),
        ("relations", len(content.relations)),
        ("choices of other names", others),
        ("annotations without a class", wanted is None),
    ):
        if number:
            omitted[kind] += number
    return [] if wanted is None else list(wanted.values)
