"""Artifacts by content: bytes named by their SHA-256, verified whenever they are read.

`BlobStore` keeps them in a local directory or an object store (through obstore); `LocalCache` keeps
verified copies beside a worker. A digest is written ``sha256:<64 hex digits>``; the object key is
``sha256/<first 2 digits>/<other 62>``.
"""

from __future__ import annotations

import asyncio
import hashlib
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

import obstore
from obstore.exceptions import BaseError
from obstore.store import LocalStore, ObjectStore, from_url

from services.common._blob_cache import Hold, LocalCache
from services.common._blob_files import corrupt, digest_of, digest_of_key, key_of, publish
from services.common.errors import (
    DataLossError,
    InvalidArgumentError,
    Reason,
    UnavailableError,
    not_found,
)

__all__ = ["CHUNK_SIZE", "BlobStore", "Hold", "LocalCache", "StoredObject", "digest_of", "key_of"]

CHUNK_SIZE = 1024 * 1024
_SCHEMES = ("file", "memory", "s3", "gs", "az")
_RETRY_AFTER_S = 2.0


@dataclass(frozen=True, kw_only=True)
class StoredObject:
    """Something in an artifact store.

    Attributes:
        key: Its object key.
        digest: Digest of the artifact; empty for what a broken upload left behind.
        size: Bytes.
        modified: When it was written, microseconds UTC on the store's clock.
    """

    key: str
    digest: str
    size: int
    modified: int


class BlobStore:
    """Content-addressed artifacts.

    Writes are idempotent and atomic: an object is complete when it shows under its digest, and in
    a local directory it was flushed to disk before. Writing again repairs a damaged object.
    Every method may raise UnavailableError (STORE_UNAVAILABLE).
    """

    def __init__(self, store: ObjectStore, *, root: Path | None = None) -> None:
        """Wrap an obstore store.

        Args:
            store: Where the objects live.
            root: The directory behind `store` when it is local, to flush files to disk there.
        """
        self._store = store
        self._root = root

    @classmethod
    def from_url(cls, url: str) -> BlobStore:
        """Return the store that a URL names.

        Args:
            url: ``file:///directory`` (created when missing), ``memory:///``, ``s3://bucket/prefix``,
                ``gs://…`` or ``az://…`` (credentials from the environment, as obstore reads them).

        Raises:
            ValueError: The URL has another form, or the store cannot be set up.
        """
        parts = urlsplit(url)
        if parts.scheme not in _SCHEMES:
            raise ValueError(f"unknown kind of artifact store {parts.scheme!r}; use {_SCHEMES}")
        if parts.scheme != "file":
            try:
                return cls(from_url(url))
            except (BaseError, ValueError) as error:
                raise ValueError(f"the {parts.scheme} artifact store cannot be set up") from error
        root = Path(unquote(parts.path))
        if parts.netloc or len(root.parts) < 2:
            raise ValueError("a file URL names an absolute directory: file:///path/to/artifacts")
        try:
            return cls(LocalStore(root, mkdir=True), root=root)
        except (BaseError, OSError) as error:
            raise ValueError(f"the directory {root} cannot be used for artifacts") from error

    async def put(self, data: bytes) -> str:
        """Store `data` and return its digest."""
        digest = await asyncio.to_thread(digest_of, data)
        if not await self._is_intact(digest, len(data)):
            with _translated(digest):
                await self._write(digest, data)
        return digest

    async def put_stream(
        self, chunks: AsyncIterator[bytes], expected_digest: str
    ) -> tuple[str, int]:
        """Store a stream whose digest the sender announced.

        Args:
            chunks: The bytes, in pieces of any size; held in memory a few megabytes at a time.
            expected_digest: What they must hash to.

        Returns:
            The digest and the number of bytes.

        Raises:
            InvalidArgumentError: The bytes hash to something else (reason ARTIFACT_CORRUPT: the
                sender's announcement or the transfer is at fault, nothing stored is); nothing is
                kept. What `chunks` raises passes through, likewise with nothing kept.
        """
        key_of(expected_digest)
        checking = _Checking(chunks, expected_digest)
        with _translated(expected_digest):
            try:
                await self._write(expected_digest, checking.pieces())
            except BaseException:
                # obstore may wrap what the iterator raised
                if checking.error is not None:
                    raise checking.error from None
                raise
        return expected_digest, checking.size

    async def get(self, digest: str) -> bytes:
        """Return an artifact's bytes, verified.

        Raises:
            NotFoundError: There is none.
            DataLossError: The stored bytes are not those of the digest (ARTIFACT_CORRUPT).
        """
        key = key_of(digest)
        with _translated(digest):
            found = await obstore.get_async(self._store, key)
            data = bytes(await found.bytes_async())
        if await asyncio.to_thread(digest_of, data) != digest:
            raise corrupt(digest)
        return data

    async def get_stream(self, digest: str, chunk_size: int = CHUNK_SIZE) -> AsyncIterator[bytes]:
        """Yield an artifact's bytes in pieces of `chunk_size` (the last one shorter).

        The last piece is held back until everything is verified, so a reader that was given all
        pieces has the right bytes; one that sees the error must drop what it got.

        Raises:
            NotFoundError: There is none.
            DataLossError: The stored bytes are not those of the digest (ARTIFACT_CORRUPT).
        """
        key = key_of(digest)
        if chunk_size < 1:
            raise ValueError("chunk_size is at least 1")
        hasher = hashlib.sha256()
        pending = bytearray()
        with _translated(digest):
            found = await obstore.get_async(self._store, key)
            pieces = found.stream(min_chunk_size=chunk_size)
        iterator = aiter(pieces)
        while True:
            with _translated(digest):
                piece = await anext(iterator, None)
            if piece is None:
                break
            hasher.update(piece)
            pending += piece
            while len(pending) > chunk_size:
                yield bytes(pending[:chunk_size])
                del pending[:chunk_size]
        if f"sha256:{hasher.hexdigest()}" != digest:
            raise corrupt(digest)
        if pending:
            yield bytes(pending)

    async def exists(self, digest: str) -> bool:
        """Return whether an object stands under the digest; its bytes are not looked at."""
        return await self._size(digest) is not None

    async def head(self, digest: str) -> int:
        """Return an artifact's size in bytes; its bytes are not looked at.

        Raises:
            NotFoundError: There is none.
        """
        size = await self._size(digest)
        if size is None:
            raise not_found(f"artifact {digest}")
        return size

    async def list(self) -> list[StoredObject]:
        """Return all that is stored, what broken uploads left behind included."""
        # In a thread: obstore's asynchronous iterator ends the process when it is exhausted.
        with _translated("list"):
            return await asyncio.to_thread(
                lambda: [
                    StoredObject(
                        key=entry["path"],
                        digest=digest_of_key(entry["path"]) or "",
                        size=entry["size"],
                        modified=round(entry["last_modified"].timestamp() * 1e6),
                    )
                    for batch in obstore.list(self._store)
                    for entry in batch
                ]
            )

    async def delete(self, key: str) -> bool:
        """Remove an object of `list`; False when it is gone already."""
        with _translated(key):
            try:
                await obstore.delete_async(self._store, key)
            except FileNotFoundError:
                return False
        return True

    async def _size(self, digest: str) -> int | None:
        key = key_of(digest)
        with _translated(digest):
            try:
                return (await obstore.head_async(self._store, key))["size"]
            except FileNotFoundError:
                return None

    async def _is_intact(self, digest: str, size: int) -> bool:
        """Return whether the object is there and need not be written again."""
        if await self._size(digest) != size:
            return False
        if self._root is None:
            return True  # an object store answers for the bytes it acknowledged
        try:
            await self.get(digest)
        except DataLossError:
            return False
        return True

    async def _write(self, digest: str, data: bytes | AsyncIterator[bytes]) -> None:
        key = key_of(digest)
        if self._root is None:
            await obstore.put_async(self._store, key, data)
            return
        # obstore renames a finished file into place but does not flush it: after a power cut the
        # name could stand over missing bytes. So: other name, flush, rename, flush the directory.
        staged = f"staged/{uuid.uuid4().hex}"
        try:
            await obstore.put_async(self._store, staged, data)
            await asyncio.to_thread(publish, self._root / staged, self._root / key, self._root)
        except BaseException:
            await asyncio.to_thread((self._root / staged).unlink, missing_ok=True)
            raise


