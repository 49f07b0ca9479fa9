"""The use cases of one registry process over a store and files, for tests that interfere."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from services.common.blobs import digest_of
from services.common.clock import Clock
from services.registry.artifact_repository import ArtifactDocuments
from services.registry.deployment_log import DeploymentLog
from services.registry.domain import ModelType, ModelVersion, ParityReport, VersionDraft
from services.registry.feed import DeploymentFeed
from services.registry.file_uses import FileUses
from services.registry.grace import Grace
from services.registry.handlers.aliases import Aliases
from services.registry.handlers.artifacts import Artifacts
from services.registry.handlers.deployments import Deployments
from services.registry.handlers.models import Models
from services.registry.handlers.policies import Policies
from services.registry.handlers.retention import Retention, Summary
from services.registry.handlers.versions import Versions
from services.registry.repository import VersionDocuments
from services.registry.sweeper import Sweeper
from tests.support.registry import TOKENIZER, adapter_manifest, trunk_manifest

GRACE = 3600
PASSED = ParityReport(max_abs_diff=0.0, texts=1, span_mismatches=0)


class RegistryParts:
    """What `services.registry.bootstrap` puts together, over stores that a test chose."""

    def __init__(self, store: Any, blobs: Any, clock: Clock) -> None:
        grace = Grace(seconds=GRACE, clock=clock)
        self.blobs = blobs
        self.log = DeploymentLog(store)
        self.documents = ArtifactDocuments(store)
        self.uses = FileUses(store)
        self.version_documents = VersionDocuments(store)
        self.artifacts = Artifacts(blobs, self.uses, grace, max_bytes=10**6)
        self.models = Models(self.documents, blobs, self.uses, grace)
        self.versions = Versions(self.version_documents, self.documents, self.log, grace)
        self.aliases = Aliases(self.log, self.versions, clock)
        self.deployments = Deployments(
            self.log, self.aliases, DeploymentFeed(self.log, poll_seconds=1), clock
        )
        self.policies = Policies(self.log, clock)
        self.retention = Retention(
            versions=self.version_documents,
            artifacts=self.documents,
            blobs=blobs,
            sweeper=Sweeper(self.documents, self.uses, blobs, self.log, grace),
            log=self.log,
            aliases=self.aliases,
            grace=grace,
        )

    async def upload(self, data: bytes) -> str:
        async def chunks() -> AsyncIterator[bytes]:
            yield data

        await self.artifacts.upload(digest_of(data), chunks())
        return digest_of(data)

    async def trunk(self, model: bytes) -> str:
        await self.upload(model)
        await self.upload(TOKENIZER)
        return (await self.models.register_trunk(trunk_manifest(model=model).to_bytes())).digest

    async def adapter(self, weights: bytes, model: bytes) -> str:
        """Upload and register an adapter with its trunk, as a trainer does."""
        await self.trunk(model)
        await self.upload(weights)
        manifest = adapter_manifest("A", trunk=trunk_manifest(model=model), weights=weights)
        return (await self.models.register_adapter(manifest.to_bytes())).digest

    async def version(self, digest: str, request_id: str = "") -> ModelVersion:
        """Create a version and make it READY."""
        draft = VersionDraft(project="p", model_type=ModelType.NER, adapters={"A": digest})
        made = await self.versions.create(draft, request_id)
        return await self.versions.verify("p", made.id, PASSED)

    async def run_retention(self) -> Summary:
        async for found in self.retention.run(None, apply=True):
            if isinstance(found, Summary):
                return found
        raise AssertionError("a run ends with a summary")

    async def check_whole(self) -> None:
        """Fail when anything refers to what is not there."""
        files = {one.digest for one in await self.blobs.list() if one.digest}
        trunks = {one.value.digest: one.value for one in await self.documents.all_trunks()}
        adapters = {one.value.digest: one.value for one in await self.documents.all_adapters()}
        for trunk in trunks.values():
            assert set(trunk.files.values()) <= files
        for adapter in adapters.values():
            assert set(adapter.files.values()) <= files
            assert adapter.trunk_digest in trunks
        for version in await self.version_documents.scan():
            decided = await self.log.purged(version.project, [version.id])
            if version.purge_time is None and not decided:
                assert set(version.adapters.values()) <= adapters.keys()
        current = await self.log.current("p")
        pointed = await self.log.aliases("p")
        purged = await self.log.purged("p", [f"ner_p_v{n}" for n in range(1, 10)])
        assert current is not None
        assert not (current.versions | pointed.versions) & purged.keys()
