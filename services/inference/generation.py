"""One loaded generation: its states, and the handles that keep it alive.

NEW --LOAD--> LOADING --LOADED--> READY --DRAIN--> DRAINING --RELEASED--> UNLOADED
                 |                  |                  |
                 +-------FAIL-------+-------FAIL-------+--> ERROR --LOAD--> LOADING (again)
NEW, LOADING, ERROR --ABANDON--> UNLOADED                   a newer revision is wanted

All methods are called on the event loop's thread, so counting needs no lock.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from types import TracebackType
from typing import Self

from services.inference.domain import DeploymentRevision
from services.inference.engine.model import Model


class GenerationState(StrEnum):
    """Where a generation stands inside this server."""

    NEW = "NEW"
    LOADING = "LOADING"
    READY = "READY"
    DRAINING = "DRAINING"
    UNLOADED = "UNLOADED"
    ERROR = "ERROR"


class GenerationEvent(StrEnum):
    """What happens to a generation."""

    LOAD = "LOAD"
    LOADED = "LOADED"
    DRAIN = "DRAIN"
    RELEASED = "RELEASED"
    FAIL = "FAIL"
    ABANDON = "ABANDON"


_MOVES: dict[tuple[GenerationState, GenerationEvent], GenerationState] = {
    (GenerationState.NEW, GenerationEvent.LOAD): GenerationState.LOADING,
    (GenerationState.ERROR, GenerationEvent.LOAD): GenerationState.LOADING,
    (GenerationState.LOADING, GenerationEvent.LOADED): GenerationState.READY,
    (GenerationState.READY, GenerationEvent.DRAIN): GenerationState.DRAINING,
    (GenerationState.DRAINING, GenerationEvent.RELEASED): GenerationState.UNLOADED,
    (GenerationState.NEW, GenerationEvent.ABANDON): GenerationState.UNLOADED,
    (GenerationState.LOADING, GenerationEvent.ABANDON): GenerationState.UNLOADED,
    (GenerationState.ERROR, GenerationEvent.ABANDON): GenerationState.UNLOADED,
}


class IllegalMoveError(RuntimeError):
    """A move that no state machine of ours makes: a bug."""


def transition(state: GenerationState, event: GenerationEvent) -> GenerationState:
    """Return the state that follows.

    Raises:
        IllegalMoveError: The event cannot happen in this state.
    """
    if event is GenerationEvent.FAIL and state is not GenerationState.UNLOADED:
        return GenerationState.ERROR
    following = _MOVES.get((state, event))
    if following is None:
        raise IllegalMoveError(f"a generation in {state} cannot {event}")
    return following


class Generation:
    """A deployment revision on its way through this server.

    Attributes:
        deployment: What it serves.
        first_seen: When the revision was seen first, monotonic seconds.
        state: Where it stands.
        attempts: How often loading has failed.
        retry_at: When in ERROR: when to try again, monotonic seconds.
        error_message: Why it is in ERROR, for people.
        load_seconds: From first sight to READY; 0 before.
        ready_time: When it became READY, microseconds UTC; None before.
    """

    def __init__(
        self,
        deployment: DeploymentRevision,
        *,
        first_seen: float,
        on_unloaded: Callable[[Generation], None],
    ) -> None:
        """Begin in NEW; `on_unloaded` is called once, when nothing uses it any more."""
        self.deployment = deployment
        self.first_seen = first_seen
        self.state = GenerationState.NEW
        self.attempts = 0
        self.retry_at = 0.0
        self.error_message = ""
        self.load_seconds = 0.0
        self.ready_time: int | None = None
        self._active = 0
        self._model: Model | None = None
        self._on_unloaded = on_unloaded

    @property
    def active(self) -> int:
        """Requests under way on it."""
        return self._active

    @property
    def resident_bytes(self) -> int:
        """Bytes of adapter weights; 0 when nothing is loaded."""
        model = self._model  # read once: the metrics page asks from a thread of its own
        return 0 if model is None else model.resident_bytes

    @property
    def statuses(self) -> tuple[str, ...]:
        """The assertion statuses that it tells apart; none when nothing is loaded."""
        return () if self._model is None else self._model.statuses

    def begin_loading(self) -> None:
        """Start loading, for the first time or again."""
        self._move(GenerationEvent.LOAD)
        self.error_message = ""

    def loaded(self, model: Model, *, monotonic: float, now: int) -> None:
        """Become READY with a verified model."""
        self._move(GenerationEvent.LOADED)
        self._model = model
        self.load_seconds = max(monotonic - self.first_seen, 0.0)
        self.ready_time = now

    def fail(self, message: str, *, retry_at: float) -> None:
        """Record why loading failed and when to try again."""
        self._move(GenerationEvent.FAIL)
        self.attempts += 1
        self.error_message = message
        self.retry_at = retry_at

    def abandon(self) -> None:
        """Give up on a generation that never became READY."""
        self._move(GenerationEvent.ABANDON)
        self._unload()

    def drain(self) -> None:
        """Take no new requests; unload when the last one ends."""
        self._move(GenerationEvent.DRAIN)
        self._unload_if_unused()

    def acquire(self) -> GenerationHandle:
        """Return a handle that keeps the model until it is released.

        Raises:
            IllegalMoveError: The generation is not READY.
        """
        if self.state is not GenerationState.READY or self._model is None:
            raise IllegalMoveError(f"a generation in {self.state} takes no requests")
        self._active += 1
        return GenerationHandle(self, self._model)

    def release(self) -> None:
        """Count one request less; called by the handle, once."""
        self._active -= 1
        if self.state is GenerationState.DRAINING:
            self._unload_if_unused()

    def _unload_if_unused(self) -> None:
        if self._active == 0:
            self._move(GenerationEvent.RELEASED)
            self._unload()

    def _unload(self) -> None:
        self._model = None
        self._on_unloaded(self)

    def _move(self, event: GenerationEvent) -> None:
        self.state = transition(self.state, event)


class GenerationHandle:
    """Keeps one generation alive for one request; release it, or use it in a ``with``."""

    def __init__(self, generation: Generation, model: Model) -> None:
        """Hold an acquired generation; prefer ``Generation.acquire``."""
        self._generation = generation
        self._model: Model | None = model

    @property
    def deployment(self) -> DeploymentRevision:
        """What the generation serves."""
        return self._generation.deployment

    @property
    def model(self) -> Model:
        """The loaded model.

        Raises:
            IllegalMoveError: The handle was released.
        """
        if self._model is None:
            raise IllegalMoveError("the handle was released")
        return self._model

    def release(self) -> None:
        """Let go; further calls change nothing."""
        if self._model is not None:
            self._model = None
            self._generation.release()

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Release."""
        self.release()
