"""What a task filter says, checked; and what of it the store can look up."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import re2  # type: ignore[import-untyped]  # it has no types

from services.annotation.domain import Task, TaskStatus
from services.annotation.labels.table import LabelTable
from services.common.errors import invalid_field
from services.common.store.port import Condition, Eq, Gt, Has, HasAny, In, Lt
from services.common.validate import check_count, check_line

MAX_VALUES = 1_000
MAX_REGEX = 1_000
_MAX_REGEX_MEMORY = 8 * 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class TaskFilter:
    """Which tasks are meant; see ``TaskFilter`` in selection.proto. Times are microseconds.

    `in_snapshot` and `not_in_snapshot` are ids of snapshots of the project. `deleted`: only
    deleted tasks instead of those that are there.
    """

    statuses: tuple[TaskStatus, ...] = ()
    tags_any: tuple[str, ...] = ()
    tags_all: tuple[str, ...] = ()
    tags_none: tuple[str, ...] = ()
    labels_any: tuple[str, ...] = ()
    labels_all: tuple[str, ...] = ()
    authors: tuple[str, ...] = ()
    text_regex: str = ""
    created_from: int | None = None
    created_before: int | None = None
    updated_from: int | None = None
    updated_before: int | None = None
    in_snapshot: str = ""
    not_in_snapshot: str = ""
    ground_truth: bool = False
    deleted: bool = False


EVERYTHING = TaskFilter()


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How a filter is applied.

    Attributes:
        where: What the store looks up, by its indexes where it has one for it.
        keep: Whether a task that the store found is meant.
        sieving: Whether `keep` may leave tasks out.
    """

    where: Sequence[Condition]
    keep: Callable[[Task], bool]
    sieving: bool


def check_filter(wanted: TaskFilter, field: str) -> TaskFilter:
    """Return a filter that can be applied, or raise FIELD_INVALID."""
    for name in ("tags_any", "tags_all", "tags_none", "labels_any", "labels_all", "authors"):
        values: tuple[str, ...] = getattr(wanted, name)
        check_count(values, f"{field}.{name}", 0, MAX_VALUES)
        for index, value in enumerate(values):
            check_line(value, f"{field}.{name}[{index}]", 1, 200)
    if wanted.text_regex:
        compiled_regex(wanted.text_regex, f"{field}.text_regex")
    for name in ("created", "updated"):
        first, behind = getattr(wanted, f"{name}_from"), getattr(wanted, f"{name}_before")
        if first is not None and behind is not None and first >= behind:
            raise invalid_field(f"{field}.{name}_before", f"must be later than {name}_from.")
    return wanted


def compiled_regex(pattern: str, field: str) -> Callable[[str], bool]:
    """Return whether a text matches somewhere, in time linear in the text.

    Raises:
        InvalidArgumentError: FIELD_INVALID: too long, or not a pattern of RE2.
    """
    if len(pattern) > MAX_REGEX:
        raise invalid_field(field, f"must have at most {MAX_REGEX} characters.")
    options = re2.Options()
    options.log_errors = False
    options.max_mem = _MAX_REGEX_MEMORY
    try:
        compiled = re2.compile(pattern, options=options)
    except re2.error as error:
        said = error.args[0] if error.args else ""
        reason = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
        raise invalid_field(field, f"is no regular expression of RE2: {reason[:200]}.") from None
    return lambda text: compiled.search(text) is not None


def plan(
    project: str,
    wanted: TaskFilter,
    table: LabelTable,
    inside: frozenset[str] | None = None,
    outside: frozenset[str] = frozenset(),
) -> Plan:
    """Return how to apply a checked filter.

    Args:
        project: Id of the project.
        wanted: The filter.
        table: The project's labels: annotations may carry former values.
        inside: Ids of the tasks of `in_snapshot`; None when there is none.
        outside: Ids of the tasks of `not_in_snapshot`.
    """
    where: list[Condition] = [Eq("project", project)]
    # Deleted tasks are few: the index on `deleted` finds them only when it is null.
    where.append(Gt("deleted", 0) if wanted.deleted else Eq("deleted", None))
    statuses = sorted({one.value for one in wanted.statuses})
    if len(statuses) == 1:
        where.append(Eq("status", statuses[0]))
    elif statuses:
        where.append(In("status", statuses))
    where.extend(Has("tags", tag) for tag in wanted.tags_all)
    if wanted.tags_any:
        where.append(HasAny("tags", list(wanted.tags_any)))
    where.extend(HasAny("label_values", table.names_of(label)) for label in wanted.labels_all)
    if wanted.labels_any:
        names = [name for label in wanted.labels_any for name in table.names_of(label)]
        where.append(HasAny("label_values", list(dict.fromkeys(names))))
    if wanted.authors:
        where.append(HasAny("authors", list(wanted.authors)))
    if wanted.created_from is not None:
        # The order of creation is never before the time of creation.
        where.append(Gt("ord", wanted.created_from - 1))
        where.append(Gt("created", wanted.created_from - 1))
    if wanted.created_before is not None:
        where.append(Lt("created", wanted.created_before))
    if wanted.updated_from is not None:
        where.append(Gt("updated", wanted.updated_from - 1))
    if wanted.updated_before is not None:
        where.append(Lt("updated", wanted.updated_before))
    if wanted.ground_truth:
        where.append(Eq("starred", True))
    matches = compiled_regex(wanted.text_regex, "filter.text_regex") if wanted.text_regex else None
    unwanted = frozenset(wanted.tags_none)

    def keep(task: Task) -> bool:
        return (
            (inside is None or task.id in inside)
            and task.id not in outside
            and not unwanted.intersection(task.tags)
            and (matches is None or matches(task.text))
        )

    sieving = bool(matches or unwanted or outside or inside is not None)
    return Plan(where=where, keep=keep, sieving=sieving)
