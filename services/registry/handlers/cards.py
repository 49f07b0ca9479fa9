"""Gathers what a model card tells."""

from __future__ import annotations

from services.registry.artifact_repository import ArtifactDocuments
from services.registry.card import CardFacts, render
from services.registry.deployment_log import DeploymentLog
from services.registry.domain import ModelVersion
from services.registry.handlers.aliases import Aliases


class Cards:
    """Model cards."""

    def __init__(self, artifacts: ArtifactDocuments, log: DeploymentLog, aliases: Aliases) -> None:
        """Use the given parts."""
        self._artifacts = artifacts
        self._log = log
        self._aliases = aliases

    async def card(self, project: str, version: str) -> str:
        """Return the card of a version, given by its id or an alias.

        Raises:
            NotFoundError: There is none.
        """
        found = await self._aliases.version(project, version)
        return render(
            CardFacts(
                version=found,
                adapters=await self._artifacts.adapters(found.adapters.values()),
                trunk=await self._artifacts.trunk(found.trunk_digest),
                serving=await self._serving(found),
            )
        )

    async def _serving(self, version: ModelVersion) -> list[str]:
        current = await self._log.current(version.project)
        told = []
        if current is not None:
            if any(model.version == version.id for model in current.models):
                told.append(f"deployed, revision {current.revision}")
            told += [f"pinned for {pin.label}" for pin in current.pins if pin.version == version.id]
        table = await self._log.aliases(version.project)
        named = [one.id for one in table.aliases.values() if one.version == version.id]
        return [*told, *(f"alias {alias}" for alias in sorted(named))]
