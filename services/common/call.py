"""What is known about the call under way, without passing it through every function."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from services.common.errors import DeadlineExceededError, Reason


@dataclass(frozen=True, kw_only=True)
class CallInfo:
    """The call that the current task works for.

    Attributes:
        method: ``/package.Service/Method``; empty outside of any call.
        request_id: Names the call in logs and error details; the caller's ``x-request-id`` if it
            sent one.
        caller: Who calls: the common name of its TLS client certificate, else ``token``, else
            ``anonymous``; ``background`` outside of any call.
        deadline: When the caller stops waiting, on the clock of `time.monotonic`; None: never.
        user: The user that the call is made by or for; empty when it is the services' own.
    """

    method: str
    request_id: str
    caller: str
    deadline: float | None
    user: str = ""

    def remaining(self) -> float | None:
        """Return the seconds left, never less than 0; None without a deadline."""
        return None if self.deadline is None else max(0.0, self.deadline - time.monotonic())


SYSTEM_ACTOR = "system"

_BACKGROUND = CallInfo(method="", request_id="", caller="background", deadline=None)
_current: ContextVar[CallInfo] = ContextVar("spanloop_call", default=_BACKGROUND)


def current_call() -> CallInfo:
    """Return the call under way; outside of one (background work), a call without deadline."""
    return _current.get()


def current_actor() -> str:
    """Return whom an audit names: the user, else the calling service, else ``system``."""
    call = _current.get()
    if call.user:
        return call.user
    return SYSTEM_ACTOR if call.caller in {"token", "background"} else call.caller


def check_deadline() -> None:
    """Return while the caller still waits.

    Call it before a step that cannot be cancelled, such as entering a batch.

    Raises:
        DeadlineExceededError: It does not.
    """
    if _current.get().remaining() == 0.0:
        raise deadline_exceeded()


def deadline_exceeded() -> DeadlineExceededError:
    """Return the refusal of a call whose deadline has passed."""
    return DeadlineExceededError(
        Reason.DEADLINE_EXCEEDED,
        "The deadline passed before the answer was ready: allow more time or ask for less.",
    )


@contextmanager
def calling(info: CallInfo) -> Iterator[None]:
    """Make `info` the current call inside the block."""
    token = _current.set(info)
    try:
        yield
    finally:
        _current.reset(token)


@contextmanager
def detached_call() -> Iterator[None]:
    """Forget the current call inside the block.

    A task inherits the call in which it was created, deadline and all: create tasks that outlive
    the call inside this block.
    """
    with calling(_BACKGROUND):
        yield
