"""Lineage: from what serves back to the training and the snapshot that made it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from services.common.errors import not_found
from services.registry import deployment as decisions
from services.registry.artifact_repository import ArtifactDocuments
from services.registry.deployment_log import DeploymentLog
from services.registry.domain import ModelVersion, hex_of
from services.registry.handlers.aliases import Aliases
from services.registry.pointers import Deployment, deployment_name
from services.registry.repository import VersionDocuments


@dataclass(frozen=True, kw_only=True)
class Step:
    """Where one adapter comes from.

    Attributes:
        label: Label, control, or ``assertion``.
        adapter: Digest.
        version: The version that was asked about; None when the adapter was.
        origin: The first version that has the adapter; None: there is none.
    """

    label: str
    adapter: str
    version: ModelVersion | None
    origin: ModelVersion | None


class LineageReader:
    """Finds where adapters come from."""

    def __init__(
        self,
        versions: VersionDocuments,
        artifacts: ArtifactDocuments,
        log: DeploymentLog,
        aliases: Aliases,
    ) -> None:
        """Use the given parts."""
        self._versions = versions
        self._artifacts = artifacts
        self._log = log
        self._aliases = aliases

    async def of_version(self, project: str, version: str) -> list[Step]:
        """Return the steps of a version, given by its id or an alias.

        Raises:
            NotFoundError: There is none.
        """
        found = await self._aliases.version(project, version)
        origins = _origins(await self._versions.scan(project))
        return [
            Step(label=label, adapter=digest, version=found, origin=origins.get(digest))
            for label, digest in sorted(found.adapters.items())
        ]

    async def of_deployment(self, project: str, revision: int | None) -> list[Step]:
        """Return the steps of what a revision of a deployment serves; None: of the newest.

        Raises:
            FailedPreconditionError: Nothing is deployed.
            NotFoundError: There is no such revision.
        """
        deployment: Deployment | None
        if revision is None:
            deployment = decisions.require(project, await self._log.current(project))
        else:
            deployment = await self._log.revision(project, revision)
            if deployment is None:
                raise not_found(f"{deployment_name(project)}/revisions/{revision}")
        versions = await self._versions.scan(project)
        by_id, origins = {one.id: one for one in versions}, _origins(versions)
        pinned = {pin.label: pin for pin in deployment.pins}
        steps = []
        for model in deployment.models:
            for label, digest in sorted(model.adapters.items()):
                if model.model_type == "ner" and label in pinned:
                    continue
                steps.append((label, digest, model.version))
        steps += [(pin.label, pin.adapter, pin.version) for pin in deployment.pins]
        return [
            Step(
                label=label,
                adapter=digest,
                version=by_id.get(version),
                origin=origins.get(digest),
            )
            for label, digest, version in sorted(steps)
        ]

    async def of_adapter(self, digest: str) -> list[Step]:
        """Return the step of an adapter. One that retention removed is found while a version tells.

        Raises:
            NotFoundError: Neither an adapter nor a version knows it.
        """
        origin = _origins(await self._versions.scan()).get(digest)
        adapter = (await self._artifacts.adapters([digest])).get(digest)
        if adapter is not None:
            label = adapter.label
        elif origin is not None:
            label = next(name for name, one in origin.adapters.items() if one == digest)
        else:
            raise not_found(f"adapters/{hex_of(digest)}")
        return [Step(label=label, adapter=digest, version=None, origin=origin)]


def _origins(versions: Iterable[ModelVersion]) -> dict[str, ModelVersion]:
    """Return the first version that has each adapter."""
    origins: dict[str, ModelVersion] = {}
    for version in sorted(versions, key=lambda one: one.create_time):
        for digest in version.adapters.values():
            origins.setdefault(digest, version)
    return origins
