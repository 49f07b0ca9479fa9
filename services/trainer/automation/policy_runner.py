"""Carries out the projects' active-learning policies. Any number may run over one database.

One task per project with a policy reads the annotation service's event stream, and looks at the
clock and the run under way in between. What it knows stands in one document that changes by
compare-and-swap: of several processes one wins each write, and the others begin anew from what it
wrote.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from services.common.clock import Clock
from services.common.errors import (
    Code,
    OutOfRangeError,
    Reason,
    SpanloopError,
    UnavailableError,
)
from services.common.idempotency import RequestKey
from services.common.logs import get_logger
from services.common.store.port import StoreError
from services.common.watch import Signal
from services.trainer.automation.groups import GroupHandlers
from services.trainer.automation.policy import Step, counted, decide, run_message
from services.trainer.automation.policy_state import LearningState, LearningStates
from services.trainer.automation.settings import Policy
from services.trainer.automation.settings_handlers import POLICIES_KEY
from services.trainer.automation.settings_repository import SettingsRepository
from services.trainer.domain import TrainingJob, TrainingSource
from services.trainer.job_state import TERMINAL_STATES, JobState
from services.trainer.ports import AnnotationPeer, Change
from services.trainer.repository import JobRepository

_log = get_logger(__name__)

_MAY_PASS = (Code.UNAVAILABLE, Code.DEADLINE_EXCEEDED, Code.RESOURCE_EXHAUSTED)
_MOST_CHANGES = 500


class OvertakenError(Exception):
    """Another process changed the state: begin anew from what it wrote."""


@dataclass(frozen=True, kw_only=True)
class PolicyParts:
    """What the tasks of all projects share."""

    settings: SettingsRepository
    states: LearningStates
    jobs: JobRepository
    groups: GroupHandlers
    annotation: AnnotationPeer
    signal: Signal
    clock: Clock
    poll_seconds: float


class PolicyRunner:
    """Keeps one task per project whose policy is on."""

    def __init__(self, parts: PolicyParts) -> None:
        """Work with these parts."""
        self._parts = parts
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """Follow the projects until cancelled."""
        parts = self._parts
        try:
            while True:
                seen = parts.signal.version(POLICIES_KEY)
                for settings in await parts.settings.with_policy():
                    task = self._tasks.get(settings.project)
                    if task is None or task.done():
                        follower = ProjectFollower(settings.project, parts)
                        self._tasks[settings.project] = asyncio.create_task(
                            follower.run(), name=f"policy-{settings.project}"
                        )
                await parts.signal.wait(POLICIES_KEY, seen, parts.poll_seconds)
        finally:
            for task in self._tasks.values():
                task.cancel()
            await asyncio.gather(*self._tasks.values(), return_exceptions=True)


class ProjectFollower:
    """Carries out one project's policy until it is switched off."""

    def __init__(self, project: str, parts: PolicyParts) -> None:
        """Follow this project."""
        self._project = project
        self._parts = parts
        self._state = LearningState(project=project)
        self._revision = 0

    async def run(self) -> None:
        """Follow until the policy is off; whatever fails is tried again."""
        parts = self._parts
        while True:
            try:
                await self.load()
                if await self._follow():
                    return
            except OvertakenError:
                _log.info("policy_overtaken", project=self._project)
            except OutOfRangeError:
                await self._recount()
                continue
            except (SpanloopError, StoreError) as error:
                _log.warning("policy_interrupted", project=self._project, error=str(error))
            except Exception:  # noqa: BLE001  # logged with its traceback
                # One project's trouble must not end the others'.
                _log.exception("policy_broke", project=self._project)
            await asyncio.sleep(parts.poll_seconds)

    async def load(self) -> LearningState:
        """Begin from what is stored."""
        self._state, self._revision = await self._parts.states.get(self._project)
        return self._state

    async def tick(self, changes: Sequence[Change]) -> bool:
        """Count changes and do what is due; False when the policy is off.

        Raises:
            SpanloopError: A service is away; nothing is lost, repeat it.
            OvertakenError: Another process changed the state; `load` again.
        """
        parts = self._parts
        settings = await parts.settings.get(self._project)
        if not settings.policy.enabled:
            return False
        if changes:
            await self._put(counted(self._state, changes))
        await self._look_at_run(settings.policy)
        step = decide(settings.policy, self._state, parts.clock.now(), running=self._state.running)
        match step:
            case Step.QUEUE:
                await self._put(replace(self._state, queued=True))
            case Step.START:
                # From here on a crash changes nothing: the run has its number, and its request.
                await self._put(self._state.begun(parts.clock.now()))
                await self._create_jobs(settings.policy)
            case Step.WAIT:
                pass
        return True

    async def _follow(self) -> bool:
        """Follow the stream; True when the policy is off."""
        parts = self._parts
        # What is due without any event, e.g. a run that a process that died had begun.
        if not await self.tick(()):
            return True
        async with _reading(
            parts.annotation.watch_changes(self._project, self._state.token)
        ) as inbox:
            while True:
                changes = await inbox.next(parts.poll_seconds)
                if not await self.tick(changes):
                    return True

    async def _recount(self) -> None:
        """Begin the stream anew: events behind the token are kept no more."""
        state = self._state
        _log.warning("policy_recounts", project=self._project)
        after = replace(
            state,
            token="",
            new_completions=0,
            first_completion_time=0,
            count_after=state.last_run_time,
            message="The place in the event stream was lost: the completions that were submitted "
            "since the last run began are counted anew, as far as their events are kept.",
        )
        await self._parts.states.put(after, self._revision)

    async def _look_at_run(self, policy: Policy) -> None:
        state = self._state
        if state.starting:
            await self._create_jobs(policy)
        elif state.running:
            jobs = await self._parts.jobs.get_many(
                [name.rpartition("/")[2] for name in state.training_jobs]
            )
            if all(_is_over(job) for job in jobs):
                await self._put(replace(state, running=False, message=run_message(jobs)))

    async def _create_jobs(self, policy: Policy) -> None:
        """Create the run's jobs, once however often it is repeated."""
        state = self._state
        template = replace(
            policy.template,
            source=TrainingSource.ACTIVE_LEARNING,
            deploy=policy.deploy or policy.template.deploy,
        )
        # The request alone tells runs apart: a policy that changed meanwhile makes no second group.
        key = RequestKey.of("ActiveLearning", self._project, state.request_id, b"")
        types = [] if policy.model_type is None else [policy.model_type]
        try:
            _, jobs = await self._parts.groups.start(self._project, template, types, (), key)
        except SpanloopError as error:
            if error.code in _MAY_PASS:
                raise
            _log.warning("policy_run_refused", project=self._project, error=error.message)
            await self._put(
                replace(
                    state,
                    starting=False,
                    running=False,
                    message=f"Nothing was trained: {error.message}",
                )
            )
            return
        _log.info("policy_run_begun", project=self._project, run=state.run, jobs=len(jobs))
        await self._put(
            replace(
                state,
                starting=False,
                training_jobs=tuple(job.name for job in jobs),
                message=f"Run {state.run} trains {len(jobs)} model(s).",
            )
        )

    async def _put(self, state: LearningState) -> None:
        revision = await self._parts.states.put(state, self._revision)
        if revision is None:
            raise OvertakenError
        self._state, self._revision = state, revision


