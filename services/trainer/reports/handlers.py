"""Reading the reports and logs of jobs, apart from how they are called."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime

from services.common.errors import FailedPreconditionError, Reason, not_found
from services.common.names import parse_name
from services.trainer.domain import TrainingJob
from services.trainer.handlers import JOB
from services.trainer.job_log import JobLog
from services.trainer.job_state import JobState
from services.trainer.reports.documents import report_value
from services.trainer.reports.logs import CHUNK_BYTES, log_archive, log_text
from services.trainer.reports.making import split_report
from services.trainer.reports.model import TrainingReport
from services.trainer.reports.page_process import MakePage
from services.trainer.reports.repository import ReportRepository
from services.trainer.repository import JobRepository

GROUP = "projects/{project}/trainingGroups/{group}"


class ReportHandlers:
    """What is known about the quality of jobs, and what they logged."""

    def __init__(
        self, jobs: JobRepository, reports: ReportRepository, log: JobLog, make_page: MakePage
    ) -> None:
        """Read jobs and what belongs to them."""
        self._jobs = jobs
        self._reports = reports
        self._log = log
        self._make_page = make_page

    async def get(self, name: str) -> tuple[TrainingJob, TrainingReport]:
        """Return a job and the report on it.

        Raises:
            FailedPreconditionError: STATE_CONFLICT: it was not evaluated.
        """
        job = await self._job(name)
        report = await self._reports.find(job.id)
        if report is None and (job.evaluation or job.state is JobState.DONE):
            # An engine that makes no report, or a job of an earlier release.
            report = TrainingReport(splits=tuple(split_report(one, ()) for one in job.evaluation))
        if report is None:
            raise FailedPreconditionError(
                Reason.STATE_CONFLICT,
                f"{name} is {job.state.value} and was not evaluated: there is no report.",
                metadata={"resource": name, "state": job.state.name},
            )
        return job, report

    async def page(self, name: str) -> AsyncIterator[bytes]:
        """Yield the report as an HTML page."""
        job, report = await self.get(name)
        made = await self._make_page(
            {
                "title": f"Training report: {job.model_version.rpartition('/')[2] or job.id}",
                "facts": _facts(job),
                "epochs": [[one.epoch, one.loss, one.dev_micro_f1] for one in job.epochs],
                "report": report_value(report),
            }
        )
        for start in range(0, len(made), CHUNK_BYTES):
            yield made[start : start + CHUNK_BYTES]

    async def logs(self, name: str) -> AsyncIterator[bytes]:
        """Yield a job's log as text, or the logs of a group's jobs as a ZIP archive."""
        if "/trainingGroups/" in name:
            parse_name(GROUP, name)
            jobs = await self._jobs.of_group(name)
            if not jobs:
                raise not_found(name)
            parts = log_archive(self._log, jobs)
        else:
            parts = log_text(self._log, await self._job(name))
        async for part in parts:
            yield part

    async def _job(self, name: str) -> TrainingJob:
        found = parse_name(JOB, name)
        return await self._jobs.get(found["project"], found["job"])


def _facts(job: TrainingJob) -> list[list[str]]:
    """Return what a reader of the page wants to know of the job."""
    facts = [
        ("job", job.name),
        ("model version", job.model_version),
        ("state", job.state.value),
        ("type", job.model_type.value + (f" ({job.control})" if job.control else "")),
        ("engine", job.engine),
        ("source", job.source.value.lower().replace("_", " ")),
        ("snapshot", job.snapshot),
        ("trunk", job.trunk_source),
        ("examples", ", ".join(f"{n:,} {split}" for split, n in job.example_counts.items())),
        ("created", _time(job.create_time)),
        ("ended", _time(job.end_time)),
        ("training seconds", f"{job.timings.training_seconds:.1f}"),
        ("remarks", " ".join(job.warnings)),
    ]
    return [[name, value] for name, value in facts if value]


def _time(microseconds: int) -> str:
    if not microseconds:
        return ""
    return datetime.fromtimestamp(microseconds / 1e6, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
