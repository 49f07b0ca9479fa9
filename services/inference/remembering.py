"""Remembering what serves, for a start while the registry is away.

Only what was loaded is remembered: a server that dies in the middle of a swap must come back with
the generation before it, whose artifacts it has.
"""

from __future__ import annotations

from services.common.logs import get_logger
from services.common.store.port import StoreError
from services.inference.deployment_memory import DeploymentMemory
from services.inference.domain import DeploymentRevision
from services.inference.generation import GenerationState
from services.inference.manager import GenerationManager

_POLL_SECONDS = 5.0

_log = get_logger(__name__)


class Remembering:
    """Keeps the memory in step with the generations that serve."""

    def __init__(self, manager: GenerationManager, memory: DeploymentMemory) -> None:
        """Watch the generations of a manager."""
        self._manager = manager
        self._memory = memory
        self._remembered: dict[str, DeploymentRevision] = {}

    async def run(self) -> None:
        """Remember until cancelled; what the database did not take is tried again."""
        while True:
            # Again until there is nothing to do: what changes while it writes is told to nobody.
            while await self.sweep():
                pass
            await self._manager.changed(_POLL_SECONDS)

    async def flush(self) -> None:
        """Remember what serves before the server stops."""
        await self.sweep()

    async def sweep(self) -> bool:
        """Remember every generation that serves and is not remembered; return whether one was."""
        found = False
        for generation in self._manager.generations():
            deployment = generation.deployment
            if (
                generation.state is not GenerationState.READY
                or self._remembered.get(deployment.project) == deployment
            ):
                continue
            try:
                await self._memory.save(deployment)
            except StoreError as error:
                # Serving the new one matters more than knowing it after a restart.
                _log.warning("deployment_not_remembered", error=type(error).__name__)
                return False  # with the next look, which is soon
            self._remembered[deployment.project] = deployment
            found = True
        return found