class _Inbox:
    """Changes as a task reads them from the stream."""

    def __init__(self, stream: AsyncIterator[Change]) -> None:
        self._queue: asyncio.Queue[Change] = asyncio.Queue(maxsize=_MOST_CHANGES)
        self._task = asyncio.create_task(self._read(stream), name="policy-events")

    async def next(self, timeout: float) -> list[Change]:
        """Return what has come; waits for it at most `timeout` seconds.

        Raises:
            SpanloopError: The stream ended with it.
        """
        getting = asyncio.ensure_future(self._queue.get())
        try:
            await asyncio.wait(
                {getting, self._task}, timeout=timeout, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            if not getting.done():
                getting.cancel()
        changes = [getting.result()] if getting.done() and not getting.cancelled() else []
        while len(changes) < _MOST_CHANGES and not self._queue.empty():
            changes.append(self._queue.get_nowait())
        if not changes and self._task.done():
            self._task.result()
            raise UnavailableError(Reason.PEER_UNAVAILABLE, "The event stream ended.")
        return changes

    async def close(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _read(self, stream: AsyncIterator[Change]) -> None:
        async for change in stream:
            await self._queue.put(change)


@asynccontextmanager
async def _reading(stream: AsyncIterator[Change]) -> AsyncIterator[_Inbox]:
    inbox = _Inbox(stream)
    try:
        yield inbox
    finally:
        await inbox.close()


def _is_over(job: TrainingJob) -> bool:
    """Whether a job has ended, and what becomes of its version is decided."""
    undecided = job.state is JobState.DONE and job.deploy and job.deployment is None
    return job.state in TERMINAL_STATES and not undecided
