"""Verified copies of artifacts beside a worker."""

from __future__ import annotations

import asyncio
import contextlib
import re
import threading
import time
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path

from services.common._blob_files import corrupt, digest_of, digest_of_key, key_of, publish
from services.common.errors import Reason, UnavailableError
from services.common.logs import get_logger

# What is being written has a longer name; what is older than this many seconds, a process that died
# left behind.
_STAGED = re.compile(r"[0-9a-f]{62}\.[0-9a-f]{32}")
_ABANDONED_AFTER = 3600.0

_log = get_logger(__name__)


class Hold:
    """Artifacts that a cache must not remove; made by ``LocalCache.hold``."""

    def __init__(self, held: _Held) -> None:
        """Hold nothing yet."""
        self._held = held
        self._digests: set[str] = set()
        self._released = False

    def add(self, digest: str) -> None:
        """Hold one more."""
        if digest not in self._digests:
            self._digests.add(digest)
            self._held.add(digest)

    def release(self) -> None:
        """Let go of all; safe to repeat, and from any thread."""
        if not self._released:
            self._released = True
            self._held.remove(self._digests)


class LocalCache:
    """Verified copies of artifacts in a directory; safe to share between processes.

    Each read is verified, so a file that is torn or flipped is fetched again, never handed out.
    With a limit, what was used longest ago is removed to make room for what comes; what this
    process holds stays, even beyond the limit.
    """

    def __init__(self, directory: Path, *, limit_bytes: int | None = None) -> None:
        """Use `directory`, which is created at the first write.

        Args:
            directory: Where the files are.
            limit_bytes: Bytes that the files may take; None: any.
        """
        self._directory = directory
        self._limit = limit_bytes
        self._held = _Held()
        self._fetching: dict[str, asyncio.Lock] = {}

    def hold(self) -> Hold:
        """Return what keeps artifacts from being removed until it is released."""
        return Hold(self._held)

    async def get_or_fetch(
        self, digest: str, fetch: Callable[[], Awaitable[bytes]], hold: Hold | None = None
    ) -> bytes:
        """Return an artifact's verified bytes, from the directory or else from `fetch`.

        Concurrent calls for one digest fetch once. A directory that cannot be written costs a
        fetch each time, not the answer.

        Args:
            digest: Names the artifact.
            fetch: Brings it when it is not here.
            hold: Keeps it here from now on.

        Raises:
            DataLossError: What `fetch` returned is not the artifact (ARTIFACT_CORRUPT).
        """
        path = self._path(digest)
        if hold is not None:
            # Before it is read: what is held from here on is there, or is about to be fetched.
            hold.add(digest)
        lock = self._fetching.setdefault(digest, asyncio.Lock())
        try:
            async with lock:
                data = await asyncio.to_thread(_read_verified, path, digest)
                if data is None:
                    data = await fetch()
                    await asyncio.to_thread(_keep, path, digest, data)
                    if self._limit is not None:
                        await asyncio.to_thread(self._make_room, self._limit, digest)
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

    def _make_room(self, limit: int, newest: str) -> None:
        """Remove what was used longest ago until the rest is within the limit."""
        files = sorted(_files(self._directory))
        left = sum(size for _, size, _, _ in files)
        for used, size, path, digest in files:
            if not digest:
                if used < time.time() - _ABANDONED_AFTER:
                    path.unlink(missing_ok=True)
                    left -= size
            elif left > limit and digest != newest and self._held.unless(digest, path.unlink):
                left -= size
        if left > limit:
            _log.warning("artifact_cache_over_limit", bytes=left, limit=limit)


class _Held:
    """Counts who holds which artifact; used from the threads that load and that collect."""

    def __init__(self) -> None:
        # Taken again by the thread that has it when that collects what held something.
        self._lock = threading.RLock()
        self._counts: Counter[str] = Counter()

    def add(self, digest: str) -> None:
        with self._lock:
            self._counts[digest] += 1

    def remove(self, digests: set[str]) -> None:
        with self._lock:
            self._counts.subtract(digests)
            for digest in digests:
                if self._counts[digest] <= 0:
                    del self._counts[digest]

    def unless(self, digest: str, remove: Callable[[], None]) -> bool:
        """Remove an artifact that nobody holds; return whether it is gone."""
        with self._lock:
            if digest in self._counts:
                return False
            try:
                remove()
            except FileNotFoundError:
                return True
            except OSError:
                return False
            return True


def _files(directory: Path) -> list[tuple[float, int, Path, str]]:
    """Return time of last use, size, path and digest of each file of ours; no digest: it is staged.

    Other files are none of our business, whatever directory was named.
    """
    found = []
    for path in directory.glob("sha256/*/*"):
        digest = digest_of_key(path.relative_to(directory).as_posix())
        if digest is None and _STAGED.fullmatch(path.name) is None:
            continue
        with contextlib.suppress(OSError):  # removed meanwhile, by another process
            status = path.stat()
            found.append((status.st_mtime, status.st_size, path, digest or ""))
    return found


def _read_verified(path: Path, digest: str) -> bytes | None:
    try:
        data = path.read_bytes()
    except OSError:
        return None
    if digest_of(data) != digest:
        return None
    with contextlib.suppress(OSError):  # a directory that cannot be written is used all the same
        path.touch()  # its time says when it was used last
    return data


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
