"""Trunks between the registry and this machine's folder of exported trunks."""

from __future__ import annotations

import asyncio
import shutil
import uuid
from functools import partial
from pathlib import Path

from services.common.errors import NotFoundError
from services.common.modeling.manifest import ManifestError, TrunkManifest
from services.trainer.domain import FailureReason, JobFailedError
from services.trainer.engines.trunk_names import split_precision
from services.trainer.job_files import write_whole
from services.trainer.ports import RegisteredTrunk, RegistryPeer
from services.trainer.retrying import PeerCalls

_MANIFEST = "manifest.json"


class TrunkStore:
    """``<trunks>/<hex digest>/``: manifest, model and tokenizer of each trunk, whole or absent."""

    def __init__(self, folder: Path, registry: RegistryPeer) -> None:
        """Keep trunks in `folder`, made when needed."""
        self._folder = folder
        self._registry = registry
        self._fetching = asyncio.Lock()

    async def find(self, source: str, peer: PeerCalls) -> Path | None:
        """Return the folder of the registry's newest trunk from a source, or None.

        A folder of this machine is never looked up: its content may have changed since.
        """
        if not _names_a_fixed_trunk(source):
            return None
        trunk = await peer("Looking up the trunk", lambda: self._registry.find_trunk(source))
        return None if trunk is None else await self._fetch(trunk, peer)

    async def get(self, digest: str, peer: PeerCalls) -> Path:
        """Return the folder of a registered trunk."""
        folder = self._home(digest)
        if (folder / _MANIFEST).is_file():
            return folder
        trunk = await peer("Reading the trunk", lambda: self._registry.get_trunk(digest))
        return await self._fetch(trunk, peer)

    async def register(self, folder: Path, peer: PeerCalls) -> str:
        """Upload and register the trunk in a folder; returns its digest. Safe to repeat."""
        data = (folder / _MANIFEST).read_bytes()
        manifest = TrunkManifest.from_bytes(data)
        if await peer("Looking up the trunk", lambda: self._is_registered(manifest.digest)):
            return manifest.digest
        for name, file in manifest.files.items():
            await peer(
                f"Uploading the trunk's {name}",
                partial(self._registry.upload, file.digest, folder / name),
            )
        return await peer("Registering the trunk", lambda: self._registry.register_trunk(data))

    async def _is_registered(self, digest: str) -> bool:
        try:
            await self._registry.get_trunk(digest)
        except NotFoundError:
            return False
        return True

    async def _fetch(self, trunk: RegisteredTrunk, peer: PeerCalls) -> Path:
        async with self._fetching:
            folder = self._home(trunk.digest)
            if (folder / _MANIFEST).is_file():
                return folder
            try:
                manifest = TrunkManifest.from_bytes(trunk.manifest)
            except ManifestError as error:
                raise JobFailedError(
                    FailureReason.TRUNK_UNAVAILABLE,
                    f"The trunk {trunk.digest} of the registry cannot be used: {error}",
                ) from error
            part = self._folder / f".{folder.name}.{uuid.uuid4().hex}"
            part.mkdir(parents=True)
            try:
                for name, file in manifest.files.items():
                    await peer(
                        f"Downloading the trunk's {name}",
                        partial(self._registry.download, file.digest, part / name),
                    )
                write_whole(part / _MANIFEST, trunk.manifest)
                if folder.exists():
                    # Without a manifest: damaged, and given up by a child.
                    await asyncio.to_thread(shutil.rmtree, folder)
                part.rename(folder)
            finally:
                if part.exists():
                    await asyncio.to_thread(shutil.rmtree, part)
            return folder

    def _home(self, digest: str) -> Path:
        return self._folder / digest.removeprefix("sha256:")


def _names_a_fixed_trunk(source: str) -> bool:
    plain, _ = split_precision(source)
    if plain == "local" or plain.startswith((".", "~", "/")):
        return False
    return not Path(plain).is_dir()
