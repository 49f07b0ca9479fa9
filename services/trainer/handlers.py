"""The trainer's use cases, apart from how they are called."""

from __future__ import annotations

import base64
import binascii
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace

from services.common.clock import Clock
from services.common.errors import (
    FailedPreconditionError,
    OutOfRangeError,
    Reason,
    invalid_field,
)
from services.common.idempotency import RequestKey
from services.common.ids import IdSource
from services.common.names import parse_name
from services.common.paging import parse_page
from services.common.watch import Signal
from services.trainer.automation.settings_repository import SettingsRepository
from services.trainer.domain import LogLine, TrainingJob, TrainingSource
from services.trainer.job_log import JobLog
from services.trainer.job_state import TERMINAL_STATES, JobState
from services.trainer.planning import Planner
from services.trainer.repository import JobRepository

PROJECT = "projects/{project}"
JOB = "projects/{project}/trainingJobs/{job}"
QUEUE_KEY = "queue"
"""Signal key of whatever workers and the reconciler wait for; a job's own key is its id."""


@dataclass(frozen=True, kw_only=True)
class Heartbeat:
    """Nothing new for a while."""


@dataclass(frozen=True, kw_only=True)
class WatchItem:
    """One message of a watch stream and the token to continue behind it."""

    payload: TrainingJob | LogLine | Heartbeat
    resume_token: str


class TrainerHandlers:
    """Creates, reads, lists, cancels and watches training jobs."""

    def __init__(
        self,
        repository: JobRepository,
        log: JobLog,
        planner: Planner,
        settings: SettingsRepository,
        signal: Signal,
        clock: Clock,
        ids: IdSource,
        *,
        heartbeat_seconds: float,
        poll_seconds: float,
    ) -> None:
        """Work with these parts; watches look at the store every `poll_seconds`."""
        self._repository = repository
        self._log = log
        self._planner = planner
        self._settings = settings
        self._signal = signal
        self._clock = clock
        self._ids = ids
        self._heartbeat_seconds = heartbeat_seconds
        self._poll_seconds = poll_seconds

    async def create(
        self, parent: str, wanted: TrainingJob, request_id: str, fingerprint_of: bytes
    ) -> TrainingJob:
        """Queue a job.

        Args:
            parent: ``projects/{project}``.
            wanted: The job with the caller's fields.
            request_id: As sent.
            fingerprint_of: Canonical bytes of what was asked for.

        Raises:
            InvalidArgumentError: A field is unusable.
            FailedPreconditionError: RESOURCES_INSUFFICIENT.
        """
        project = parse_name(PROJECT, parent, "parent")["project"]
        key = RequestKey.of("CreateTrainingJob", parent, request_id, fingerprint_of)
        # Before anything is checked: a repeat gets the first answer, whatever changed meanwhile.
        if key is not None and (first := await self._repository.find_repeat(key)) is not None:
            return first
        self._planner.check(wanted)
        new_id = self._ids.new()
        snapshot = await self._planner.snapshot(project, wanted, key.key if key else new_id)
        settings = await self._settings.get(project)
        job = replace(
            await self._planner.plan(project, wanted, snapshot),
            id=new_id,
            replace_newest=settings.versioning_disabled,
            create_time=self._clock.now(),
        )
        created = await self._repository.create(job, key)
        self._signal.notify(QUEUE_KEY)
        return created

    async def get(self, name: str) -> TrainingJob:
        """Return a job."""
        found = parse_name(JOB, name)
        return await self._repository.get(found["project"], found["job"])

    async def list_page(
        self,
        parent: str,
        states: Sequence[JobState],
        page_size: int,
        page_token: str,
        source: TrainingSource | None = None,
    ) -> tuple[list[TrainingJob], str]:
        """Return a page of a project's jobs, or of all with ``projects/-``, newest first."""
        project = parse_name(PROJECT, parent, "parent", wildcard=("project",))["project"]
        chosen = sorted({state.value for state in states})
        scope = f"ListTrainingJobs/{parent}/{','.join(chosen)}"
        if source is not None:
            scope += f"/{source.value}"
        page = parse_page(page_size, page_token, scope)
        return await self._repository.list_page(
            "" if project == "-" else project,
            [JobState(state) for state in chosen],
            page,
            scope,
            source=source,
        )

    async def cancel(self, name: str) -> TrainingJob:
        """Ask for a job to end.

        Raises:
            FailedPreconditionError: STATE_CONFLICT: it has ended, or its version is being created.
        """
        job = await self.get(name)
        after = await self._repository.request_cancel(job)
        if after is None:
            state = (await self.get(name)).state
            raise FailedPreconditionError(
                Reason.STATE_CONFLICT,
                f"{name} is {state.value} already and cannot be cancelled."
                if state in TERMINAL_STATES
                else f"{name} is creating its model version and cannot be cancelled any more.",
                metadata={"resource": name, "state": state.name},
            )
        self._signal.notify(job.id)
        self._signal.notify(QUEUE_KEY)
        return after

    async def watch(self, name: str, resume_token: str) -> AsyncIterator[WatchItem]:
        """Yield the job and its log lines as they come, until the terminal state was sent."""
        job = await self.get(name)
        line = await self._resume_from(job, resume_token)
        yield WatchItem(payload=job, resume_token=_token(job, line))
        sent, last_item = job.version, self._clock.monotonic()
        while True:
            # Seen before reading, so that a change in between wakes us at once.
            seen = self._signal.version(job.id)
            job = await self.get(name)
            # The job is read before its log: all lines of a terminal job are stored already.
            async for entry in self._log.read(job.id, line):
                line, last_item = entry.sequence, self._clock.monotonic()
                yield WatchItem(payload=entry, resume_token=_token(job, line))
            if job.version != sent:
                sent, last_item = job.version, self._clock.monotonic()
                yield WatchItem(payload=job, resume_token=_token(job, line))
            if job.state in TERMINAL_STATES:
                return
            if self._clock.monotonic() - last_item >= self._heartbeat_seconds:
                last_item = self._clock.monotonic()
                yield WatchItem(payload=Heartbeat(), resume_token=_token(job, line))
            await self._signal.wait(job.id, seen, min(self._poll_seconds, self._heartbeat_seconds))

    async def _resume_from(self, job: TrainingJob, token: str) -> int:
        if not token:
            return 0
        try:
            raw = base64.b64decode(token, altchars=b"-_", validate=True).decode("ascii")
            job_id, _, number = raw.partition(":")
            line = int(number)
        except (binascii.Error, ValueError):
            job_id, line = "", -1
        if job_id != job.id or line < 0:
            raise invalid_field(
                "resume_token",
                "is not a token of this stream; leave it empty to begin anew.",
                reason=Reason.RESUME_TOKEN_INVALID,
            )
        if line > await self._log.last_sequence(job.id):
            raise OutOfRangeError(
                Reason.RESUME_TOKEN_INVALID,
                "The resume_token is behind the end of the log; leave it empty to begin anew.",
                metadata={"field": "resume_token"},
            )
        return line


def _token(job: TrainingJob, line: int) -> str:
    return base64.b64encode(f"{job.id}:{line}".encode(), altchars=b"-_").decode("ascii")
