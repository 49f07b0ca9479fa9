"""From a child's result files to a READY model version. Every step is safe to repeat."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path

from services.common.errors import InvalidArgumentError, Reason
from services.common.idempotency import MAX_REQUEST_ID
from services.common.modeling.manifest import AdapterManifest
from services.trainer.domain import FailureReason, JobFailedError, TrainingJob
from services.trainer.held_job import HeldJob
from services.trainer.job_files import AdapterFiles, JobResult
from services.trainer.ports import NewVersion, RegisteredVersion, RegistryPeer
from services.trainer.retrying import PeerCalls
from services.trainer.trunks import TrunkStore


class CancelledBeforeCommitError(Exception):
    """The job was cancelled before its version was created."""


class Publisher:
    """Uploads what a job made and registers it as one model version."""

    def __init__(self, registry: RegistryPeer, trunks: TrunkStore, *, code_version: str) -> None:
        """Publish to `registry`."""
        self._registry = registry
        self._trunks = trunks
        self._code_version = code_version

    async def publish(
        self, held: HeldJob, result: JobResult, content_hash: str, peer: PeerCalls
    ) -> str:
        """Return the name of the READY version.

        Raises:
            JobFailedError: PARITY_FAILED, or PEER_FAILED when the registry refused or stayed away.
            CancelledBeforeCommitError: Nothing was created, and nothing will be.
            AbortedError: LEASE_LOST.
        """
        job = held.job
        await self._trunks.register(Path(result.trunk_folder), peer)
        if result.fp32_trunk_folder:
            # Nothing refers to it: later jobs find it instead of exporting it again.
            await self._trunks.register(Path(result.fp32_trunk_folder), peer)
        adapters = await self._kept_adapters(job, result, peer)
        for adapter in result.adapters:
            adapters[adapter.label] = await self._register(adapter, peer)
        if not await held.commit():
            raise CancelledBeforeCommitError
        version = await self._create(job, adapters, result, content_hash, peer)
        if version.state == "REGISTERED":
            version = await peer(
                "Verifying the model version",
                lambda: self._registry.verify_version(version.name, result.parity),
            )
        if version.state == "FAILED":
            raise JobFailedError(
                FailureReason.PARITY_FAILED,
                f"{version.name}: "
                + (
                    result.parity.reason
                    or version.failure_message
                    or "Trainer and inference disagree about its predictions."
                ),
            )
        return version.name

    async def _kept_adapters(
        self, job: TrainingJob, result: JobResult, peer: PeerCalls
    ) -> dict[str, str]:
        """Return the base version's adapters; those trained now replace theirs."""
        name = job.kept_version
        trained = {adapter.label for adapter in result.adapters}
        if not name:
            return {}
        base = await peer(
            "Reading the base model version", lambda: self._registry.get_version(name)
        )
        return {label: digest for label, digest in base.adapters.items() if label not in trained}

    async def _register(self, adapter: AdapterFiles, peer: PeerCalls) -> str:
        data = await asyncio.to_thread(Path(adapter.manifest).read_bytes)
        manifest = AdapterManifest.from_bytes(data)
        for file in manifest.files.values():
            await peer(
                f"Uploading the adapter of {adapter.label!r}",
                partial(self._registry.upload, file.digest, Path(adapter.weights)),
            )
        return await peer(
            f"Registering the adapter of {adapter.label!r}",
            lambda: self._registry.register_adapter(data),
        )

    async def _create(
        self,
        job: TrainingJob,
        adapters: dict[str, str],
        result: JobResult,
        content_hash: str,
        peer: PeerCalls,
    ) -> RegisteredVersion:
        version = NewVersion(
            project=job.project,
            model_type=job.model_type.value,
            control=job.control,
            adapters=adapters,
            evaluation=result.evaluation,
            snapshot=job.snapshot,
            snapshot_content_hash=content_hash,
            training_job=job.name,
            code_version=self._code_version,
            parameters=result.parameters,
            # The name where it fits; the id is unique too.
            replace_newest=job.replace_newest,
            base_model_versions=tuple(sorted({job.kept_version, job.based_on} - {""})),
            baseline=job.baseline,
            request_id=job.name if len(job.name) <= MAX_REQUEST_ID else job.id,
        )

        async def create_or_find() -> RegisteredVersion:
            try:
                return await self._registry.create_version(version)
            except InvalidArgumentError as error:
                if error.reason is not Reason.REQUEST_ID_REUSED:
                    raise
                # An earlier attempt got here with other files, since lost: its version is the
                # job's version.
                found = await self._registry.find_version_of(job.project, job.name)
                if found is None:
                    raise
                return found

        return await peer("Creating the model version", create_or_find)
