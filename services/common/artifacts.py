"""Sending and fetching the registry's artifacts, with every byte checked against its digest."""

from __future__ import annotations

import asyncio
import hashlib
import os
import secrets
from collections.abc import AsyncIterable, AsyncIterator, Callable
from pathlib import Path
from typing import BinaryIO

from services.common.errors import DataLossError, Reason, UnavailableError
from spanloop.registry.v1 import registry_service_pb2 as pb

CHUNK_BYTES = 1024 * 1024


def digest_of(data: bytes) -> str:
    """Return ``sha256:`` and the hash of the bytes."""
    return "sha256:" + hashlib.sha256(data).hexdigest()


async def upload(
    stub_method: Callable[[AsyncIterator[pb.UploadArtifactRequest]], object],
    digest: str,
    data: bytes | Path,
) -> int:
    """Send bytes, or the content of a file, to be stored under `digest`. Safe to repeat.

    Args:
        stub_method: ``RegistryServiceStub(channel).UploadArtifact``.
        digest: What the bytes hash to.
        data: The bytes, or a file, which must not change meanwhile.

    Returns:
        Number of bytes.

    Raises:
        grpc.aio.AioRpcError: The registry refused; DATA_LOSS when the bytes have another digest.
        OSError: The file cannot be read.
    """
    call = stub_method(_upload_messages(digest, data))
    response = await call  # type: ignore[misc]  # a stream-unary call; grpc's types do not say so
    return int(response.size_bytes)


async def download(
    stub_method: Callable[[pb.DownloadArtifactRequest], AsyncIterable[pb.DownloadArtifactResponse]],
    digest: str,
    *,
    silence_seconds: float | None = None,
) -> bytes:
    """Return the bytes stored under `digest`.

    Args:
        stub_method: ``RegistryServiceStub(channel).DownloadArtifact``.
        digest: What they must hash to.
        silence_seconds: How long nothing may come; None: for ever. However long it takes in all, a
            download that goes on is not ended.

    Raises:
        grpc.aio.AioRpcError: The registry refused.
        DataLossError: Other bytes arrived.
        UnavailableError: Nothing came for too long (PEER_UNAVAILABLE).
    """
    received = bytearray()
    stream = aiter(stub_method(pb.DownloadArtifactRequest(digest=digest)))
    try:
        while True:
            async with asyncio.timeout(silence_seconds):
                message = await anext(stream, None)
            if message is None:
                break
            received += message.chunk
    except TimeoutError as error:
        raise UnavailableError(
            Reason.PEER_UNAVAILABLE,
            f"Nothing came from the registry for {silence_seconds:g} s.",
            metadata={"peer": "registry"},
            retry_after=1.0,
        ) from error
    data = bytes(received)
    # A trunk has tens of megabytes: hashing it would hold up every other call.
    found = await asyncio.to_thread(digest_of, data)
    if found != digest:
        raise _corrupt(digest)
    return data


async def download_to(
    stub_method: Callable[[pb.DownloadArtifactRequest], AsyncIterable[pb.DownloadArtifactResponse]],
    digest: str,
    path: Path,
) -> None:
    """Store the bytes of `digest` as the file `path`, which appears whole and checked or not.

    Raises:
        grpc.aio.AioRpcError: The registry refused.
        DataLossError: Other bytes arrived.
        OSError: The file cannot be written.
    """
    await asyncio.to_thread(path.parent.mkdir, parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    hasher = hashlib.sha256()
    try:
        with draft.open("xb") as file:
            async for message in stub_method(pb.DownloadArtifactRequest(digest=digest)):
                await asyncio.to_thread(_append, file, hasher.update, message.chunk)
            await asyncio.to_thread(_flush, file)
        if "sha256:" + hasher.hexdigest() != digest:
            raise _corrupt(digest)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


async def _upload_messages(
    digest: str, data: bytes | Path
) -> AsyncIterator[pb.UploadArtifactRequest]:
    yield pb.UploadArtifactRequest(digest=digest)
    if isinstance(data, bytes):
        for start in range(0, len(data), CHUNK_BYTES):
            yield pb.UploadArtifactRequest(chunk=data[start : start + CHUNK_BYTES])
        return
    file = await asyncio.to_thread(data.open, "rb")
    with file:
        while chunk := await asyncio.to_thread(file.read, CHUNK_BYTES):
            yield pb.UploadArtifactRequest(chunk=chunk)


def _append(file: BinaryIO, update: Callable[[bytes], None], chunk: bytes) -> None:
    file.write(chunk)
    update(chunk)


def _flush(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())


def _corrupt(digest: str) -> DataLossError:
    return DataLossError(
        Reason.ARTIFACT_CORRUPT,
        "The bytes of an artifact do not match its digest.",
        metadata={"digest": digest},
    )
