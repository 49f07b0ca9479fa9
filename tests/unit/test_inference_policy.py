"""The version policy, the states and handles of generations, and the manager."""

from __future__ import annotations

import asyncio
import gc
import itertools
import weakref
from dataclasses import replace

import pytest

from services.common.clock import ManualClock, SystemClock
from services.common.errors import (
    DataLossError,
    FailedPreconditionError,
    Reason,
    UnavailableError,
)
from services.inference.convert.serving import generation_message
from services.inference.domain import AdapterRef, AdapterSet, DeploymentRevision, JobState
from services.inference.engine.model import Model
from services.inference.generation import (
    Generation,
    GenerationEvent,
    GenerationState,
    IllegalMoveError,
    transition,
)
from services.inference.job_state import JobEvent
from services.inference.job_state import transition as job_transition
from services.inference.manager import Backoff, GenerationManager
from services.inference.version_policy import (
    Abandon,
    Action,
    Drain,
    Held,
    Load,
    Retry,
    WakeAt,
    decide,
    stop,
)

NEW, LOADING, READY, DRAINING, UNLOADED, ERROR = GenerationState


def held(key: int, state: GenerationState, retry_at: float = 0.0) -> Held:
    return Held(key=key, state=state, retry_at=retry_at)


@pytest.mark.parametrize(
    ("aspired", "holds", "actions"),
    [
        (None, [], []),
        (None, [held(1, READY)], []),
        (1, [], [Load(1)]),
        (1, [held(1, LOADING)], []),
        (1, [held(1, READY)], []),
        (2, [held(1, READY)], [Load(2)]),
        (2, [held(1, READY), held(2, LOADING)], []),
        (2, [held(1, READY), held(2, READY)], [Drain(1)]),
        (2, [held(1, DRAINING), held(2, READY)], []),
        (3, [held(1, READY), held(2, LOADING)], [Abandon(2), Load(3)]),
        (3, [held(1, READY), held(2, ERROR, 99)], [Abandon(2), Load(3)]),
        (2, [held(1, READY), held(2, ERROR, 99)], [WakeAt(99)]),
        (2, [held(1, READY), held(2, ERROR, 10)], [Retry(2)]),
        (2, [held(2, DRAINING)], [Load(2)]),
        (1, [held(1, READY), held(2, READY)], [Drain(2)]),
    ],
)
def test_decisions(aspired: int | None, holds: list[Held], actions: list[Action]) -> None:
    assert decide(aspired, holds, now=50.0) == actions


def test_what_is_stopped_drains_or_was_never_ready() -> None:
    holds = [held(index, state) for index, state in enumerate(GenerationState)]
    assert stop(holds) == [
        Abandon(0),
        Abandon(1),
        Drain(2),
        Abandon(list(GenerationState).index(ERROR)),
    ]


def test_a_serving_generation_is_never_dropped_before_a_newer_one_is_ready() -> None:
    for state, retry_at in itertools.product(GenerationState, (0.0, 99.0)):
        if state is not READY:
            actions = decide(2, [held(1, READY), held(2, state, retry_at)], now=50.0)
            assert Drain(1) not in actions
            assert Abandon(1) not in actions


def test_the_generation_table_is_complete() -> None:
    allowed = {
        (state, event)
        for state, event in itertools.product(GenerationState, GenerationEvent)
        if _moves(state, event)
    }
    assert {state for state, event in allowed if event is GenerationEvent.FAIL} == {
        NEW, LOADING, READY, DRAINING, ERROR,
    }  # fmt: skip
    assert not {event for state, event in allowed if state is UNLOADED}
    assert (READY, GenerationEvent.ABANDON) not in allowed
    assert (LOADING, GenerationEvent.DRAIN) not in allowed


def _moves(state: GenerationState, event: GenerationEvent) -> bool:
    try:
        transition(state, event)
    except IllegalMoveError:
        return False
    return True


def test_job_moves() -> None:
    moves = {
        (state, event)
        for state, event in itertools.product(JobState, JobEvent)
        if _job_moves(state, event)
    }
    assert moves == {
        (JobState.WAITING, JobEvent.CLAIM),
        (JobState.WAITING, JobEvent.CANCEL),
        (JobState.RUNNING, JobEvent.REQUEUE),
        (JobState.RUNNING, JobEvent.FINISH),
        (JobState.RUNNING, JobEvent.FAIL),
        (JobState.RUNNING, JobEvent.CANCEL),
    }


def _job_moves(state: JobState, event: JobEvent) -> bool:
    try:
        job_transition(state, event)
    except FailedPreconditionError:
        return False
    return True


