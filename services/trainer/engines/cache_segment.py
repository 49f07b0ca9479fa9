"""One segment of the activation cache: the states of many pieces of text, and where each lies.

``<name>.rows`` holds float16 rows, one per word, and nothing else, so that it is memory-mapped as
an array. It has its full length from the start, and is filled front to back: a sparse file.
``<name>.index`` has a record of fixed size for each piece, written after the piece's rows. Neither
file is ever shortened or rewritten, so a mapping stays valid whatever other processes do, also
when the segment is evicted: its data lives as long as somebody maps it.

Two advisory locks, which the system drops with the process that holds them: whoever maps the rows
shares a lock on them, so that they are not evicted meanwhile; the one that appends locks the index.
"""

from __future__ import annotations

import fcntl
import hashlib
import math
import mmap
import os
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

ROWS, INDEX = ".rows", ".index"

# Key, first row, number of rows, checksum of the states, checksum of the record.
_RECORD = struct.Struct("<32sQI16sI")
RECORD_BYTES = _RECORD.size
# A record that says so is of a piece that was damaged: its rows are neither read nor used again.
_DEAD = bytes(16)


def states_digest(states: NDArray[np.float16]) -> bytes:
    """Return the checksum of a piece's states."""
    return hashlib.sha256(np.ascontiguousarray(states).data).digest()[:16]


@dataclass(frozen=True, kw_only=True)
class Record:
    """Where a piece lies in its segment.

    Attributes:
        number: Place of the record in the index.
        key: What the piece is.
        start: Its first row.
        rows: Number of its rows.
        digest: Checksum of its states; None: the piece was found damaged.
    """

    number: int
    key: bytes
    start: int
    rows: int
    digest: bytes | None


def read_index(path: Path) -> Iterator[Record]:
    """Yield the whole records of an index; torn or damaged ones are passed over.

    Raises:
        OSError: It cannot be read.
    """
    data = path.read_bytes()
    whole = data[: len(data) // RECORD_BYTES * RECORD_BYTES]
    for number, (key, start, rows, digest, _) in enumerate(_RECORD.iter_unpack(whole)):
        if (
            _record(key, start, rows, digest)
            == whole[number * RECORD_BYTES : (number + 1) * RECORD_BYTES]
        ):
            kept = None if digest == _DEAD else digest
            yield Record(number=number, key=key, start=start, rows=rows, digest=kept)


class MappedSegment:
    """A segment's rows, mapped for reading; while this lives the segment is not evicted."""

    def __init__(self, path: Path, row_shape: tuple[int, int]) -> None:
        """Map ``<path>.rows``.

        Raises:
            OSError: It is gone, going, or cannot be read.
        """
        self._path = path.with_suffix(ROWS)
        self._row_shape = row_shape
        descriptor = os.open(self._path, os.O_RDONLY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
            # The mapping keeps the open file, and so the lock.
            self._states = map_rows(descriptor, row_shape)
        finally:
            os.close(descriptor)

    def rows(self) -> NDArray[np.float16]:
        """Return all rows, also those that nobody has filled, [rows, taps, hidden_size]."""
        return self._states

    def is_whole(self, record: Record) -> bool:
        """Whether a piece's states are what was stored."""
        part = self._states[record.start : record.start + record.rows]
        return len(part) == record.rows and states_digest(part) == record.digest

    def touch(self) -> None:
        """Remember that the segment is used now.

        Raises:
            OSError: That cannot be written.
        """
        os.utime(self._path)

    def forget(self, record: Record) -> None:
        """Mark a piece as damaged, so that nobody looks at it again.

        Raises:
            OSError: That cannot be written.
        """
        descriptor = os.open(self._path.with_suffix(INDEX), os.O_WRONLY)
        try:
            data = _record(record.key, record.start, record.rows, _DEAD)
            os.pwrite(descriptor, data, record.number * RECORD_BYTES)
        finally:
            os.close(descriptor)


class SegmentWriter:
    """Appends to a segment, as the only one that does."""

    def __init__(self, path: Path, row_shape: tuple[int, int], new_bytes: int = 0) -> None:
        """Open a segment, or make one of `new_bytes`.

        Raises:
            OSError: It is gone, another process appends to it, or it cannot be written.
        """
        self.path = path
        self._row_bytes = 2 * math.prod(row_shape)
        flags = os.O_RDWR | (os.O_CREAT | os.O_EXCL if new_bytes else 0)
        self._data = os.open(path.with_suffix(ROWS), flags, 0o600)
        self._index = -1
        try:
            fcntl.flock(self._data, fcntl.LOCK_SH | fcntl.LOCK_NB)
            if new_bytes:
                os.ftruncate(self._data, new_bytes)
            self._index = os.open(path.with_suffix(INDEX), os.O_RDWR | os.O_CREAT, 0o600)
            fcntl.flock(self._index, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._capacity = os.fstat(self._data).st_size
            # A record that was torn when its writer died is overwritten, and so are its rows.
            self._records = os.fstat(self._index).st_size // RECORD_BYTES
            records = read_index(path.with_suffix(INDEX))
            self._end = max((record.start + record.rows for record in records), default=0)
        except BaseException:
            self.close()
            raise

    def has_room(self, rows: int) -> bool:
        """Whether a piece of so many rows fits."""
        used = (self._end + rows) * self._row_bytes + (self._records + 1) * RECORD_BYTES
        return used <= self._capacity

    def append(self, key: bytes, states: NDArray[np.float16]) -> Record:
        """Store a piece; its record is written last.

        Raises:
            OSError: It cannot be written; nothing that counts was.
        """
        record = Record(
            number=self._records,
            key=key,
            start=self._end,
            rows=len(states),
            digest=states_digest(states),
        )
        write_at(
            self._data, np.ascontiguousarray(states).data.cast("B"), self._end * self._row_bytes
        )
        data = _record(key, record.start, record.rows, record.digest or _DEAD)
        write_at(self._index, memoryview(data), self._records * RECORD_BYTES)
        self._records += 1
        self._end += len(states)
        return record

    def close(self) -> None:
        """Let others append."""
        for descriptor in (self._data, self._index):
            if descriptor >= 0:
                os.close(descriptor)
        self._data = self._index = -1


def map_rows(descriptor: int, row_shape: tuple[int, int]) -> NDArray[np.float16]:
    """Map an open file as rows; what is left of half a row at its end is not seen."""
    count = os.fstat(descriptor).st_size // (2 * math.prod(row_shape))
    if not count:
        return np.empty((0, *row_shape), dtype=np.float16)
    mapped = mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ)
    values = np.frombuffer(mapped, dtype=np.float16, count=count * math.prod(row_shape))
    return values.reshape(count, *row_shape)


def write_at(descriptor: int, data: memoryview, offset: int) -> None:
    """Write everything: a write to a disk that is nearly full may end early."""
    while len(data):
        written = os.pwrite(descriptor, data, offset)
        data, offset = data[written:], offset + written


def _record(key: bytes, start: int, rows: int, digest: bytes) -> bytes:
    unchecked = _RECORD.pack(key, start, rows, digest, 0)
    return _RECORD.pack(key, start, rows, digest, zlib.crc32(unchecked))
