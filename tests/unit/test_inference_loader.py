"""Loading models: what one project fetches must not hold up another."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from services.common.blobs import LocalCache
from services.inference.domain import AdapterSet
from services.inference.engine.loader import EngineOptions, ModelLoader
from tests.support.inference import CPU, FakeRegistry, tiny_adapter


class SlowTrunk(FakeRegistry):
    """A registry from which the manifest of one trunk does not come."""

    def __init__(self, digest: str) -> None:
        super().__init__()
        self.digest = digest
        self.asked = asyncio.Event()

    async def trunk_manifest(self, digest: str) -> bytes:
        if digest == self.digest:
            self.asked.set()
            await asyncio.Event().wait()
        return await super().trunk_manifest(digest)


async def test_a_switch_on_an_open_trunk_does_not_wait_for_another_trunk(tmp_path: Path) -> None:
    first, second = tiny_adapter("PARTY"), tiny_adapter("PARTY", seed=2)
    other = tiny_adapter("DATE", trunk_seed=1)
    registry = SlowTrunk(other.manifest.trunk_digest)
    registry.add(first, second)
    registry.add(other, trunk_seed=1)
    options = EngineOptions(providers=CPU, threads=1, batch_tokens=256)
    with ThreadPoolExecutor(2) as pool:
        loader = ModelLoader(registry, LocalCache(tmp_path), pool, options)  # type: ignore[arg-type]
        serving = await loader.load(AdapterSet(labels={"PARTY": first.ref()}))
        stuck = asyncio.create_task(loader.load(AdapterSet(labels={"DATE": other.ref()})))
        await registry.asked.wait()
        async with asyncio.timeout(10):
            switched = await loader.load(AdapterSet(labels={"PARTY": second.ref()}))
        stuck.cancel()
        await asyncio.gather(stuck, return_exceptions=True)
    assert switched.parts[0].labels == serving.parts[0].labels
