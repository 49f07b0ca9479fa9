"""Rows of states that lie in several files, read as if they were one array."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

import numpy as np
from numpy.typing import NDArray

from services.trainer.engines.cache_segment import map_rows, write_at


class RowSource(Protocol):
    """Something that holds rows of states."""

    def rows(self) -> NDArray[np.float16]:
        """Return all of them, [rows, taps, hidden_size]."""
        ...


@dataclass(frozen=True, kw_only=True)
class Stretch:
    """Rows ``[start, start + count)`` of a source."""

    source: RowSource
    start: int
    count: int


class StateRows:
    """Some rows of some files, float16 [rows, taps, hidden_size]; indexing copies what is asked."""

    def __init__(
        self,
        arrays: Sequence[NDArray[np.float16]],
        array_of: NDArray[np.int32],
        row_of: NDArray[np.int64],
        row_shape: tuple[int, int],
    ) -> None:
        """Take row ``row_of[i]`` of array ``array_of[i]`` as row i."""
        self._arrays = arrays
        self._array_of = array_of
        self._row_of = row_of
        self._row_shape = row_shape

    @classmethod
    def join(cls, stretches: Sequence[Stretch], row_shape: tuple[int, int]) -> StateRows:
        """Put stretches one after the other."""
        sources = {id(stretch.source): stretch.source for stretch in stretches}
        number = {identity: index for index, identity in enumerate(sources)}
        counts = [stretch.count for stretch in stretches]
        rows = [np.arange(s.start, s.start + s.count, dtype=np.int64) for s in stretches]
        array_of = np.asarray([number[id(s.source)] for s in stretches], dtype=np.int32)
        return cls(
            [source.rows() for source in sources.values()],
            np.repeat(array_of, counts),
            np.concatenate(rows) if rows else np.empty(0, dtype=np.int64),
            row_shape,
        )

    @property
    def shape(self) -> tuple[int, int, int]:
        """Rows, taps, hidden size."""
        return (len(self._row_of), *self._row_shape)

    def __len__(self) -> int:
        return len(self._row_of)

    def __getitem__(self, rows: slice | NDArray[np.int64]) -> NDArray[np.float16]:
        array_of, row_of = self._array_of[rows], self._row_of[rows]
        if not len(row_of):
            return np.empty((0, *self._row_shape), dtype=np.float16)
        if (array_of == array_of[0]).all():
            found: NDArray[np.float16] = self._arrays[array_of[0]][row_of]
            return found
        found = np.empty((len(row_of), *self._row_shape), dtype=np.float16)
        for number in np.unique(array_of):
            here = array_of == number
            found[here] = self._arrays[number][row_of[here]]
        return found

    def take(self, rows: NDArray[np.int64]) -> StateRows:
        """Return these rows; copies none."""
        return StateRows(self._arrays, self._array_of[rows], self._row_of[rows], self._row_shape)


class Spill:
    """States that are kept for one run only, in a file without a name."""

    def __init__(self, folder: Path, row_shape: tuple[int, int]) -> None:
        """Keep them in this folder; nothing is left there, however the process ends."""
        self._folder = folder
        self._file: IO[bytes] | None = None
        self._row_shape = row_shape
        self._count = 0

    def append(self, states: NDArray[np.float16]) -> Stretch:
        """Keep a piece's states.

        Raises:
            OSError: The disk is full, or no file can be made.
        """
        if self._file is None:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._file = tempfile.TemporaryFile(dir=self._folder)  # noqa: SIM115  # see close
        data = np.ascontiguousarray(states).data.cast("B")
        write_at(self._file.fileno(), data, self._count * (len(data) // len(states)))
        stretch = Stretch(source=self, start=self._count, count=len(states))
        self._count += len(states)
        return stretch

    def rows(self) -> NDArray[np.float16]:
        """Return what was kept until now."""
        if self._file is None:
            return np.empty((0, *self._row_shape), dtype=np.float16)
        return map_rows(self._file.fileno(), self._row_shape)

    def close(self) -> None:
        """Keep no more; what was returned stays mapped, and the file with it."""
        if self._file is not None:
            self._file.close()
            self._file = None
