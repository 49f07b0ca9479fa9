"""Puts requests that were answered to the other side too, behind all who wait, and compares.

Bounded: one is compared at a time, after each there is a rest, and what cannot be compared soon is
dropped and counted. So neither memory nor the answers of others depend on it, and a part of the
requests is enough to know how often two models differ.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, replace

from services.common.clock import Clock
from services.common.errors import Reason, SpanloopError
from services.common.logs import get_logger
from services.inference.domain import AdapterSet
from services.inference.generation import GenerationHandle
from services.inference.handlers.predict import PredictCommand, Predictor, PredictResult
from services.inference.manager import GenerationManager
from services.inference.trials.board import TrialBoard, Tried
from services.inference.trials.counts import differences
from services.inference.trials.domain import TrialMode

# What a comparison is followed by, by what it took with its wait for an idle device. It also takes
# time of the interpreter, to tokenise and to decode, which the queue of the device cannot ration.
_REST = 3.0

_log = get_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """A request that one side answered.

    Attributes:
        tried: The trial.
        command: The request.
        result: What it was answered.
    """

    tried: Tried
    command: PredictCommand
    result: PredictResult

    @property
    def characters(self) -> int:
        """What it takes to keep it."""
        return sum(map(len, self.command.texts))


class Comparisons:
    """The requests that wait to be compared."""

    def __init__(
        self,
        predictor: Predictor,
        manager: GenerationManager,
        board: TrialBoard,
        *,
        clock: Clock,
        max_requests: int = 64,
        max_characters: int = 1_000_000,
    ) -> None:
        """Compare nothing yet.

        Args:
            predictor: Asks the other side.
            manager: What serves.
            board: What is tried.
            clock: Measures how long a comparison takes.
            max_requests: So many wait.
            max_characters: Of so many characters together.
        """
        self._predictor = predictor
        self._manager = manager
        self._board = board
        self._clock = clock
        self._max_requests = max_requests
        self._max_characters = max_characters
        self._waiting: deque[Comparison] = deque()
        self._characters = 0
        self._wake = asyncio.Event()

    def put(self, comparison: Comparison) -> None:
        """Compare a request soon, or drop it when too many wait; returns at once."""
        characters = comparison.characters
        if (
            len(self._waiting) >= self._max_requests
            or self._characters + characters > self._max_characters
        ):
            comparison.tried.tally.dropped_requests += 1
            return
        self._waiting.append(comparison)
        self._characters += characters
        self._wake.set()

    async def run(self) -> None:
        """Compare until cancelled."""
        while True:
            while not self._waiting:
                self._wake.clear()
                await self._wake.wait()
            comparison = self._waiting.popleft()
            self._characters -= comparison.characters
            if not self._board.runs(comparison.tried):
                continue
            begun = self._clock.monotonic()
            try:
                await self._compare(comparison)
            except Exception as error:  # noqa: BLE001 - the next one must be compared all the same
                # What is deployed could not be asked; nothing is known about the candidate.
                comparison.tried.tally.dropped_requests += 1
                _log.warning("comparison_dropped", error=type(error).__name__)
            # While nothing waits, nothing here may keep what was swapped out.
            del comparison
            await asyncio.sleep(_REST * (self._clock.monotonic() - begun))

    async def _compare(self, comparison: Comparison) -> None:
        if comparison.tried.trial.mode is TrialMode.SHADOW:
            await self._ask_candidate(comparison)
        else:
            await self._ask_served(comparison)

    async def _ask_candidate(self, comparison: Comparison) -> None:
        tried, tally = comparison.tried, comparison.tried.tally
        handle = self._board.acquire(tried)
        if handle is None:
            tally.skipped_requests += 1
            return
        with handle:
            if not _same_revision(comparison.result, handle):
                tally.dropped_requests += 1
                return
            command = shared(comparison.command, handle.deployment.adapters)
            if command is None:
                tally.skipped_requests += 1
                return
            try:
                found = await self._predictor.predict_with(handle, _in_background(command))
            except Exception as error:  # whatever it is: a candidate that fails is found out here
                if isinstance(error, SpanloopError) and error.reason is Reason.DRAINING:
                    raise
                _log.warning("candidate_failed", trial=tried.trial.name, error=type(error).__name__)
                tally.failed()
                return
        tally.answered()
        await _count(tried, served=comparison.result, candidate=found)

    async def _ask_served(self, comparison: Comparison) -> None:
        with self._manager.acquire(comparison.command.project) as handle:
            if not _same_revision(comparison.result, handle):
                comparison.tried.tally.dropped_requests += 1
                return
            found = await self._predictor.predict_with(handle, _in_background(comparison.command))
        await _count(comparison.tried, served=found, candidate=comparison.result)


def shared(command: PredictCommand, adapters: AdapterSet) -> PredictCommand | None:
    """Return what of a request these adapters can answer: itself if all of it; None: nothing."""
    labels = [label for label in command.labels if label in adapters.labels]
    controls = [control for control in command.controls if control in adapters.controls]
    if (command.labels or command.controls) and not labels and not controls:
        return None
    judged = not command.given or adapters.assertion is not None
    if judged and (len(labels), len(controls)) == (len(command.labels), len(command.controls)):
        return command
    return replace(command, labels=labels, controls=controls, given=command.given if judged else ())


def _in_background(command: PredictCommand) -> PredictCommand:
    wish = replace(command.wish, uncertainty=False, embedding=False)
    return replace(command, wish=wish, background=True, deadline=None)


def _same_revision(result: PredictResult, handle: GenerationHandle) -> bool:
    """Whether both sides differ by the candidate alone."""
    return (
        result.deployment is not None and result.deployment.revision == handle.deployment.revision
    )


async def _count(tried: Tried, *, served: PredictResult, candidate: PredictResult) -> None:
    keys = served.adapters.digests.keys() & candidate.adapters.digests.keys()
    # In a thread: there may be a thousand texts.
    found = await asyncio.to_thread(differences, served.answers, candidate.answers, keys)
    tried.tally.compared(found)