class _Checking:
    """Hands a stream on and refuses its end when the digest differs."""

    def __init__(self, chunks: AsyncIterator[bytes], expected: str) -> None:
        self._chunks = chunks
        self._expected = expected
        self.size = 0
        self.error: Exception | None = None

    async def pieces(self) -> AsyncIterator[bytes]:
        hasher = hashlib.sha256()
        try:
            async for chunk in self._chunks:
                hasher.update(chunk)
                self.size += len(chunk)
                if chunk:
                    yield chunk
            actual = f"sha256:{hasher.hexdigest()}"
            if actual != self._expected:
                raise _mismatch(self._expected, actual)  # noqa: TRY301 - noted below as the rest
        except Exception as error:
            self.error = error
            raise


@contextmanager
def _translated(digest: str) -> Iterator[None]:
    """Let no error of obstore or the file system out; it stays in the exception's cause."""
    try:
        yield
    except FileNotFoundError as error:
        raise not_found(f"artifact {digest}") from error
    except (BaseError, OSError) as error:
        raise UnavailableError(
            Reason.STORE_UNAVAILABLE,
            "The artifact store cannot be used just now.",
            retry_after=_RETRY_AFTER_S,
        ) from error


def _mismatch(expected: str, actual: str) -> InvalidArgumentError:
    return InvalidArgumentError(
        Reason.ARTIFACT_CORRUPT,
        f"The bytes received have the digest {actual}, announced was {expected}: send them again.",
        metadata={"expected": expected, "actual": actual},
    )
