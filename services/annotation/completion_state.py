"""The state machine of completions: one table, one transition function.

(new) ─CREATE─▶ DRAFT ─SUBMIT─▶ SUBMITTED ─ACCEPT─▶ ACCEPTED ─REJECT─▶ REJECTED
                                    ▲  └──REJECT──────────────────────▲  │  │
                                    │            ACCEPTED ◀──ACCEPT─────┘  │
                                    └─WITHDRAW, EDIT of an ACCEPTED one    │
                                    └─WITHDRAW, SUBMIT (corrected) ────────┘

EDIT keeps DRAFT, SUBMITTED and REJECTED as they are. A new one may also begin as SUBMITTED,
ACCEPTED or REJECTED: imported files bring such. Stars and deletion are no states, but have rules
of their own here: only what is handed in can be starred, a rejected completion loses its star, and
nothing but undeleting can be done to a deleted one.
"""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum

from services.annotation.content import Content
from services.annotation.domain import Completion, CompletionState, EventType, Review
from services.common.errors import FailedPreconditionError, Reason


class Move(StrEnum):
    """What can be done to a completion."""

    CREATE = "create"
    CREATE_SUBMITTED = "create as submitted"
    CREATE_ACCEPTED = "create as accepted"
    CREATE_REJECTED = "create as rejected"
    EDIT = "edit"
    RESTORE = "set back to an earlier revision"
    SUBMIT = "submit"
    ACCEPT = "accept"
    REJECT = "reject"
    WITHDRAW = "withdraw the review of"


_DRAFT, _SUBMITTED = CompletionState.DRAFT, CompletionState.SUBMITTED
_ACCEPTED, _REJECTED = CompletionState.ACCEPTED, CompletionState.REJECTED
_UPDATED = EventType.COMPLETION_UPDATED
_RESTORED = EventType.COMPLETION_RESTORED

_TABLE: dict[tuple[CompletionState | None, Move], tuple[CompletionState, EventType]] = {
    (None, Move.CREATE): (_DRAFT, EventType.COMPLETION_CREATED),
    (None, Move.CREATE_SUBMITTED): (_SUBMITTED, EventType.COMPLETION_SUBMITTED),
    (None, Move.CREATE_ACCEPTED): (_ACCEPTED, EventType.COMPLETION_SUBMITTED),
    (None, Move.CREATE_REJECTED): (_REJECTED, EventType.COMPLETION_SUBMITTED),
    (_DRAFT, Move.EDIT): (_DRAFT, _UPDATED),
    (_SUBMITTED, Move.EDIT): (_SUBMITTED, _UPDATED),
    # Nobody reviewed what it says now.
    (_ACCEPTED, Move.EDIT): (_SUBMITTED, _UPDATED),
    (_REJECTED, Move.EDIT): (_REJECTED, _UPDATED),
    (_DRAFT, Move.RESTORE): (_DRAFT, _RESTORED),
    (_SUBMITTED, Move.RESTORE): (_SUBMITTED, _RESTORED),
    (_ACCEPTED, Move.RESTORE): (_SUBMITTED, _RESTORED),
    (_REJECTED, Move.RESTORE): (_REJECTED, _RESTORED),
    (_DRAFT, Move.SUBMIT): (_SUBMITTED, EventType.COMPLETION_SUBMITTED),
    (_REJECTED, Move.SUBMIT): (_SUBMITTED, EventType.COMPLETION_SUBMITTED),
    (_SUBMITTED, Move.ACCEPT): (_ACCEPTED, EventType.COMPLETION_ACCEPTED),
    (_REJECTED, Move.ACCEPT): (_ACCEPTED, EventType.COMPLETION_ACCEPTED),
    (_SUBMITTED, Move.REJECT): (_REJECTED, EventType.COMPLETION_REJECTED),
    (_ACCEPTED, Move.REJECT): (_REJECTED, EventType.COMPLETION_REJECTED),
    (_ACCEPTED, Move.WITHDRAW): (_SUBMITTED, EventType.COMPLETION_REVIEW_WITHDRAWN),
    (_REJECTED, Move.WITHDRAW): (_SUBMITTED, EventType.COMPLETION_REVIEW_WITHDRAWN),
}
_BEGIN = {
    _DRAFT: Move.CREATE,
    _SUBMITTED: Move.CREATE_SUBMITTED,
    _ACCEPTED: Move.CREATE_ACCEPTED,
    _REJECTED: Move.CREATE_REJECTED,
}
_REVIEWED = frozenset({_ACCEPTED, _REJECTED})


def transition(state: CompletionState | None, move: Move) -> tuple[CompletionState, EventType]:
    """Return the state after `move` and the event that tells of it.

    Raises:
        FailedPreconditionError: The table has no such move (STATE_CONFLICT).
    """
    try:
        return _TABLE[state, move]
    except KeyError:
        raise _conflict(state.value if state else "new", move.value) from None


