"""Files as a tar archive in pieces; equal files give equal bytes."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator, Mapping

CHUNK_BYTES = 1024 * 1024


def tar_chunks(files: Mapping[str, bytes]) -> Iterator[bytes]:
    """Yield the archive of these files, by name, without joining them in memory."""
    for name, data in sorted(files.items()):
        entry = tarfile.TarInfo(name)
        entry.size = len(data)
        yield entry.tobuf(tarfile.PAX_FORMAT)
        for start in range(0, len(data), CHUNK_BYTES):
            yield data[start : start + CHUNK_BYTES]
        yield b"\0" * (-len(data) % tarfile.BLOCKSIZE)
    yield b"\0" * (2 * tarfile.BLOCKSIZE)
