"""Tells the registry what was counted, which judges it and says whether to go on."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from uuid import uuid4

from services.common.errors import NotFoundError, SpanloopError
from services.common.logs import get_logger
from services.inference.ports import Registry
from services.inference.trials.board import TrialBoard, Tried
from services.inference.trials.domain import TrialOver, TrialReport

_SECONDS = 10.0

_log = get_logger(__name__)


@dataclass(kw_only=True)
class _Told:
    """The last report of a trial."""

    tried: Tried
    report: TrialReport


class TrialReporter:
    """Reports on every trial now and then.

    A report holds all that was counted since the process began, so one that is lost is made good
    by the next; the number of a report grows only when it tells something new. Reports with
    nothing new are sent too: the answer tells whether the trial still runs, and that the registry
    is there to end it.
    """

    def __init__(self, registry: Registry, board: TrialBoard, *, pause_seconds: float) -> None:
        """Report what `board` knows, every `pause_seconds`."""
        self._registry = registry
        self._board = board
        self._pause = pause_seconds
        self._told: dict[str, _Told] = {}

    async def run(self) -> None:
        """Report until cancelled."""
        while True:
            await self.report_all()
            await asyncio.sleep(self._pause)

    async def report_all(self) -> None:
        """Report on every trial; what fails is told with the next report."""
        for tried in self._board.all():
            try:
                async with asyncio.timeout(_SECONDS):
                    await self._report(tried)
            except (SpanloopError, TimeoutError) as error:
                reason = error.reason.value if isinstance(error, SpanloopError) else "SILENT"
                _log.warning("trial_not_reported", trial=tried.trial.name, reason=reason)
        kept = {tried.trial.name for tried in self._board.all()}
        self._told = {name: told for name, told in self._told.items() if name in kept}

    async def _report(self, tried: Tried) -> None:
        report = self._next(tried)
        self._told[report.trial] = _Told(tried=tried, report=report)
        try:
            runs = await self._registry.report_trial(report)
        except NotFoundError:
            runs = False  # a registry that was restored to an older state
        if runs:
            self._board.reported(report.trial)
        else:
            self._board.tell(TrialOver(name=report.trial))

    def _next(self, tried: Tried) -> TrialReport:
        told = self._told.get(tried.trial.name)
        state, message = self._board.state(tried)
        # Who counts anew is another reporter: numbers of one only grow.
        last = told.report if told is not None and told.tried is tried else None
        report = TrialReport(
            trial=tried.trial.name,
            reporter=last.reporter if last is not None else uuid4().hex,
            sequence=last.sequence if last is not None else 1,
            counts=tried.tally.counts(),
            state=state,
            error_message=message,
        )
        if last is None or report == last:
            return report
        return replace(report, sequence=report.sequence + 1)