def begin(
    *,
    id: str,
    author: str,
    content: Content,
    copied_from: str,
    state: CompletionState,
    now: int,
    review: Review | None = None,
    ground_truth: bool = False,
    lead_time: float = 0.0,
    created: int | None = None,
    updated: int | None = None,
    submitted: int | None = None,
) -> tuple[Completion, EventType]:
    """Return a new completion and its event.

    Args:
        id: Its id.
        author: Its author.
        content: What it says.
        copied_from: The prediction that it began as, or empty.
        state: Where it begins.
        now: The time.
        review: What the reviewer said; kept only for ACCEPTED and REJECTED.
        ground_truth: Whether it has the star; kept only for what is handed in.
        lead_time: Seconds worked on it.
        created: When it was created elsewhere; default now.
        updated: When it was last changed elsewhere; default now.
        submitted: When it was submitted elsewhere; default `created`.
    """
    state, event = transition(None, _BEGIN[state])
    began = now if created is None else created
    completion = Completion(
        id=id,
        author=author,
        state=state,
        content=content,
        copied_from=copied_from,
        version=1,
        created=began,
        updated=now if updated is None else updated,
        submitted=None if state is _DRAFT else (began if submitted is None else submitted),
        review=review if state in _REVIEWED else None,
        ground_truth=ground_truth and state in {_SUBMITTED, _ACCEPTED},
        lead_time=lead_time,
    )
    return completion, event


def edit(
    completion: Completion, content: Content, lead_time: float, now: int
) -> tuple[Completion, EventType]:
    """Return the completion with another content, and its event."""
    return _with_content(completion, Move.EDIT, content, lead_time, now)


def restore_content(
    completion: Completion, content: Content, now: int
) -> tuple[Completion, EventType]:
    """Return the completion set back to an earlier content, and its event."""
    return _with_content(completion, Move.RESTORE, content, completion.lead_time, now)


def submit(completion: Completion, now: int) -> tuple[Completion, EventType]:
    """Return the completion handed in, and its event.

    Raises:
        FailedPreconditionError: It is submitted already.
    """
    changed, event = _moved(completion, Move.SUBMIT, now)
    return replace(changed, submitted=now, review=None), event


def review(
    completion: Completion, move: Move, reviewer: str, comment: str, now: int
) -> tuple[Completion, EventType]:
    """Return the completion accepted, rejected, or with its review withdrawn, and its event.

    Raises:
        FailedPreconditionError: Its state does not allow the move.
    """
    changed, event = _moved(completion, move, now)
    said = Review(reviewer=reviewer, comment=comment, time=now)
    return replace(
        changed,
        review=said if changed.state in _REVIEWED else None,
        ground_truth=changed.ground_truth and changed.state is not _REJECTED,
    ), event


def star(completion: Completion, on: bool, now: int) -> tuple[Completion, EventType] | None:
    """Return the completion with or without a star, and its event; None when nothing changes.

    Raises:
        FailedPreconditionError: It is to be starred and is not handed in.
    """
    _check_there(completion)
    if completion.ground_truth == on:
        return None
    if on and not completion.handed_in:
        raise _conflict(completion.state.value, "star")
    event = EventType.COMPLETION_STARRED if on else EventType.COMPLETION_UNSTARRED
    return replace(completion, ground_truth=on, version=completion.version + 1, updated=now), event


def unstarred(completion: Completion) -> Completion:
    """Return a new completion without the star: of several in a file only one can have it."""
    return replace(completion, ground_truth=False)


def delete(completion: Completion, now: int) -> tuple[Completion, EventType]:
    """Return the completion deleted, without its star, and its event."""
    _check_there(completion)
    changed = replace(
        completion,
        deleted=now,
        ground_truth=False,
        version=completion.version + 1,
        updated=now,
    )
    return changed, EventType.COMPLETION_DELETED


def undelete(completion: Completion, now: int) -> tuple[Completion, EventType]:
    """Return the completion brought back, and its event.

    Raises:
        FailedPreconditionError: It is not deleted.
    """
    if completion.deleted is None:
        raise _conflict(completion.state.value, "undelete")
    changed = replace(completion, deleted=None, version=completion.version + 1, updated=now)
    return changed, EventType.COMPLETION_RESTORED


def _with_content(
    completion: Completion, move: Move, content: Content, lead_time: float, now: int
) -> tuple[Completion, EventType]:
    changed, event = _moved(completion, move, now)
    keep = changed.state is completion.state
    return replace(
        changed,
        content=content,
        lead_time=lead_time,
        review=completion.review if keep else None,
    ), event


def _moved(completion: Completion, move: Move, now: int) -> tuple[Completion, EventType]:
    _check_there(completion)
    state, event = transition(completion.state, move)
    return replace(completion, state=state, version=completion.version + 1, updated=now), event


def _check_there(completion: Completion) -> None:
    if completion.deleted is not None:
        raise FailedPreconditionError(
            Reason.STATE_CONFLICT,
            "The completion is deleted: undelete it first.",
            metadata={"state": "DELETED"},
        )


def _conflict(state: str, move: str) -> FailedPreconditionError:
    return FailedPreconditionError(
        Reason.STATE_CONFLICT,
        f"Cannot {move} a completion that is {state}.",
        metadata={"state": state, "move": move},
    )