def deployment(revision: int, label: str = "PARTY") -> DeploymentRevision:
    ref = AdapterRef(digest=f"sha256:{revision}", trunk_digest="t", model_version="v")
    return DeploymentRevision(
        project="p", revision=revision, adapters=AdapterSet(labels={label: ref})
    )


def empty_model() -> Model:
    return Model(parts=(), adapters=AdapterSet())


def test_handles_keep_a_draining_generation_alive() -> None:
    unloaded: list[Generation] = []
    generation = Generation(deployment(1), first_seen=1.0, on_unloaded=unloaded.append)
    with pytest.raises(IllegalMoveError):
        generation.acquire()
    generation.begin_loading()
    model = empty_model()
    kept = weakref.ref(model)
    generation.loaded(model, monotonic=3.5, now=7)
    del model
    assert (generation.load_seconds, generation.ready_time) == (2.5, 7)
    first, second = generation.acquire(), generation.acquire()
    generation.drain()
    with pytest.raises(IllegalMoveError):
        generation.acquire()
    first.release()
    first.release()  # once too often changes nothing
    assert (generation.state, generation.active, unloaded) == (DRAINING, 1, [])
    assert second.model.adapters == AdapterSet()
    second.release()
    assert (generation.state, unloaded) == (UNLOADED, [generation])
    with pytest.raises(IllegalMoveError):
        _ = second.model
    gc.collect()
    assert kept() is None


def test_every_state_has_a_public_one() -> None:
    generation = Generation(deployment(1), first_seen=0.0, on_unloaded=lambda _: None)
    for state in GenerationState:
        generation.state = state
        assert generation_message(generation).state != 0


