"""Pre-annotation jobs: create, read, list, cancel, watch."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

from services.common.clock import Clock
from services.common.errors import invalid_field
from services.common.idempotency import RequestKey
from services.common.ids import IdSource
from services.common.names import parse_name
from services.common.paging import parse_page
from services.common.validate import check_line, check_range
from services.common.watch import Signal
from services.inference.domain import PreannotationJob
from services.inference.repository import JobRepository

JOB_NAME = "projects/{project}/preannotationJobs/{job}"
QUEUE = "preannotation queue"
"""Signal key that says: there may be a job to claim."""

_MAX_LABELS = 1000
# Other processes may change a job too, so watchers look for themselves now and then.
_POLL_SECONDS = 1.0


class JobHandlers:
    """The use cases around pre-annotation jobs."""

    def __init__(
        self, jobs: JobRepository, signal: Signal, *, clock: Clock, ids: IdSource, heartbeat: float
    ) -> None:
        """Use the repository; `signal` wakes watchers and the runner."""
        self._jobs = jobs
        self._signal = signal
        self._clock = clock
        self._ids = ids
        self._heartbeat = heartbeat

    async def create(
        self,
        parent: str,
        labels: Sequence[str],
        request_id: str,
        fingerprint_of: bytes,
        *,
        min_score: float = 0.0,
        stale_only: bool = False,
    ) -> PreannotationJob:
        """Queue a job; a repeat with the same request id returns the first one."""
        project = parse_name("projects/{project}", parent, "parent")["project"]
        check_range(min_score, "preannotation_job.min_score", 0.0, 1.0)
        if len(labels) > _MAX_LABELS:
            raise invalid_field("preannotation_job.labels", f"at most {_MAX_LABELS} are taken.")
        for index, label in enumerate(labels):
            check_line(label, f"preannotation_job.labels[{index}]", 1, 100)
        job = PreannotationJob(
            id=self._ids.new(),
            project=project,
            labels=tuple(dict.fromkeys(labels)),
            min_score=min_score,
            stale_only=stale_only,
            create_time=self._clock.now(),
        )
        key = RequestKey.of("CreatePreannotationJob", parent, request_id, fingerprint_of)
        created = await self._jobs.create(job, key)
        self._signal.notify(QUEUE)
        return created

    async def get(self, name: str) -> PreannotationJob:
        """Read a job."""
        parts = parse_name(JOB_NAME, name)
        return await self._jobs.get(parts["project"], parts["job"])

    async def list_page(
        self, parent: str, page_size: int, page_token: str
    ) -> tuple[list[PreannotationJob], str]:
        """Read a page of jobs, newest first."""
        project = parse_name("projects/{project}", parent, "parent", wildcard=("project",))[
            "project"
        ]
        scope = f"ListPreannotationJobs {parent}"
        page = parse_page(page_size, page_token, scope)
        return await self._jobs.list_page(None if project == "-" else project, page, scope)

    async def cancel(self, name: str) -> PreannotationJob:
        """Ask for a job to end."""
        parts = parse_name(JOB_NAME, name)
        job = await self._jobs.request_cancel(parts["project"], parts["job"], self._clock.now())
        self._signal.notify(name)
        return job

    async def watch(self, name: str) -> AsyncIterator[PreannotationJob | None]:
        """Yield a job at once and after each change, None as heartbeat; end when it has ended."""
        shown: PreannotationJob | None = None
        quiet_since = self._clock.monotonic()
        while True:
            seen = self._signal.version(name)
            job = await self.get(name)
            # Renewing a lease changes the document, but nothing that anybody asked about.
            if shown is None or replace(job, revision=shown.revision) != shown:
                shown = job
                yield job
                quiet_since = self._clock.monotonic()
                if job.state.terminal:
                    return
            left = quiet_since + self._heartbeat - self._clock.monotonic()
            if left <= 0:
                yield None
                quiet_since = self._clock.monotonic()
                left = self._heartbeat
            await self._signal.wait(name, seen, min(left, _POLL_SECONDS))
