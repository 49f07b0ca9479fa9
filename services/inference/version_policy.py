"""What to do next about one project's generations: a pure decision, carried out by the manager.

Availability first: the generation that serves is drained only after a newer one is ready.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from services.inference.generation import GenerationState


@dataclass(frozen=True, kw_only=True)
class Held:
    """A generation that this server holds.

    Attributes:
        key: Names what it serves among all that is held. Not the number of the revision: a registry
            that was restored to an older state gives a number to other adapters.
        state: Where it stands.
        retry_at: When in ERROR: the time (monotonic seconds) from which it may be tried again.
    """

    key: int
    state: GenerationState
    retry_at: float = 0.0


@dataclass(frozen=True)
class Load:
    """Begin a generation of what is aspired to."""

    key: int


@dataclass(frozen=True)
class Retry:
    """Load the generation in ERROR again."""

    key: int


@dataclass(frozen=True)
class Drain:
    """Stop giving this generation to new requests."""

    key: int


@dataclass(frozen=True)
class Abandon:
    """Drop a generation that never became ready and is wanted no more."""

    key: int


@dataclass(frozen=True)
class WakeAt:
    """Decide again at this time (monotonic seconds)."""

    time: float


Action: TypeAlias = Load | Retry | Drain | Abandon | WakeAt

_NEVER_READY = (GenerationState.NEW, GenerationState.LOADING, GenerationState.ERROR)


def decide(aspired: int | None, held: Sequence[Held], now: float) -> list[Action]:
    """Return what must happen, in order.

    Args:
        aspired: Key of what the project should serve; None: as it is.
        held: The generations of the project on this server, at most one per key that is not on its
            way out.
        now: Monotonic seconds.
    """
    if aspired is None:
        return []
    actions: list[Action] = []
    wanted: Held | None = None
    for generation in held:
        if generation.key == aspired and generation.state not in (
            GenerationState.DRAINING,
            GenerationState.UNLOADED,
        ):
            wanted = generation
        elif generation.state in _NEVER_READY:
            actions.append(Abandon(generation.key))
    if wanted is None:
        actions.append(Load(aspired))
        return actions
    if wanted.state is GenerationState.READY:
        actions.extend(
            Drain(generation.key)
            for generation in held
            if generation.state is GenerationState.READY and generation.key != aspired
        )
    elif wanted.state is GenerationState.ERROR:
        actions.append(Retry(aspired) if wanted.retry_at <= now else WakeAt(wanted.retry_at))
    return actions


def stop(held: Sequence[Held]) -> list[Action]:
    """Return what must happen so that a project is served no more; requests under way finish."""
    actions: list[Action] = []
    for generation in held:
        if generation.state is GenerationState.READY:
            actions.append(Drain(generation.key))
        elif generation.state in _NEVER_READY:
            actions.append(Abandon(generation.key))
    return actions
