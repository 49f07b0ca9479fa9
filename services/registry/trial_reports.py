"""What servers told of trials: one document per trial, replaced by every report that is new.

A server sends what it counted since it began. Its last report is all that is kept of it, so a
report that arrives twice, late or not at all changes no sum. The verdict on the limits is part of
the same write; the entry of the deployment log that ends the trial follows it, and whoever finds a
verdict without that entry makes it.
"""

from __future__ import annotations

from dataclasses import dataclass

from services.common.errors import Reason, ResourceExhaustedError
from services.common.store.port import (
    Collection,
    Document,
    DocumentStore,
    DuplicateError,
    RevisionError,
    Stored,
)
from services.common.trial_counts import Counts
from services.registry import trial_documents as documents
from services.registry.trial import Trial
from services.registry.trial_counts import AnswerKey, Report, exceeded, total

MAX_REPORTERS = 200

_REPORTS = "trial_reports"

REPORT_COLLECTION = Collection(name=_REPORTS)


@dataclass(frozen=True, kw_only=True)
class Findings:
    """What is known of a trial.

    Attributes:
        reports: The last of each server, in the order of their names.
        verdict: Which limit was exceeded; empty: none.
    """

    reports: tuple[Report, ...] = ()
    verdict: str = ""

    @property
    def counts(self) -> Counts[AnswerKey]:
        """What all servers counted together."""
        return total(report.counts for report in self.reports)


class TrialReports:
    """The documents beside the trials."""

    def __init__(self, store: DocumentStore) -> None:
        """Use an opened store."""
        self._store = store

    async def get(self, trial: Trial) -> Findings:
        """Return what is known of a trial."""
        stored = await self._store.get(_REPORTS, _key(trial))
        return Findings() if stored is None else _findings(stored)

    async def add(self, trial: Trial, report: Report) -> Findings:
        """Take a report over unless one of its server that is as new is known; judge the limits.

        Raises:
            ResourceExhaustedError: MAX_REPORTERS others have reported.
        """
        while True:
            stored = await self._store.get(_REPORTS, _key(trial))
            known = Findings() if stored is None else _findings(stored)
            others = [one for one in known.reports if one.reporter != report.reporter]
            before = next((one for one in known.reports if one.reporter == report.reporter), None)
            if before is not None and before.sequence >= report.sequence:
                return known
            if len(others) >= MAX_REPORTERS:
                raise ResourceExhaustedError(
                    Reason.REQUEST_TOO_LARGE,
                    f"{MAX_REPORTERS} servers have reported to {trial.name}: end it and begin "
                    "another one.",
                    metadata={"resource": trial.name, "max_reporters": str(MAX_REPORTERS)},
                )
            reports = tuple(sorted([*others, report], key=lambda one: one.reporter))
            found = Findings(reports=reports, verdict=known.verdict)
            verdict = found.verdict or exceeded(trial.limits, found.counts)
            body: Document = {
                "project": trial.project,
                "number": trial.number,
                "verdict": verdict,
                "reports": [documents.report_document(one) for one in reports],
            }
            try:
                if stored is None:
                    return _findings(await self._store.insert(_REPORTS, _key(trial), body))
                return _findings(
                    await self._store.replace(
                        _REPORTS, _key(trial), body, expected_revision=stored.revision
                    )
                )
            except (DuplicateError, RevisionError):
                continue  # another server was faster


def _key(trial: Trial) -> str:
    return f"{trial.project}-{trial.number:06d}"


def _findings(stored: Stored) -> Findings:
    return Findings(
        reports=tuple(map(documents.report_of, stored.body["reports"])),
        verdict=stored.body["verdict"],
    )