class Loads:
    """A loader that ends when told, well or badly."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.waiting: dict[str, asyncio.Future[Model]] = {}

    async def load(self, adapters: AdapterSet) -> Model:
        digest = next(ref for _, _, ref in adapters.items()).digest
        self.begun.append(digest)
        self.waiting[digest] = asyncio.get_running_loop().create_future()
        return await self.waiting[digest]

    async def end(self, revision: int, outcome: Model | Exception) -> None:
        await asyncio.sleep(0)
        future = self.waiting[f"sha256:{revision}"]
        if isinstance(outcome, Exception):
            future.set_exception(outcome)
        else:
            future.set_result(outcome)
        for _ in range(3):
            await asyncio.sleep(0)


def states(manager: GenerationManager) -> dict[int, GenerationState]:
    return {item.deployment.revision: item.state for item in manager.generations("p")}


def states_of(manager: GenerationManager) -> list[tuple[int, GenerationState]]:
    return [(item.deployment.revision, item.state) for item in manager.generations("p")]


async def test_a_failed_load_leaves_the_old_one_serving_and_is_tried_again() -> None:
    loads = Loads()
    manager = GenerationManager(
        loads, clock=SystemClock(), backoff=Backoff(first=0.02, longest=0.02)
    )
    with pytest.raises(FailedPreconditionError, match="no deployment"):
        manager.acquire("p")
    manager.aspire(deployment(1))
    with pytest.raises(FailedPreconditionError, match="not loaded yet"):
        manager.acquire("p")
    await loads.end(1, empty_model())
    manager.aspire(deployment(2))
    await loads.end(2, DataLossError(Reason.ARTIFACT_CORRUPT, "bytes differ"))
    assert states(manager) == {2: ERROR, 1: READY}
    (failed, _) = manager.generations("p")
    assert failed.error_message == "bytes differ"
    with manager.acquire("p") as handle:
        assert handle.deployment.revision == 1
    await asyncio.sleep(0.06)
    assert loads.begun.count("sha256:2") == 2
    await loads.end(2, RuntimeError("secret detail"))
    assert "secret" not in manager.generations("p")[0].error_message
    await asyncio.sleep(0.06)
    await loads.end(2, empty_model())
    assert states(manager) == {2: READY}
    with manager.acquire("p") as handle:
        assert handle.deployment.revision == 2
    await manager.close()


async def test_a_newer_revision_overtakes_one_that_is_loading() -> None:
    loads = Loads()
    manager = GenerationManager(loads, clock=ManualClock())
    manager.aspire(deployment(1))
    await loads.end(1, empty_model())
    manager.aspire(deployment(2))
    await asyncio.sleep(0)
    manager.aspire(deployment(3))
    await asyncio.sleep(0)
    assert states(manager) == {3: LOADING, 1: READY}
    assert loads.waiting["sha256:2"].cancelled()
    await loads.end(3, empty_model())
    assert states(manager) == {3: READY}
    # The same revision told again changes nothing.
    manager.aspire(deployment(3))
    assert loads.begun == ["sha256:1", "sha256:2", "sha256:3"]
    await manager.close()


async def test_the_content_decides_not_the_number_of_the_revision() -> None:
    """A registry restored to an older state counts the same revisions again."""
    loads = Loads()
    manager = GenerationManager(loads, clock=ManualClock())
    manager.aspire(deployment(5))
    await loads.end(5, empty_model())
    manager.aspire(restored := replace(deployment(1), revision=5))
    assert states_of(manager) == [(5, READY), (5, LOADING)]
    with manager.acquire("p") as handle:
        await loads.end(1, empty_model())
        # Requests under way finish on what they began with; new ones see what is deployed now.
        assert handle.deployment == deployment(5)
        with manager.acquire("p") as new:
            assert new.deployment == restored
        assert states_of(manager) == [(5, DRAINING), (5, READY)]
        # Back while the first still drains: it is loaded anew, never taken out of draining.
        manager.aspire(deployment(5))
        await loads.end(5, empty_model())
    assert states_of(manager) == [(5, READY)]
    assert loads.begun == ["sha256:5", "sha256:1", "sha256:5"]
    # An older number counts like any other.
    manager.aspire(deployment(3))
    await loads.end(3, empty_model())
    assert states(manager) == {3: READY}
    await manager.close()


async def test_the_old_one_drains_until_its_last_request_ends() -> None:
    loads = Loads()
    manager = GenerationManager(loads, clock=ManualClock())
    manager.aspire(deployment(1))
    await loads.end(1, empty_model())
    handle = manager.acquire("p")
    manager.aspire(deployment(2))
    await loads.end(2, empty_model())
    assert states(manager) == {2: READY, 1: DRAINING}
    assert manager.generations()[1].active == 1
    handle.release()
    assert states(manager) == {2: READY}
    await manager.close()


async def test_failures_pause_ever_longer() -> None:
    loads = Loads()
    clock = ManualClock()
    manager = GenerationManager(loads, clock=clock, backoff=Backoff(first=1.0, longest=3.0))
    manager.aspire(deployment(1))
    pauses = []
    for _ in range(4):
        await loads.end(1, UnavailableError(Reason.PEER_UNAVAILABLE, "away"))
        (generation,) = manager.generations()
        pauses.append(generation.retry_at - clock.monotonic())
        clock.advance(pauses[-1])
        manager._step("p")
    assert pauses == pytest.approx([1.0, 2.0, 3.0, 3.0], abs=1e-3)
    await manager.close()


async def test_a_stopped_project_is_served_again_by_resuming_it() -> None:
    loads = Loads()
    manager = GenerationManager(loads, clock=ManualClock())
    for act in (manager.stop, manager.resume):
        with pytest.raises(FailedPreconditionError, match="no deployment"):
            act("p")
    manager.aspire(deployment(1))
    await loads.end(1, empty_model())
    handle = manager.acquire("p")
    manager.stop("p")
    assert (manager.stopped(), manager.serving("p")) == (["p"], None)
    assert not manager.is_pending("p")
    with pytest.raises(FailedPreconditionError, match="unloaded from this server"):
        manager.acquire("p")
    # Told again, as after a reconnect, it stays stopped; who is under way finishes.
    manager.aspire(deployment(1))
    assert states(manager) == {1: DRAINING}
    assert handle.model.adapters == AdapterSet()
    manager.resume("p")
    await loads.end(1, empty_model())
    assert [item.state for item in manager.generations("p")] == [DRAINING, READY]
    handle.release()
    assert states(manager) == {1: READY}
    assert manager.serving("p") == deployment(1)
    # Resuming what serves changes nothing.
    manager.resume("p")
    assert loads.begun == ["sha256:1", "sha256:1"]
    await manager.close()


async def test_a_new_revision_is_served_though_the_project_was_stopped() -> None:
    loads = Loads()
    manager = GenerationManager(loads, clock=ManualClock())
    manager.aspire(deployment(1))
    await asyncio.sleep(0)
    manager.stop("p")  # while it loads
    await asyncio.sleep(0)
    assert states(manager) == {}
    assert loads.waiting["sha256:1"].cancelled()
    manager.aspire(deployment(2))
    await loads.end(2, empty_model())
    assert (states(manager), manager.stopped()) == ({2: READY}, [])
    await manager.close()


async def test_resuming_tries_at_once_what_waits_for_its_next_try() -> None:
    loads = Loads()
    manager = GenerationManager(loads, clock=ManualClock(), backoff=Backoff(first=60.0))
    manager.aspire(deployment(1))
    await loads.end(1, UnavailableError(Reason.PEER_UNAVAILABLE, "away"))
    assert states(manager) == {1: ERROR}
    manager.resume("p")
    await loads.end(1, empty_model())
    assert states(manager) == {1: READY}
    await manager.close()
