"""Artifacts through the local cache: what is not there comes from the registry, verified."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

from services.common.blobs import Hold, LocalCache
from services.common.modeling.adapter import AdapterWeights, load_adapter
from services.common.modeling.manifest import ADAPTER_FILE, AdapterManifest, TrunkManifest
from services.inference.ports import Registry

T = TypeVar("T")


class Run(Protocol):
    """Runs what takes long in a thread, and tells of what is damaged."""

    def __call__(self, work: Callable[..., T], *arguments: object) -> Awaitable[T]:
        """Return what `work` returns."""
        ...


class CachedArtifacts:
    """Reads artifacts; those read with a hold stay in the cache until it is released."""

    def __init__(self, registry: Registry, cache: LocalCache, run: Run) -> None:
        """Read through `cache`; parsing happens in `run`."""
        self._registry = registry
        self._cache = cache
        self._run = run

    async def adapter(self, digest: str, hold: Hold | None = None) -> AdapterWeights:
        """Return an adapter."""
        data = await self._cache.get_or_fetch(
            digest, lambda: self._registry.adapter_manifest(digest), hold
        )
        manifest = await self._run(AdapterManifest.from_bytes, data)
        tensors = await self.file(manifest.files[ADAPTER_FILE].digest, hold)
        return await self._run(load_adapter, data, tensors)

    async def trunk_manifest(self, digest: str, hold: Hold | None = None) -> TrunkManifest:
        """Return the manifest of a trunk."""
        data = await self._cache.get_or_fetch(
            digest, lambda: self._registry.trunk_manifest(digest), hold
        )
        return await self._run(TrunkManifest.from_bytes, data)

    async def file(self, digest: str, hold: Hold | None = None) -> bytes:
        """Return the bytes of a file."""
        return await self._cache.get_or_fetch(digest, lambda: self._registry.download(digest), hold)
