"""Adapters of registered versions as files of a job, for training to start from or to compare."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from services.common.modeling.manifest import ADAPTER_FILE
from services.trainer.domain import ModelType, TrainingJob
from services.trainer.job_files import AdapterFiles, Example, ServedModel, write_whole
from services.trainer.ports import RegistryPeer
from services.trainer.retrying import PeerCalls
from services.trainer.trunks import TrunkStore


class Fetching:
    """Fetches what one job needs of other versions. Safe to repeat: what is there whole is kept."""

    def __init__(
        self,
        registry: RegistryPeer,
        trunks: TrunkStore,
        folder: Path,
        peer: PeerCalls,
        warn: Callable[[str], None],
    ) -> None:
        """Fetch into `folder`, made when needed; `warn` notes a remark."""
        self._registry = registry
        self._trunks = trunks
        self._folder = folder
        self._peer = peer
        self._warn = warn

    async def initial(self, job: TrainingJob, labels: Sequence[str]) -> tuple[AdapterFiles, ...]:
        """Return the adapters that training starts from; labels that are new have none."""
        transfer, registry = job.transfer, self._registry
        if transfer is None:
            return ()
        start = await self._peer(
            "Reading the version to start from",
            lambda: registry.get_version(transfer.model_version),
        )
        known = _adapter_keys(job, labels)
        wanted = {key: digest for key, digest in start.adapters.items() if key in known}
        if not wanted:
            self._warn(
                f"{start.name} has none of the labels that are trained: they start from nothing."
            )
        return await self._adapters(wanted)

    async def served(self, job: TrainingJob, examples: Sequence[Example]) -> ServedModel | None:
        """Return the version that is served now, when the result is to be compared with it."""
        if not job.deploy:
            return None
        registry = self._registry
        served = await self._peer("Reading the deployment", lambda: registry.served(job.project))
        model = served.model(job.model_type.value, job.control)
        if model is None:
            return None
        splits = {example.split for example in examples}
        trunk = await self._trunks.get(model.trunk_digest, self._peer)
        return ServedModel(
            model_version=model.name,
            trunk_folder=str(trunk),
            adapters=await self._adapters(model.adapters),
            split="dev" if "dev" in splits else "test" if "test" in splits else "",
        )

    async def _adapters(self, adapters: Mapping[str, str]) -> tuple[AdapterFiles, ...]:
        files = []
        for label, digest in sorted(adapters.items()):
            home = self._folder / digest.removeprefix("sha256:")
            manifest, weights = home / "manifest.json", home / ADAPTER_FILE
            # Written last: its presence says that both are there.
            if not manifest.is_file():
                await asyncio.to_thread(home.mkdir, parents=True, exist_ok=True)
                adapter = await self._peer(
                    f"Reading the adapter of {label!r}",
                    partial(self._registry.get_adapter, digest),
                )
                await self._peer(
                    f"Downloading the adapter of {label!r}",
                    partial(self._registry.download, adapter.files[ADAPTER_FILE], weights),
                )
                await asyncio.to_thread(write_whole, manifest, adapter.manifest)
            files.append(AdapterFiles(label=label, manifest=str(manifest), weights=str(weights)))
        return tuple(files)


def _adapter_keys(job: TrainingJob, labels: Sequence[str]) -> frozenset[str]:
    """Return the keys that a job's adapters have in a version's manifest."""
    match job.model_type:
        case ModelType.NER:
            return frozenset(labels)
        case ModelType.CLASSIFICATION:
            return frozenset({job.control})
        case ModelType.ASSERTION:
            return frozenset({job.model_type.value})
