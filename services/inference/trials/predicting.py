"""Predict while something is tried: which side answers, and what the other is asked afterwards."""

from __future__ import annotations

from services.common.errors import Code, SpanloopError
from services.common.logs import get_logger
from services.inference.generation import GenerationHandle
from services.inference.handlers.predict import PredictCommand, Predictor, PredictResult
from services.inference.manager import GenerationManager
from services.inference.trials.board import TrialBoard, Tried
from services.inference.trials.comparing import Comparison, Comparisons, shared
from services.inference.trials.domain import TrialMode

# Other refusals are about the request or the server, and would be the same without a candidate.
_OWN_FAULTS = (Code.INTERNAL, Code.DATA_LOSS)

_log = get_logger(__name__)


class TrialPredictor:
    """Answers requests like ``Predictor``; a share of them falls to a candidate."""

    def __init__(
        self,
        predictor: Predictor,
        manager: GenerationManager,
        board: TrialBoard,
        comparisons: Comparisons,
    ) -> None:
        """Use the given parts."""
        self._predictor = predictor
        self._manager = manager
        self._board = board
        self._comparisons = comparisons

    async def predict(self, command: PredictCommand) -> PredictResult:
        """Answer a request; see ``Predictor.predict``."""
        tried = self._board.get(command.project)
        # A request that pins versions asks for just these.
        if tried is None or command.pins or not tried.trial.takes(command.texts):
            return await self._predictor.predict(command)
        if tried.trial.mode is TrialMode.CANARY:
            return await self._canary(tried, command)
        result = await self._predictor.predict(command)
        self._comparisons.put(Comparison(tried=tried, command=command, result=result))
        return result

    async def _canary(self, tried: Tried, command: PredictCommand) -> PredictResult:
        with self._manager.acquire(command.project) as served:
            candidate = None if self._board.paused(tried) else self._board.acquire(tried)
            if candidate is not None:
                with candidate:
                    result = await self._ask(tried, served, candidate, command)
                if result is not None:
                    return result
            else:
                tried.tally.skipped_requests += 1
            return await self._predictor.predict_with(served, command)

    async def _ask(
        self,
        tried: Tried,
        served: GenerationHandle,
        candidate: GenerationHandle,
        command: PredictCommand,
    ) -> PredictResult | None:
        """Return the candidate's answer; None: what is deployed is to answer."""
        if (
            candidate.deployment.revision != served.deployment.revision
            or shared(command, candidate.deployment.adapters) is not command
        ):
            tried.tally.skipped_requests += 1
            return None
        try:
            result = await self._predictor.predict_with(candidate, command)
        except Exception as error:  # whatever it is: the caller gets an answer all the same
            if isinstance(error, SpanloopError) and error.code not in _OWN_FAULTS:
                raise
            _log.warning("candidate_failed", trial=tried.trial.name, error=type(error).__name__)
            tried.tally.failed()
            return None
        tried.tally.answered()
        self._comparisons.put(Comparison(tried=tried, command=command, result=result))
        return result
