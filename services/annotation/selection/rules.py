"""Which completion of a task is trained on, and why. Pure functions.

The rules are those of the documents that the project started from, one test row for each sentence
of theirs in ``tests/unit/test_selection_rules.py``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from services.annotation.domain import Completion, CompletionState, Task, TieBreak
from services.annotation.selection.filters import EVERYTHING, TaskFilter


class SelectionReason(StrEnum):
    """Why a completion was or was not taken; names as in ``SelectionReason`` of the contract."""

    ACCEPTED = "ACCEPTED"
    ONLY_SUBMITTED = "ONLY_SUBMITTED"
    MOST_RECENT = "MOST_RECENT"
    HIGHEST_PRIORITY = "HIGHEST_PRIORITY"
    OTHER_ACCEPTED = "OTHER_ACCEPTED"
    REJECTED = "REJECTED"
    DRAFT = "DRAFT"
    DELETED = "DELETED"
    NOT_REVIEWED = "NOT_REVIEWED"
    OLDER = "OLDER"
    LOWER_PRIORITY = "LOWER_PRIORITY"
    OTHER_ACCEPTED_LATER = "OTHER_ACCEPTED_LATER"
    NO_TEXT = "NO_TEXT"


@dataclass(frozen=True, kw_only=True)
class Selection:
    """Which completions of which tasks; `tie_break` None is the project's."""

    filter: TaskFilter = EVERYTHING
    reviewed_only: bool = False
    tie_break: TieBreak | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Decision:
    """What the rules say about one completion."""

    completion: Completion
    taken: bool
    reason: SelectionReason


def chosen(
    task: Task,
    *,
    tie_break: TieBreak,
    priorities: Mapping[str, int],
    reviewed_only: bool = False,
) -> Completion | None:
    """Return the completion of a task that is trained on, or None; see `decide`."""
    decisions = decide(
        task, tie_break=tie_break, priorities=priorities, reviewed_only=reviewed_only
    )
    return next((one.completion for one in decisions if one.taken), None)


def for_training(task: Task, decisions: Sequence[Decision]) -> list[Decision]:
    """Return the decisions as they hold for a snapshot: texts are trained on, not pages alone."""
    if task.text:
        return list(decisions)
    return [
        replace(one, taken=False, reason=SelectionReason.NO_TEXT) if one.taken else one
        for one in decisions
    ]


def decide(
    task: Task,
    *,
    tie_break: TieBreak,
    priorities: Mapping[str, int],
    reviewed_only: bool = False,
) -> list[Decision]:
    """Return what the rules say about each completion of a task, in order of creation.

    Args:
        task: The task.
        tie_break: Which of several submitted completions is taken when none is accepted.
        priorities: By user: the priority as a member; who is no member has 0.
        reviewed_only: Take accepted completions only.
    """
    there = [one for one in task.completions if one.deleted is None]
    accepted = [one for one in there if one.state is CompletionState.ACCEPTED]
    submitted = [one for one in there if one.state is CompletionState.SUBMITTED]
    winner: Completion | None = None
    if accepted:
        winner = max(accepted, key=_reviewed)
    elif submitted and not reviewed_only:
        if tie_break is TieBreak.HIGHEST_PRIORITY:
            winner = max(submitted, key=lambda one: (priorities.get(one.author, 0), _recent(one)))
        else:
            winner = max(submitted, key=_recent)
    top = 0 if winner is None else priorities.get(winner.author, 0)

    def reason_of(one: Completion) -> SelectionReason:
        if one.deleted is not None:
            return SelectionReason.DELETED
        match one.state:
            case CompletionState.DRAFT:
                return SelectionReason.DRAFT
            case CompletionState.REJECTED:
                return SelectionReason.REJECTED
            case CompletionState.ACCEPTED:
                is_winner = one is winner
                return (
                    SelectionReason.ACCEPTED if is_winner else SelectionReason.OTHER_ACCEPTED_LATER
                )
            case CompletionState.SUBMITTED:
                return _reason_of_submitted(one)

    def _reason_of_submitted(one: Completion) -> SelectionReason:
        if accepted:
            return SelectionReason.OTHER_ACCEPTED
        if reviewed_only:
            return SelectionReason.NOT_REVIEWED
        by_priority = tie_break is TieBreak.HIGHEST_PRIORITY
        if one is winner:
            if len(submitted) == 1:
                return SelectionReason.ONLY_SUBMITTED
            others = (priorities.get(two.author, 0) for two in submitted if two is not one)
            decided = by_priority and top > max(others)
            return SelectionReason.HIGHEST_PRIORITY if decided else SelectionReason.MOST_RECENT
        lower = by_priority and priorities.get(one.author, 0) < top
        return SelectionReason.LOWER_PRIORITY if lower else SelectionReason.OLDER

    return [
        Decision(completion=one, taken=one is winner, reason=reason_of(one))
        for one in task.completions
    ]


def _recent(one: Completion) -> tuple[int, int, str]:
    return (one.submitted or 0, one.created, one.id)


def _reviewed(one: Completion) -> tuple[int, int, int, str]:
    return (one.review.time if one.review else 0, *_recent(one))
