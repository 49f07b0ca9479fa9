"""The activation cache: the trunk's states of every word of a split, on disk, computed once.

The states come from the very ONNX trunk that serves, as float16, one memory-mapped ``.npy`` per
split. A journal beside it lists the finished blocks with their digests: a run that was killed goes
on after the last whole block, and a damaged block is computed again.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
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
from services.trainer.engines.interface import Cancelled, ShouldStop

_BLOCK_WORDS = 4096
_STATES_FILE = "states.npy"
_JOURNAL_FILE = "blocks.json"


@dataclass(frozen=True, kw_only=True)
class Activations:
    """States of all words of some texts, one text after the other.

    Attributes:
        states: float16 [words, taps, hidden_size], memory-mapped.
        offsets: Row at which each text begins, and the number of rows, int64 [texts + 1].
        computed: Words that this call ran through the trunk; the others came from the cache.
    """

    states: NDArray[np.float16]
    offsets: NDArray[np.int64]
    computed: int


@dataclass(frozen=True, kw_only=True)
class _Block:
    segments: list[Segment]
    start: int
    end: int


def cached_activations(
    reader: WordStateReader,
    texts: Sequence[PreparedText],
    cache_dir: Path,
    *,
    on_progress: Callable[[float], None],
    should_stop: ShouldStop,
) -> Activations:
    """Return the states of these texts, from the cache as far as it is whole.

    Args:
        reader: Runs the trunk; its trunk and windows are part of the cache key.
        texts: As the reader prepared them; their content and order are part of the key.
        cache_dir: Where caches lie, one folder per key. May be deleted at any time.
        on_progress: Told the finished share, 0 to 1.
        should_stop: Asked before each block.

    Raises:
        Cancelled: When `should_stop` says so; finished blocks stay.
    """
    manifest = reader.trunk.manifest
    offsets = np.concatenate([[0], np.cumsum([len(text.words) for text in texts], dtype=np.int64)])
    rows = int(offsets[-1])
    shape = (rows, manifest.taps, manifest.hidden_size)
    if rows == 0:
        empty = np.zeros(shape, dtype=np.float16)
        return Activations(states=empty, offsets=offsets, computed=0)
    folder = cache_dir / _key(reader, texts)
    folder.mkdir(parents=True, exist_ok=True)
    states = _open_states(folder / _STATES_FILE, shape)
    journal = _read_journal(folder / _JOURNAL_FILE)
    computed = 0
    for block in _blocks(texts):
        if should_stop():
            raise Cancelled
        name = str(block.start)
        part = states[block.start : block.end]
        if journal.get(name) != _digest(part):
            part[:] = np.concatenate(
                [inputs.states.transpose(1, 0, 2) for inputs in reader.read(block.segments)]
            )
            states.flush()
            journal[name] = _digest(part)
            _write_journal(folder / _JOURNAL_FILE, journal)
            computed += block.end - block.start
        on_progress(block.end / rows)
    return Activations(states=states, offsets=offsets, computed=computed)


def _key(reader: WordStateReader, texts: Sequence[PreparedText]) -> str:
    content = hashlib.sha256()
    for text in texts:
        data = text.encoded.text.encode()
        content.update(len(data).to_bytes(8, "big"))
        content.update(data)
    settings = {
        "trunk": reader.trunk.manifest.digest,
        "max_length": reader.max_length,
        "stride": reader.stride,
        "pooling": POOLING,
        "words": WORD_SPLITTER,
        "number": "float16",
        "texts": content.hexdigest(),
    }
    return hashlib.sha256(canonical_json(settings)).hexdigest()


def _blocks(texts: Sequence[PreparedText]) -> Iterator[_Block]:
    segments: list[Segment] = []
    start = end = 0
    for text in texts:
        for segment in cut_segments(text, _BLOCK_WORDS, 0):
            size = segment.end - segment.start
            if segments and end - start + size > _BLOCK_WORDS:
                yield _Block(segments=segments, start=start, end=end)
                segments, start = [], end
            segments.append(segment)
            end += size
    if segments:
        yield _Block(segments=segments, start=start, end=end)


def _open_states(
    path: Path, shape: tuple[int, int, int]
) -> np.memmap[tuple[int, ...], np.dtype[np.float16]]:
    try:
        states = np.lib.format.open_memmap(path, mode="r+")
    except (OSError, ValueError):
        states = None
    if states is None or states.shape != shape or states.dtype != np.float16:
        # A new file beside the old one: another process may still read the old one.
        fresh = path.with_suffix(f".{os.getpid()}.npy")
        np.lib.format.open_memmap(fresh, mode="w+", dtype=np.float16, shape=shape).flush()
        fresh.replace(path)
        states = np.lib.format.open_memmap(path, mode="r+")
    return states


def _read_journal(path: Path) -> dict[str, str]:
    try:
        journal = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return journal if isinstance(journal, dict) else {}


def _write_journal(path: Path, journal: dict[str, str]) -> None:
    fresh = path.with_suffix(f".{os.getpid()}.json")
    fresh.write_bytes(canonical_json(journal))
    fresh.replace(path)


def _digest(part: NDArray[np.float16]) -> str:
    return hashlib.sha256(np.ascontiguousarray(part).data).hexdigest()
