"""Follows the registry's deployments for as long as the server lives."""

from __future__ import annotations

import asyncio
import random

from services.common.errors import SpanloopError
from services.common.logs import get_logger
from services.common.store.port import StoreError
from services.inference.deployment_memory import DeploymentMemory
from services.inference.domain import DeploymentRevision
from services.inference.manager import Backoff, GenerationManager
from services.inference.ports import Registry
from services.inference.trials.board import TrialBoard
from services.inference.trials.domain import Trial, TrialOver

_log = get_logger(__name__)


class DeploymentSource:
    """Hands every deployment to the manager; at the start, what served last.

    While the registry is away, what is known keeps serving; the stream is opened again forever,
    with growing pauses.
    """

    def __init__(
        self,
        registry: Registry,
        manager: GenerationManager,
        board: TrialBoard,
        memory: DeploymentMemory,
        *,
        silence_seconds: float,
        backoff: Backoff | None = None,
    ) -> None:
        """Follow `registry`.

        Args:
            registry: Where deployments are told.
            manager: Who is told.
            board: Who is told of trials.
            memory: What served last.
            silence_seconds: A stream without even a heartbeat for this long is given up.
            backoff: Pauses between attempts.
        """
        self._registry = registry
        self._manager = manager
        self._board = board
        self._memory = memory
        self._silence = silence_seconds
        self._backoff = backoff or Backoff(first=0.2, longest=5.0)
        self._connected = False

    @property
    def connected(self) -> bool:
        """Whether the stream is up."""
        return self._connected

    async def run(self) -> None:
        """Aspire to what was deployed last time, then follow the registry until cancelled."""
        failures = 0
        recalled = False
        while True:
            # The registry may be away; once it has told everything, memory has nothing to add.
            recalled = recalled or await self._recall()
            try:
                await self._follow()
            except (SpanloopError, TimeoutError) as error:
                failures = 1 if self._connected else failures + 1
                pause = self._backoff.after(failures) * random.uniform(0.5, 1.0)  # noqa: S311
                _log.warning(
                    "registry_stream_lost",
                    reason=error.reason.value if isinstance(error, SpanloopError) else "SILENT",
                    retry_seconds=round(pause, 3),
                )
            else:
                # The registry ended the stream, which it only does when it stops.
                failures = 1
                pause = self._backoff.first
            finally:
                recalled = recalled or self._connected
                self._connected = False
            await asyncio.sleep(pause)

    async def _follow(self) -> None:
        stream = aiter(self._registry.watch_deployments())
        while True:
            try:
                async with asyncio.timeout(self._silence):
                    told = await anext(stream)
            except StopAsyncIteration:
                return
            if not self._connected:
                self._connected = True
                _log.info("registry_stream_up")
            match told:
                case DeploymentRevision():
                    self._manager.aspire(told)
                case Trial() | TrialOver():
                    self._board.tell(told)
                case None:
                    pass

    async def _recall(self) -> bool:
        try:
            remembered = await self._memory.load()
        except StoreError as error:
            _log.warning("deployments_not_recalled", error=type(error).__name__)
            return False
        for deployment in remembered:
            self._manager.aspire(deployment)
        return True
