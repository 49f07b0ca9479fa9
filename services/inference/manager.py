"""Carries out the version policy: loads, switches and drops the generations of every project.

Everything here runs on the event loop's thread; the work of loading runs elsewhere. The switch is
one assignment: a request takes the old generation or the new one, never a mixture.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from typing import Protocol, assert_never

from services.common.call import detached_call
from services.common.clock import Clock
from services.common.errors import FailedPreconditionError, Reason, SpanloopError
from services.common.logs import get_logger
from services.inference import version_policy as policy
from services.inference.domain import AdapterSet, DeploymentRevision
from services.inference.engine.model import Model
from services.inference.generation import Generation, GenerationHandle, GenerationState

_log = get_logger(__name__)


class Loader(Protocol):
    """Makes models; see ``engine.loader.ModelLoader``."""

    async def load(self, adapters: AdapterSet) -> Model:
        """Return a verified model of these adapters."""
        ...


@dataclass(frozen=True, kw_only=True)
class Backoff:
    """Pauses that double from `first` to `longest` seconds."""

    first: float = 0.5
    longest: float = 60.0

    def after(self, failures: int) -> float:
        """Return the pause after this many failures in a row, at least one."""
        return float(min(self.first * 2.0 ** min(failures - 1, 30), self.longest))


class GenerationManager:
    """The generations of all projects on this server."""

    def __init__(self, loader: Loader, *, clock: Clock, backoff: Backoff | None = None) -> None:
        """Hold nothing yet."""
        self._loader = loader
        self._clock = clock
        self._backoff = backoff or Backoff()
        self._aspired: dict[str, DeploymentRevision] = {}
        self._serving: dict[str, Generation] = {}
        self._held: dict[str, list[Generation]] = {}
        self._stopped: set[str] = set()
        self._loading: dict[Generation, asyncio.Task[None]] = {}
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._changed = asyncio.Event()

    def aspire(self, deployment: DeploymentRevision) -> None:
        """Make this the revision that its project should serve; returns at once.

        A new one is served also when the one before was stopped.
        """
        if self._aspired.get(deployment.project) == deployment:
            return
        self._aspired[deployment.project] = deployment
        self._stopped.discard(deployment.project)
        _log.info("generation_aspired", generation=deployment.generation)
        self._step(deployment.project)

    def acquire(self, project: str) -> GenerationHandle:
        """Return a handle on the generation that answers the project's requests now.

        Raises:
            FailedPreconditionError: Nothing is deployed, or nothing is loaded (NOTHING_DEPLOYED).
        """
        generation = self._serving.get(project)
        if generation is None:
            aspired = self._aspired.get(project)
            if aspired is None:
                why = "it has no deployment; deploy a model version"
            elif project in self._stopped:
                why = f"{aspired.generation} was unloaded from this server; load it, or deploy anew"
            else:
                why = f"{aspired.generation} is not loaded yet; see GetServingState"
            raise _serves_nothing(project, why)
        return generation.acquire()

    def stop(self, project: str) -> None:
        """Serve a project no more until `resume`, or until another revision is aspired to.

        Requests under way finish on what they began with. Holds for this server and this process.

        Raises:
            FailedPreconditionError: It has no deployment (NOTHING_DEPLOYED).
        """
        if project not in self._aspired:
            raise _serves_nothing(project, "it has no deployment")
        self._stopped.add(project)
        self._serving.pop(project, None)
        _log.info("project_stopped", project=project)
        self._step(project)

    def resume(self, project: str) -> None:
        """Serve a project's deployment again; what could not be loaded is tried again at once.

        Raises:
            FailedPreconditionError: It has no deployment (NOTHING_DEPLOYED).
        """
        if project not in self._aspired:
            raise _serves_nothing(project, "it has no deployment; deploy a model version")
        self._stopped.discard(project)
        for generation in self._of(project):
            generation.retry_at = self._clock.monotonic()
        self._step(project)

    def aspired(self, project: str) -> DeploymentRevision | None:
        """Return the revision that a project should serve; None: no deployment is known."""
        return self._aspired.get(project)

    def serving(self, project: str) -> DeploymentRevision | None:
        """Return the revision that answers a project's requests now; None: none does."""
        generation = self._serving.get(project)
        return None if generation is None else generation.deployment

    def stopped(self) -> list[str]:
        """Return the projects that were stopped, in order."""
        return sorted(self._stopped)

    def generations(self, project: str | None = None) -> list[Generation]:
        """Return the generations by project, newest first."""
        projects = sorted(self._held) if project is None else [project]
        return [
            generation
            for name in projects
            for generation in sorted(
                self._held.get(name, ()), key=lambda held: -held.deployment.revision
            )
        ]

    def is_pending(self, project: str) -> bool:
        """Whether the project has a deployment of which nothing is loaded yet, but will be."""
        return (
            project in self._aspired
            and project not in self._serving
            and project not in self._stopped
        )

    async def changed(self, timeout: float) -> None:
        """Return at the next change of any generation, or after `timeout` seconds."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                await self._changed.wait()

    def forget(self, project: str) -> None:
        """Hold nothing of a project any more; requests under way finish on what they began with."""
        if self._aspired.pop(project, None) is None:
            return
        self._serving.pop(project, None)
        timer = self._timers.pop(project, None)
        if timer is not None:
            timer.cancel()
        for generation in self._of(project):
            if generation.state is GenerationState.READY:
                generation.drain()
            elif generation.state is not GenerationState.DRAINING:
                task = self._loading.pop(generation, None)
                if task is not None:
                    task.cancel()
                generation.abandon()
        self._tell()

    async def close(self) -> None:
        """Stop loading. Generations that serve stay, for requests still under way."""
        for timer in self._timers.values():
            timer.cancel()
        tasks = list(self._loading.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _step(self, project: str) -> None:
        timer = self._timers.pop(project, None)
        if timer is not None:
            timer.cancel()
        aspired = self._aspired[project]
        held = self._of(project)
        views = [
            policy.Held(key=key, state=item.state, retry_at=item.retry_at)
            for key, item in enumerate(held)
        ]
        # The content decides, not the number of the revision alone. One that is on its way out
        # comes before one that took its place.
        same = [key for key, item in enumerate(held) if item.deployment == aspired]
        wanted = same[-1] if same else len(held)
        if project in self._stopped:
            actions = policy.stop(views)
        else:
            actions = policy.decide(wanted, views, self._clock.monotonic())
        for action in actions:
            match action:
                case policy.Load():
                    self._begin(self._new(aspired))
                case policy.Retry(key):
                    self._begin(held[key])
                case policy.Drain(key):
                    held[key].drain()
                case policy.Abandon(key):
                    task = self._loading.pop(held[key], None)
                    if task is not None:
                        task.cancel()
                    held[key].abandon()
                case policy.WakeAt(time):
                    pause = max(time - self._clock.monotonic(), 0.0)
                    loop = asyncio.get_running_loop()
                    self._timers[project] = loop.call_later(pause, self._step, project)
                case _:
                    assert_never(action)
        self._tell()

    def _new(self, deployment: DeploymentRevision) -> Generation:
        generation = Generation(
            deployment, first_seen=self._clock.monotonic(), on_unloaded=self._forget
        )
        self._held.setdefault(deployment.project, []).append(generation)
        return generation

    def _begin(self, generation: Generation) -> None:
        generation.begin_loading()
        # It may be a call that resumes a project: loading goes on when that ends.
        with detached_call():
            self._loading[generation] = asyncio.create_task(
                self._load(generation), name=f"load {generation.deployment.generation}"
            )

    async def _load(self, generation: Generation) -> None:
        deployment = generation.deployment
        log = _log.bind(generation=deployment.generation)
        try:
            model = await self._loader.load(deployment.adapters)
        except asyncio.CancelledError:
            raise
        except SpanloopError as error:
            log.warning("generation_load_failed", reason=error.reason.value, error=error.message)
            self._failed(generation, error.message)
        except Exception:  # whatever it is, the old generation must go on and the next try come
            log.exception("generation_load_crashed")
            self._failed(generation, "Loading failed unexpectedly; see the server's log.")
        else:
            if generation.state is not GenerationState.LOADING:
                return  # abandoned while the last step ran
            self._loading.pop(generation, None)
            generation.loaded(model, monotonic=self._clock.monotonic(), now=self._clock.now())
            # READY and served in one step: nothing else runs on this thread in between.
            self._serving[deployment.project] = generation
            log.info(
                "generation_ready",
                adapters=len(list(deployment.adapters.items())),
                load_seconds=round(generation.load_seconds, 4),
            )
            self._step(deployment.project)

    def _failed(self, generation: Generation, message: str) -> None:
        if generation.state is not GenerationState.LOADING:
            return
        self._loading.pop(generation, None)
        pause = self._backoff.after(generation.attempts + 1)
        generation.fail(message, retry_at=self._clock.monotonic() + pause)
        self._step(generation.deployment.project)

    def _forget(self, generation: Generation) -> None:
        self._held[generation.deployment.project].remove(generation)
        _log.info("generation_unloaded", generation=generation.deployment.generation)
        self._tell()

    def _of(self, project: str) -> list[Generation]:
        return list(self._held.get(project, ()))

    def _tell(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()


def _serves_nothing(project: str, why: str) -> FailedPreconditionError:
    return FailedPreconditionError(
        Reason.NOTHING_DEPLOYED,
        f"projects/{project} serves nothing: {why}.",
        metadata={"project": f"projects/{project}"},
    )
