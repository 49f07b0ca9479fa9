"""Verified copies of artifacts beside a worker."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from pathlib import Path

from services.common._blob_files import corrupt, digest_of, key_of, publish
from services.common.errors import Reason, UnavailableError


class LocalCache:
    """Verified copies of artifacts in a directory; safe to share between processes.

    Each read is verified, so a file that is torn or flipped is fetched again, never handed out.
    """

    def __init__(self, directory: Path) -> None:
        """Use `directory`, which is created at the first write."""
        self._directory = directory
        self._fetching: dict[str, asyncio.Lock] = {}

    async def get_or_fetch(self, digest: str, fetch: Callable[[], Awaitable[bytes]]) -> bytes:
        """Return an artifact's verified bytes, from the directory or else from `fetch`.

        Concurrent calls for one digest fetch once. A directory that cannot be written costs a
        fetch each time, not the answer.

        Raises:
            DataLossError: What `fetch` returned is not the artifact (ARTIFACT_CORRUPT).
        """
        path = self._path(digest)
        lock = self._fetching.setdefault(digest, asyncio.Lock())
        try:
            async with lock:
                data = await asyncio.to_thread(_read_verified, path, digest)
                if data is None:
                    data = await fetch()
                    await asyncio.to_thread(_keep, path, digest, data)
                return data
        finally:
            if not lock.locked():
                self._fetching.pop(digest, None)

    async def path_of(self, digest: str, fetch: Callable[[], Awaitable[bytes]]) -> Path:
        """Return the path of a file that was verified just now, for readers that map files.

        Raises:
            DataLossError: What `fetch` returned is not the artifact (ARTIFACT_CORRUPT).
            UnavailableError: The directory cannot be written.
        """
        await self.get_or_fetch(digest, fetch)
        path = self._path(digest)
        if not await asyncio.to_thread(path.is_file):
            raise UnavailableError(
                Reason.STORE_UNAVAILABLE, "The artifact cache's directory cannot be written."
            )
        return path

    def _path(self, digest: str) -> Path:
        return self._directory / key_of(digest)


def _read_verified(path: Path, digest: str) -> bytes | None:
    try:
        data = path.read_bytes()
    except OSError:
        return None
    return data if digest_of(data) == digest else None


def _keep(path: Path, digest: str, data: bytes) -> None:
    if digest_of(data) != digest:
        raise corrupt(digest)
    staged = path.with_name(f"{path.name}.{uuid.uuid4().hex}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        staged.write_bytes(data)
        publish(staged, path, path.parent.parent.parent)
    except OSError:
        # a cache that cannot keep a file still has the answer
        if staged.exists():
            staged.unlink()
