"""The deployments that served last as documents."""

from __future__ import annotations

from services.common.store.port import (
    Collection,
    Document,
    DocumentStore,
    DuplicateError,
    RevisionError,
    Stored,
)
from services.inference.domain import AdapterKind, AdapterRef, AdapterSet, DeploymentRevision

DEPLOYMENTS = "deployments"
DEPLOYMENT_COLLECTION = Collection(name=DEPLOYMENTS)

_MANY = 1000


class DeploymentMemory:
    """The deployment that each project served last, for a start while the registry is away."""

    def __init__(self, store: DocumentStore) -> None:
        """Use an opened store."""
        self._store = store

    async def load(self) -> list[DeploymentRevision]:
        """Return all that is remembered."""
        found: list[DeploymentRevision] = []
        after = None
        while True:
            page = await self._store.find(DEPLOYMENTS, limit=_MANY, after=after)
            found.extend(_to_deployment(stored) for stored in page)
            if len(page) < _MANY:
                return found
            after = [page[-1].id]

    async def save(self, deployment: DeploymentRevision) -> None:
        """Remember a deployment unless the same is remembered."""
        body: Document = {
            "revision": deployment.revision,
            # A list, as label values are no field names.
            "adapters": [
                {
                    "kind": kind.value,
                    "label": name,
                    "digest": adapter.digest,
                    "trunk_digest": adapter.trunk_digest,
                    "model_version": adapter.model_version,
                }
                for kind, name, adapter in sorted(
                    deployment.adapters.items(), key=lambda item: item[:2]
                )
            ],
        }
        stored = await self._store.get(DEPLOYMENTS, deployment.project)
        try:
            if stored is None:
                await self._store.insert(DEPLOYMENTS, deployment.project, body)
            elif stored.body != body:
                await self._store.replace(
                    DEPLOYMENTS, deployment.project, body, expected_revision=stored.revision
                )
        except (DuplicateError, RevisionError):
            return  # another server of this database remembers for both


def _to_deployment(stored: Stored) -> DeploymentRevision:
    return DeploymentRevision(
        project=stored.id,
        revision=stored.body["revision"],
        adapters=AdapterSet.of(
            (
                # What an earlier release remembered were labels.
                AdapterKind(item.get("kind", AdapterKind.LABEL)),
                item["label"],
                AdapterRef(
                    digest=item["digest"],
                    trunk_digest=item["trunk_digest"],
                    model_version=item["model_version"],
                ),
            )
            for item in stored.body["adapters"]
        ),
    )
