"""Files on their way to and from a service."""

from __future__ import annotations

import errno
import io
import os
import tarfile
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

CHUNK_BYTES = 256 * 1024
"""Bytes per message; the service takes at most 1 MiB."""

Source = Path | str | bytes | Iterable[bytes]
"""What can be imported: the path of a file, its content, or its content in pieces."""

Progress = Callable[[int, int | None], None]
"""Called with the bytes moved so far and the size in bytes (None when it is not known)."""


class Upload:
    """The content of one file in pieces of at most CHUNK_BYTES, with progress.

    gRPC swallows what a request iterator raises; `error` keeps it for the caller.
    """

    def __init__(self, source: Source, progress: Progress | None) -> None:
        self.error: Exception | None = None
        self._source = source
        self._progress = progress
        self.size: int | None = None
        if isinstance(source, Path | str):
            self.size = Path(source).stat().st_size
        elif isinstance(source, bytes):
            self.size = len(source)

    def chunks(self) -> Iterator[bytes]:
        """Yield the pieces."""
        sent = 0
        try:
            for piece in self._pieces():
                for start in range(0, len(piece), CHUNK_BYTES):
                    chunk = piece[start : start + CHUNK_BYTES]
                    yield chunk
                    sent += len(chunk)
                    if self._progress is not None:
                        self._progress(sent, self.size)
        except Exception as error:
            self.error = error
            raise

    def _pieces(self) -> Iterable[bytes]:
        if isinstance(self._source, Path | str):
            with Path(self._source).open("rb") as file:
                while piece := file.read(CHUNK_BYTES):
                    yield piece
        elif isinstance(self._source, bytes):
            yield self._source
        else:
            yield from self._source


def named(source: Source, file_name: str) -> tuple[Source, str]:
    """Return what is to be sent and the name of its file; a folder becomes a brat archive."""
    if not isinstance(source, Path | str):
        return source, file_name
    path = Path(source)
    if path.is_dir():
        return brat_archive(path), file_name or f"{path.name}.tar"
    return source, file_name or path.name


def brat_archive(folder: Path) -> bytes:
    """Return the texts and annotations of a folder as one tar file, names relative to it.

    Raises:
        OSError: When a file cannot be read.
    """
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and path.suffix in {".txt", ".ann", ".conf"}:
                archive.add(path, arcname=path.relative_to(folder).as_posix(), recursive=False)
    return target.getvalue()


@contextmanager
def opened(target: Path | str | BinaryIO) -> Iterator[BinaryIO]:
    """Open what a download is written to; a file appears under its name only when complete."""
    if not isinstance(target, Path | str):
        yield target
        return
    path = Path(target)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with part.open("wb") as file:
            yield file
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def unpacked(folder: Path | str) -> Iterator[BinaryIO]:
    """Open what a tar archive is written to; its files appear in `folder` only when complete.

    Raises:
        FileExistsError: There is something at `folder` already.
    """
    target = Path(folder)
    if target.exists():
        raise FileExistsError(errno.EEXIST, "there is something already", str(target))
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{target.name}.", dir=target.parent) as beside:
        archive = Path(beside) / "archive.tar"
        with archive.open("wb") as file:
            yield file
        with tarfile.open(archive) as packed:
            packed.extractall(Path(beside) / "folder", filter="data")
        (Path(beside) / "folder").rename(target)


def file_names(folder: Path | str) -> list[str]:
    """Return the names of what is in a folder, in order."""
    return sorted(path.name for path in Path(folder).iterdir())
