"""The activation cache on disk: the trunk's states of pieces of text, shared by all jobs.

``<cache>/<space>/`` holds the segments of one trunk, runtime and way of reading texts; what is in
them is described in ``cache_segment``. Every process appends to a segment of its own, and
finds what the others appended by looking at the indexes again. No state is used before its
checksum was compared, so nothing depends on in what order anything reached the disk, nor on how a
process ended. The folder may be deleted at any time.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from services.trainer.engines.cache_room import locked, make_room
from services.trainer.engines.cache_segment import (
    INDEX,
    RECORD_BYTES,
    ROWS,
    MappedSegment,
    Record,
    SegmentWriter,
    read_index,
)
from services.trainer.engines.state_rows import Stretch

# A share of the bound: eviction is by whole segments, and a job maps no more files than this.
_SEGMENTS = 64


@dataclass(frozen=True, kw_only=True)
class _Entry:
    segment: Path
    record: Record


class ActivationCache:
    """One space of the cache, as one process sees it.

    Trouble with the disk never fails a call: reading finds less, writing keeps nothing.

    Attributes:
        damaged: Pieces whose checksum was wrong; they count as not there.
        full: Whether a piece was not kept since everything else in the cache is in use.
        trouble: Why nothing can be kept any more; empty while all is well.
    """

    def __init__(
        self, folder: Path, space: str, row_shape: tuple[int, int], *, max_bytes: int
    ) -> None:
        """Open a space; makes room at once if the bound was lowered.

        Args:
            folder: The cache of all spaces.
            space: Names everything but the text that states depend on.
            row_shape: Taps and hidden size.
            max_bytes: The bound of all spaces together.
        """
        self._folder = folder
        self._home = folder / space
        self._row_shape = row_shape
        self._max_bytes = max_bytes
        self._entries: dict[bytes, _Entry] = {}
        self._seen: dict[Path, tuple[int, int]] = {}
        self._mapped: dict[Path, MappedSegment | None] = {}
        self._writer: SegmentWriter | None = None
        self.damaged = 0
        self.full = False
        self.trouble = ""
        try:
            with locked(folder):
                make_room(folder, max_bytes)
        except OSError as error:
            self._give_up(error)

    def refresh(self) -> None:
        """Look for pieces that other processes stored."""
        for path in sorted(self._home.glob(f"*{ROWS}")):
            index = path.with_suffix(INDEX)
            try:
                status = index.stat()
                version = (status.st_size, status.st_mtime_ns)
                if self._seen.get(index) != version:
                    self._learn(path.with_suffix(""), read_index(index))
                    self._seen[index] = version
            except OSError:
                continue  # evicted just now

    def in_order(self, keys: Iterable[bytes]) -> list[bytes]:
        """Return those of the keys that seem to be there, in the order of the disk."""
        found = [key for key in keys if key in self._entries]
        entries = self._entries
        return sorted(found, key=lambda key: (entries[key].segment, entries[key].record.start))

    def get(self, key: bytes) -> Stretch | None:
        """Return a piece's states if they are there and whole."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        segment, record = self._map(entry.segment), entry.record
        if segment is not None and segment.is_whole(record):
            return Stretch(source=segment, start=record.start, count=record.rows)
        del self._entries[key]
        if segment is not None:
            self.damaged += 1
            try:
                segment.forget(record)
            except OSError as error:
                self._give_up(error)
        return None

    def put(self, key: bytes, states: NDArray[np.float16]) -> Stretch | None:
        """Keep a piece's states; None if they were not kept."""
        if self.full or self.trouble:
            return None
        try:
            writer = self._writer_for(states)
            if writer is None:
                self.full = True
                return None
            record = writer.append(key, states)
            segment = self._map(writer.path)
        except OSError as error:
            self._give_up(error)
            return None
        if segment is None:
            return None
        self._entries[key] = _Entry(segment=writer.path, record=record)
        return Stretch(source=segment, start=record.start, count=record.rows)

    def close(self) -> None:
        """Append no more; what was returned stays mapped."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def _learn(self, segment: Path, records: Iterable[Record]) -> None:
        for record in records:
            if record.digest is not None:
                self._entries.setdefault(record.key, _Entry(segment=segment, record=record))

    def _map(self, path: Path) -> MappedSegment | None:
        if path not in self._mapped:
            try:
                self._mapped[path] = MappedSegment(path, self._row_shape)
            except OSError:
                self._mapped[path] = None  # evicted, or just being evicted
            else:
                self._touch(self._mapped[path])
        return self._mapped[path]

    def _touch(self, segment: MappedSegment | None) -> None:
        try:
            if segment is not None:
                segment.touch()
        except OSError as error:
            self._give_up(error)

    def _writer_for(self, states: NDArray[np.float16]) -> SegmentWriter | None:
        """Return a writer with room for a piece; None if the cache has none."""
        if self._writer is not None and self._writer.has_room(len(states)):
            return self._writer
        self.close()
        with locked(self._folder):
            self._writer = self._begun(len(states)) or self._new(states.nbytes + RECORD_BYTES)
        return self._writer

    def _begun(self, rows: int) -> SegmentWriter | None:
        """Go on with a segment that another process left half full."""
        for path in sorted(self._home.glob(f"*{ROWS}")):
            try:
                writer = SegmentWriter(path.with_suffix(""), self._row_shape)
            except OSError:
                continue  # somebody appends to it
            if writer.has_room(rows):
                return writer
            writer.close()
        return None

    def _new(self, needed: int) -> SegmentWriter | None:
        size = max(self._max_bytes // _SEGMENTS, needed)
        if not make_room(self._folder, self._max_bytes, size):
            return None
        self._home.mkdir(exist_ok=True, mode=0o700)
        return SegmentWriter(self._home / uuid.uuid4().hex, self._row_shape, size)

    def _give_up(self, error: OSError) -> None:
        self.trouble = self.trouble or error.strerror or str(error)
        self.close()
