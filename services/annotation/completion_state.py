"""The state machine of completions: one table, one transition function.

(new) ──CREATE──▶ DRAFT ──SUBMIT──▶ SUBMITTED
│               │  ▲               │   ▲
│               └──┘ EDIT          └───┘ EDIT: a correction
└──────────CREATE_SUBMITTED──────────▲
"""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum

from services.annotation.domain import Completion, CompletionState, EventType, Span
from services.common.errors import FailedPreconditionError, Reason


class Move(StrEnum):
    """What can be done to a completion."""

    CREATE = "create"
    CREATE_SUBMITTED = "create as submitted"
    EDIT = "edit"
    SUBMIT = "submit"


_TABLE: dict[tuple[CompletionState | None, Move], tuple[CompletionState, EventType]] = {
    (None, Move.CREATE): (CompletionState.DRAFT, EventType.COMPLETION_CREATED),
    (None, Move.CREATE_SUBMITTED): (CompletionState.SUBMITTED, EventType.COMPLETION_SUBMITTED),
    (CompletionState.DRAFT, Move.EDIT): (CompletionState.DRAFT, EventType.COMPLETION_UPDATED),
    (CompletionState.DRAFT, Move.SUBMIT): (
        CompletionState.SUBMITTED,
        EventType.COMPLETION_SUBMITTED,
    ),
    (CompletionState.SUBMITTED, Move.EDIT): (
        CompletionState.SUBMITTED,
        EventType.COMPLETION_UPDATED,
    ),
}


def transition(state: CompletionState | None, move: Move) -> tuple[CompletionState, EventType]:
    """Return the state after `move` and the event that tells of it.

    Raises:
        FailedPreconditionError: The table has no such move (STATE_CONFLICT).
    """
    try:
        return _TABLE[state, move]
    except KeyError:
        raise FailedPreconditionError(
            Reason.STATE_CONFLICT,
            f"A completion that is {state.value if state else 'new'} cannot be taken through "
            f"'{move.value}'.",
            metadata={"state": state.value if state else "", "move": move.value},
        ) from None


def begin(
    *, id: str, author: str, spans: tuple[Span, ...], copied_from: str, submit: bool, now: int
) -> tuple[Completion, EventType]:
    """Return a new completion and its event."""
    state, event = transition(None, Move.CREATE_SUBMITTED if submit else Move.CREATE)
    completion = Completion(
        id=id,
        author=author,
        state=state,
        spans=spans,
        copied_from=copied_from,
        version=1,
        created=now,
        updated=now,
        submitted=now if state is CompletionState.SUBMITTED else None,
    )
    return completion, event


def edit(completion: Completion, spans: tuple[Span, ...], now: int) -> tuple[Completion, EventType]:
    """Return the completion with other spans, and its event."""
    state, event = transition(completion.state, Move.EDIT)
    changed = replace(
        completion, state=state, spans=spans, version=completion.version + 1, updated=now
    )
    return changed, event


def submit(completion: Completion, now: int) -> tuple[Completion, EventType]:
    """Return the completion handed in, and its event.

    Raises:
        FailedPreconditionError: It is submitted already.
    """
    state, event = transition(completion.state, Move.SUBMIT)
    changed = replace(
        completion, state=state, version=completion.version + 1, updated=now, submitted=now
    )
    return changed, event
