"""Upload and download of the bytes behind manifests."""

from __future__ import annotations

from collections.abc import AsyncIterator

from services.common.blobs import CHUNK_SIZE, BlobStore, key_of
from services.common.errors import (
    DataLossError,
    InvalidArgumentError,
    Reason,
    ResourceExhaustedError,
)
from services.registry.file_uses import SWEEP_SECONDS, FileUses, being_deleted
from services.registry.grace import Grace


class Artifacts:
    """Bytes under their digest, checked on the way in and on the way out."""

    def __init__(self, blobs: BlobStore, uses: FileUses, grace: Grace, *, max_bytes: int) -> None:
        """Keep files of at most `max_bytes` in `blobs`."""
        self._blobs = blobs
        self._uses = uses
        self._grace = grace
        self._max_bytes = max_bytes

    async def upload(self, digest: str, chunks: AsyncIterator[bytes]) -> int:
        """Store a stream under its digest and return its size in bytes.

        Raises:
            DataLossError: The bytes are not those of the digest; nothing is kept.
            ResourceExhaustedError: They are more than may be stored (REQUEST_TOO_LARGE).
            UnavailableError: An unused copy is being deleted; soon it is gone.
        """
        await self._use(digest)
        try:
            _, size = await self._blobs.put_stream(self._bounded(chunks), digest)
        except InvalidArgumentError as error:
            if error.reason is not Reason.ARTIFACT_CORRUPT:
                raise
            raise DataLossError(error.reason, error.message, metadata=error.metadata) from None
        return size

    def download(self, digest: str) -> AsyncIterator[bytes]:
        """Yield the bytes of an artifact.

        Raises:
            NotFoundError: There is none.
            DataLossError: The stored bytes are not those of the digest; raised before the last
                piece is yielded.
        """
        return self._blobs.get_stream(digest, CHUNK_SIZE)

    async def _use(self, digest: str) -> None:
        """Keep the file from being swept from now on; finishes what a dead sweep left behind."""
        while mark := await self._uses.use(digest, self._grace.now(), self._grace.fresh()):
            if mark.time + SWEEP_SECONDS * 1e6 > self._grace.now():
                raise being_deleted(digest)
            await self._blobs.delete(key_of(digest))
            await self._uses.forget(mark)

    async def _bounded(self, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        size = 0
        async for chunk in chunks:
            size += len(chunk)
            if size > self._max_bytes:
                raise ResourceExhaustedError(
                    Reason.REQUEST_TOO_LARGE,
                    f"An artifact has at most {self._max_bytes} bytes.",
                    metadata={"max_bytes": str(self._max_bytes)},
                )
            yield chunk
