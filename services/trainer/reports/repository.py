"""Reports in the document store, where they outlive the job's folder.

A report is bounded (`confusion.MAX_CELLS`, `worst`), so it is one document under the job's id.
"""

from __future__ import annotations

from services.common.store.port import DocumentStore, DuplicateError, Lt
from services.trainer.documents import REPORTS
from services.trainer.domain import TrainingJob
from services.trainer.reports.documents import report_of, report_value
from services.trainer.reports.model import TrainingReport


class ReportRepository:
    """Stores and reads reports."""

    def __init__(self, store: DocumentStore) -> None:
        """Work on an open store."""
        self._store = store

    async def save(self, job: TrainingJob, report: TrainingReport) -> None:
        """Store the report of a held job; of two holders the later one's stays."""
        body = {"token": job.lease.token, "report": report_value(report)}
        try:
            await self._store.insert(REPORTS, job.id, body)
        except DuplicateError:
            # A holder that was paused past its lease changes nothing here either.
            await self._store.update(
                REPORTS, job.id, where=[Lt("token", job.lease.token + 1)], set=body
            )

    async def find(self, job_id: str) -> TrainingReport | None:
        """Return a job's report, or None when it has none."""
        stored = await self._store.get(REPORTS, job_id)
        return None if stored is None else report_of(stored.body["report"])
