"""The trunk's states of every word of some texts: from the cache, or from the trunk.

The states come from the very ONNX trunk that serves, as float16. What is kept is a piece of text, a
whole text unless it is very long: its states depend on nothing but the piece and on what names the
space of the cache, to the last bit. So they are the same whichever texts were missing, and equal
runs give equal adapters with a cold, a warm and a half-filled cache.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from services.common.modeling.documents import canonical_json
from services.common.modeling.states import (
    POOLING,
    PreparedText,
    Segment,
    WordStateReader,
    cut_segments,
)
from services.common.modeling.words import WORD_SPLITTER
from services.trainer.engines.activation_cache import ActivationCache
from services.trainer.engines.interface import Cancelled, NoRoomError, ShouldStop
from services.trainer.engines.state_rows import Spill, StateRows, Stretch

_FORMAT = 1
# Longer texts are kept in several pieces: what is lost with a kill, and memory, stay bounded.
_PIECE_WORDS = 4096
# Words between two looks at what others have computed, and at whether to stop.
_BLOCK_WORDS = 1024


@dataclass(frozen=True, kw_only=True)
class Activations:
    """States of all words of some texts, one text after the other.

    Attributes:
        states: Float16 [words, taps, hidden_size], on disk.
        offsets: Row at which each text begins, and the number of rows, int64 [texts + 1].
        computed: Words that this call ran through the trunk; the others came from the cache.
        remarks: What was odd about the cache, as sentences for the job's log.
    """

    states: StateRows
    offsets: NDArray[np.int64]
    computed: int
    remarks: Sequence[str] = ()


@dataclass(kw_only=True)
class _Piece:
    segment: Segment
    count: int
    cost: int
    stretch: Stretch | None = None


@dataclass(kw_only=True)
class _Pieces:
    """The different pieces of some texts, and in which order they follow each other."""

    by_key: dict[bytes, _Piece] = field(default_factory=dict)
    order: list[bytes] = field(default_factory=list)


def cached_activations(
    reader: WordStateReader,
    texts: Sequence[PreparedText],
    cache_dir: Path,
    *,
    max_bytes: int,
    spill_dir: Path,
    on_progress: Callable[[float], None],
    should_stop: ShouldStop,
) -> Activations:
    """Return the states of these texts; only the trunk's first sight of a text runs it.

    Args:
        reader: Runs the trunk; its trunk and windows are part of what names a piece.
        texts: As the reader prepared them.
        cache_dir: The cache of all jobs. May be deleted at any time.
        max_bytes: Its bound. What does not fit is kept for this call only, in `spill_dir`.
        spill_dir: On a disk with room for these texts' states.
        on_progress: Told the finished share, 0 to 1.
        should_stop: Asked before each piece that is read and each block that is computed.

    Raises:
        Cancelled: When `should_stop` says so; what was computed stays.
        NoRoomError: Neither the cache nor `spill_dir` can hold the states.
    """
    manifest = reader.trunk.manifest
    offsets = np.concatenate([[0], np.cumsum([len(text.words) for text in texts], dtype=np.int64)])
    row_shape = (manifest.taps, manifest.hidden_size)
    pieces = _cut(texts)
    cache = ActivationCache(cache_dir, _space(reader), row_shape, max_bytes=max_bytes)
    spill = Spill(spill_dir, row_shape)
    filling = _Filling(reader, pieces.by_key, cache, spill)
    try:
        filling.run(on_progress, should_stop)
        stretches = [pieces.by_key[key].stretch for key in pieces.order]
        states = StateRows.join([s for s in stretches if s is not None], row_shape)
    finally:
        cache.close()
        spill.close()
    return Activations(
        states=states,
        offsets=offsets,
        computed=filling.computed,
        remarks=filling.remarks(),
    )


class _Filling:
    """Finds or computes every piece."""

    def __init__(
        self,
        reader: WordStateReader,
        pieces: dict[bytes, _Piece],
        cache: ActivationCache,
        spill: Spill,
    ) -> None:
        self._reader = reader
        self._pieces = pieces
        self._cache = cache
        self._spill = spill
        self._spilled = 0
        self._finished = 0
        self.computed = 0

    def run(self, on_progress: Callable[[float], None], should_stop: ShouldStop) -> None:
        total = max(sum(piece.count for piece in self._pieces.values()), 1)
        self._cache.refresh()
        for key in self._cache.in_order(self._pieces):
            if should_stop():
                raise Cancelled
            self._find(key)
            on_progress(self._finished / total)
        for block in self._blocks():
            if should_stop():
                raise Cancelled
            self._cache.refresh()
            missing = [key for key in block if not self._find(key)]
            if missing:
                self._compute(missing)
            on_progress(self._finished / total)
        on_progress(1.0)

    def remarks(self) -> list[str]:
        remarks = []
        if self._cache.damaged:
            remarks.append(
                f"activation cache: {self._cache.damaged} damaged entries were computed again"
            )
        if self._cache.trouble:
            remarks.append(
                f"the activation cache cannot be written ({self._cache.trouble}): the states of "
                f"{self._spilled} words are kept for this job only"
            )
        elif self._cache.full:
            remarks.append(
                "the activation cache is full of what running jobs use: the states of "
                f"{self._spilled} words are kept for this job only; raise activation_cache_bytes"
            )
        return remarks

    def _find(self, key: bytes) -> bool:
        piece = self._pieces[key]
        stretch = self._cache.get(key)
        if stretch is None or stretch.count != piece.count:
            return False
        self._settle(piece, stretch)
        return True

    def _compute(self, keys: Sequence[bytes]) -> None:
        pieces = [self._pieces[key] for key in keys]
        read = self._reader.read([piece.segment for piece in pieces], independent=True)
        for key, piece, inputs in zip(keys, pieces, read, strict=True):
            states = inputs.states.transpose(1, 0, 2).astype(np.float16, order="C")
            stretch = self._cache.put(key, states)
            if stretch is None:
                stretch = self._keep(states)
                self._spilled += piece.count
            self.computed += piece.count
            self._settle(piece, stretch)

    def _keep(self, states: NDArray[np.float16]) -> Stretch:
        try:
            return self._spill.append(states)
        except OSError as error:
            raise NoRoomError(
                f"the states of the texts cannot be stored ({error.strerror}): free space on the "
                "trainer's disk, or train on fewer texts"
            ) from error

    def _settle(self, piece: _Piece, stretch: Stretch) -> None:
        piece.stretch = stretch
        self._finished += piece.count

    def _blocks(self) -> Iterator[list[bytes]]:
        """Yield the missing pieces, alike in length, beginning anywhere.

        Processes that fill the cache with the same texts begin at different places and look at
        what the others have done, so that they share the work.
        """
        missing = [key for key, piece in self._pieces.items() if piece.stretch is None]
        missing.sort(key=lambda key: self._pieces[key].cost)
        blocks: list[list[bytes]] = []
        words = _BLOCK_WORDS
        for key in missing:
            count = self._pieces[key].count
            if words + count > _BLOCK_WORDS:
                blocks.append([])
                words = 0
            blocks[-1].append(key)
            words += count
        first = random.randrange(len(blocks)) if blocks else 0  # noqa: S311  # no secret
        yield from blocks[first:]
        yield from blocks[:first]


def _cut(texts: Sequence[PreparedText]) -> _Pieces:
    pieces = _Pieces()
    for text in texts:
        content = hashlib.sha256(text.encoded.text.encode("utf-8", "surrogatepass")).digest()
        for segment in cut_segments(text, _PIECE_WORDS, 0):
            key = hashlib.sha256(content + segment.start.to_bytes(8, "big")).digest()
            pieces.order.append(key)
            if key not in pieces.by_key:
                count = segment.end - segment.start
                pieces.by_key[key] = _Piece(segment=segment, count=count, cost=text.cost)
    return pieces


def _space(reader: WordStateReader) -> str:
    """Name everything but the text that decides a state, to the last bit."""
    settings = {
        "format": _FORMAT,
        "trunk": reader.trunk.manifest.digest,
        "runtime": reader.trunk.runtime,
        "max_length": reader.max_length,
        "stride": reader.stride,
        "pooling": POOLING,
        "words": WORD_SPLITTER,
        "piece_words": _PIECE_WORDS,
        "number": "float16",
    }
    return hashlib.sha256(canonical_json(settings)).hexdigest()
