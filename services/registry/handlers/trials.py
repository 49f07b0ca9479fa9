"""Trials of candidates on live traffic: begin, report, judge, end, promote."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from services.common.call import check_deadline, current_actor
from services.common.clock import Clock
from services.common.errors import PreconditionViolation, not_found
from services.common.idempotency import RequestKey
from services.common.paging import parse_page
from services.registry import deploy_gate
from services.registry import deployment as deploying
from services.registry import trial as decisions
from services.registry.deployment_log import DeploymentLog
from services.registry.domain import ModelVersion
from services.registry.feed import DeploymentFeed
from services.registry.handlers.deployments import Deployments
from services.registry.pointers import Deployment
from services.registry.trial import Limits, Trial, TrialEvent, TrialMode
from services.registry.trial_counts import Report
from services.registry.trial_history import TrialHistory
from services.registry.trial_reports import Findings, TrialReports

# Two entries of the log belong to each, which are read at once.
MAX_PAGE = 400


@dataclass(frozen=True, kw_only=True)
class TrialWish:
    """A trial that somebody wants to begin.

    Attributes:
        version: Id of the candidate, or an alias.
        force: Begin a canary even though the gate refuses it.
    """

    project: str
    version: str
    mode: TrialMode
    share: float
    limits: Limits
    force: bool = False


class Trials:
    """The trials of all projects."""

    def __init__(
        self,
        *,
        log: DeploymentLog,
        history: TrialHistory,
        reports: TrialReports,
        deployments: Deployments,
        feed: DeploymentFeed,
        clock: Clock,
    ) -> None:
        """Use the given parts."""
        self._log = log
        self._history = history
        self._reports = reports
        self._deployments = deployments
        self._feed = feed
        self._clock = clock

    async def start(self, wish: TrialWish, request_id: str) -> Trial:
        """Begin a trial; a repeat with the same request id returns the first one.

        Raises:
            NotFoundError: The project has no such version or alias.
            FailedPreconditionError: As ``trial.start``; the version is not READY; or it is to
                answer and the project's gate refuses it (GATE_FAILED).
            InvalidArgumentError: The request id was used otherwise.
        """
        limits = wish.limits
        content = json.dumps(
            [
                *(wish.version, wish.mode, wish.share, wish.force),
                *(limits.min_requests, limits.max_error_rate, limits.max_disagreement_rate),
            ]
        )
        request = RequestKey.of("StartTrial", wish.project, request_id, content.encode())
        while True:
            check_deadline()
            if request and (first := await self._history.by_request(request)):
                return first
            await self._settled(await self._log.trial(wish.project))
            end = await self._log.end()
            last = await self._log.trial(wish.project)
            current = await self._log.current(wish.project)
            version = await self._deployments.servable(wish.project, wish.version)
            violations: Sequence[PreconditionViolation] = ()
            if wish.mode is TrialMode.CANARY:
                violations = await self._deployments.violations(current, version)
            trial = decisions.start(
                last,
                deploying.require(wish.project, current),
                version,
                mode=wish.mode,
                share=wish.share,
                limits=limits,
                now=self._clock.now(),
                actor=current_actor(),
                violations=tuple(map(deploy_gate.told, violations)),
            )
            if not wish.force:
                deploy_gate.refuse(version, violations)
            if await self._log.append_trial(end, trial, request):
                self._feed.publish_trial(trial)
                return trial

    async def get(self, project: str, number: int) -> tuple[Trial, Findings]:
        """Read a trial with what is known of it.

        Raises:
            NotFoundError: The project has no such trial.
        """
        found = await self._history.get(project, number)
        trial = await self._settled(found)
        if trial is None:
            raise not_found(decisions.trial_name(project, number))
        return trial, await self._reports.get(trial)

    async def page(
        self, project: str, page_size: int, page_token: str
    ) -> tuple[list[tuple[Trial, Findings]], str]:
        """Return a page of trials with what is known of them, and the token of the next page."""
        scope = f"ListTrials\n{project}"
        page = parse_page(min(page_size, MAX_PAGE), page_token, scope)
        trials, token = await self._history.page(project, page, scope)
        return [(trial, await self._reports.get(trial)) for trial in trials], token

    async def end(self, project: str, number: int, etag: str, request_id: str) -> Trial:
        """End a trial; what is deployed stays.

        Raises:
            NotFoundError: The project has no such trial.
            AbortedError: `etag` is given and not the current one.
            FailedPreconditionError: It is over.
        """
        name = decisions.trial_name(project, number)
        request = RequestKey.of("EndTrial", name, request_id, b"end")
        while True:
            check_deadline()
            if request and (first := await self._history.by_request(request)):
                return first
            end = await self._log.end()
            trial, _ = await self.get(project, number)
            decisions.check_etag(trial, etag)
            ended = decisions.end(trial, self._clock.now(), current_actor())
            if await self._log.append_trial(end, ended, request):
                self._feed.publish_trial(ended)
                return ended

    async def promote(
        self, project: str, number: int, etag: str, request_id: str, *, force: bool
    ) -> Deployment:
        """Deploy the candidate of a trial; one write does that and ends the trial.

        Raises:
            NotFoundError: The project has no such trial.
            AbortedError: `etag` is given and not the trial's current one.
            FailedPreconditionError: It is over, or the gate refuses its candidate (GATE_FAILED).
        """
        name = decisions.trial_name(project, number)
        content = b"promote force" if force else b"promote"
        request = RequestKey.of("EndTrial", name, request_id, content)

        async def candidate() -> ModelVersion:
            trial, _ = await self.get(project, number)
            decisions.check_etag(trial, etag)
            decisions.transition(trial, TrialEvent.PROMOTE)
            return await self._deployments.servable(project, trial.candidate.version)

        return await self._deployments.promote(project, candidate, request, force=force)

    async def report(self, project: str, number: int, report: Report) -> tuple[Trial, Findings]:
        """Take over what a server counted, judge the limits, and end the trial if one is exceeded.

        What is told of a trial that is over counts nothing.

        Raises:
            NotFoundError: The project has no such trial.
            ResourceExhaustedError: Too many servers have reported.
        """
        trial = await self._history.get(project, number)
        if trial is None:
            raise not_found(decisions.trial_name(project, number))
        if not trial.running:
            return trial, await self._reports.get(trial)
        findings = await self._reports.add(trial, report)
        if findings.verdict:
            trial = await self._roll_back(trial, findings.verdict)
        return trial, findings

    async def _settled(self, trial: Trial | None) -> Trial | None:
        """Return a trial after what a report that was cut short left to do."""
        if trial is None or not trial.running:
            return trial
        findings = await self._reports.get(trial)
        return await self._roll_back(trial, findings.verdict) if findings.verdict else trial

    async def _roll_back(self, trial: Trial, verdict: str) -> Trial:
        while True:
            check_deadline()
            end = await self._log.end()
            now = await self._history.get(trial.project, trial.number)
            if now is None or not now.running:
                return now or trial  # somebody was faster
            over = decisions.roll_back(now, verdict, self._clock.now())
            if await self._log.append_trial(end, over):
                self._feed.publish_trial(over)
                return over
