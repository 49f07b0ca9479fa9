"""The trials that run, their candidates on this server, and what was counted of them.

All methods are called on the event loop's thread.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from services.common.clock import Clock
from services.common.errors import FailedPreconditionError
from services.common.logs import get_logger
from services.inference.generation import Generation, GenerationHandle, GenerationState
from services.inference.manager import GenerationManager
from services.inference.trials.counts import Tally
from services.inference.trials.domain import CandidateState, Trial, TrialMode, TrialOver

_log = get_logger(__name__)


@dataclass(kw_only=True)
class Tried:
    """A trial that runs.

    Attributes:
        trial: What the registry told last.
        tally: What this process counted of it.
        trusted_until: Until when the registry is believed to end it when it must, monotonic.
    """

    trial: Trial
    tally: Tally = field(default_factory=Tally)
    trusted_until: float


class TrialBoard:
    """What is tried on this server.

    Candidates are generations like those that serve, held by a manager of their own: they are
    loaded beside what serves, verified before they are asked anything, and tried again when that
    fails. What both have is in memory once.
    """

    def __init__(
        self, candidates: GenerationManager, *, clock: Clock, patience_seconds: float
    ) -> None:
        """Try nothing yet.

        Args:
            candidates: Holds the candidates, and nothing else.
            clock: Its monotonic seconds.
            patience_seconds: How long a canary answers while the registry takes no reports: it
                could not end it.
        """
        self._candidates = candidates
        self._clock = clock
        self._patience = patience_seconds
        self._tried: dict[str, Tried] = {}

    def tell(self, told: Trial | TrialOver) -> None:
        """Take note of a trial that runs or is over."""
        if isinstance(told, TrialOver):
            self._end(told.name)
            return
        tried = self._tried.get(told.project)
        if tried is not None and _same(tried.trial, told):
            tried.trial = told
        else:
            _log.info("trial_begun", trial=told.name, mode=told.mode.value, share=told.share)
            self._tried[told.project] = Tried(trial=told, trusted_until=self._trust())
        self._candidates.aspire(told.candidate)

    def reported(self, trial: str) -> None:
        """Take note that the registry took a report of a trial: it can end it."""
        for tried in self._tried.values():
            if tried.trial.name == trial:
                tried.trusted_until = self._trust()

    def all(self) -> list[Tried]:
        """Return what is tried, by project."""
        return [tried for _, tried in sorted(self._tried.items())]

    def get(self, project: str) -> Tried | None:
        """Return what is tried of a project."""
        return self._tried.get(project)

    def runs(self, tried: Tried) -> bool:
        """Whether a trial is still the one of its project."""
        return self._tried.get(tried.trial.project) is tried

    def paused(self, tried: Tried) -> bool:
        """Whether a canary does not answer, as the registry took no report for too long."""
        return (
            tried.trial.mode is TrialMode.CANARY and self._clock.monotonic() > tried.trusted_until
        )

    def acquire(self, tried: Tried) -> GenerationHandle | None:
        """Return a handle on a candidate; None when it is not loaded."""
        try:
            handle = self._candidates.acquire(tried.trial.project)
        except FailedPreconditionError:
            return None
        if handle.deployment != tried.trial.candidate:
            handle.release()  # the one before, while that of a newer revision is being loaded
            return None
        return handle

    def generation(self, tried: Tried) -> Generation | None:
        """Return the generation of a candidate, whatever its state."""
        held = self._candidates.generations(tried.trial.project)
        return next((one for one in held if one.deployment == tried.trial.candidate), None)

    def state(self, tried: Tried) -> tuple[CandidateState, str]:
        """Return where a candidate stands, and why it cannot be loaded."""
        generation = self.generation(tried)
        if generation is None:
            return CandidateState.LOADING, ""
        match generation.state:
            case GenerationState.READY:
                return CandidateState.READY, ""
            case GenerationState.ERROR:
                return CandidateState.ERROR, generation.error_message
            case _:
                return CandidateState.LOADING, ""

    async def close(self) -> None:
        """Stop loading candidates."""
        await self._candidates.close()

    def _end(self, name: str) -> None:
        for project, tried in list(self._tried.items()):
            if tried.trial.name == name:
                _log.info("trial_over", trial=name)
                del self._tried[project]
                self._candidates.forget(project)

    def _trust(self) -> float:
        return self._clock.monotonic() + self._patience


def _same(one: Trial, other: Trial) -> bool:
    return (one.name, one.began) == (other.name, other.began)
