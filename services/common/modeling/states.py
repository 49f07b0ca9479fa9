"""From texts to the states of their words: windows through the trunk, gathered word by word."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.common.modeling.onnx.resident import ResidentWords
from services.common.modeling.onnx.trunk import TrunkRunner
from services.common.modeling.packing import BankInputs, ResidentInputs, WordInputs
from services.common.modeling.tokenisation import Encoded, TextTokenizer
from services.common.modeling.windows import Window, plan_windows
from services.common.modeling.word_features import word_features

# Words held in memory at once; with 7 taps of 384 floats this is about 45 MB.
_WORDS_AT_ONCE = 4096

POOLING = "first-last-v1"
"""How a word's pieces become one vector: the mean of its first and its last piece."""


@dataclass(frozen=True, kw_only=True)
class PreparedText:
    """A text ready for the trunk: its pieces, windows and word features."""

    encoded: Encoded
    windows: list[Window]
    features: NDArray[np.float32]

    @property
    def words(self) -> list[tuple[int, int]]:
        """Half-open code-point ranges of the words."""
        return self.encoded.words

    @property
    def cost(self) -> int:
        """Pieces that go through the trunk, without special tokens: what a queue should count."""
        return sum(window.end - window.start for window in self.windows)


@dataclass(frozen=True, kw_only=True)
class Segment:
    """Words ``[start, end)`` of a text, of which ``[own_start, own_end)`` are wanted.

    Long texts are cut into segments, so that memory stays bounded; the words around the owned
    ones are there for context, so a cut changes no result.
    """

    text: PreparedText
    start: int
    end: int
    own_start: int
    own_end: int


def cut_segments(text: PreparedText, limit: int, reach: int) -> list[Segment]:
    """Cut a text into segments that own at most `limit` words, with `reach` more on either side."""
    count = len(text.words)
    return [
        Segment(
            text=text,
            start=max(own_start - reach, 0),
            end=min(own_start + limit + reach, count),
            own_start=own_start,
            own_end=min(own_start + limit, count),
        )
        for own_start in range(0, count, limit)
    ]


def chunk_segments(
    texts: Sequence[PreparedText], reach: int
) -> Iterator[tuple[list[int], list[Segment]]]:
    """Yield segments of texts, each with its text's position, with a bounded number of words.

    Texts of equal length come together; `reach` as for ``cut_segments``.
    """
    order = sorted(range(len(texts)), key=lambda index: texts[index].cost)
    places: list[int] = []
    segments: list[Segment] = []
    words = 0
    for place in order:
        for segment in cut_segments(texts[place], _WORDS_AT_ONCE, reach):
            size = segment.end - segment.start
            if segments and words + size > _WORDS_AT_ONCE:
                yield places, segments
                places, segments, words = [], [], 0
            places.append(place)
            segments.append(segment)
            words += size
    if segments:
        yield places, segments


@dataclass(frozen=True, kw_only=True)
class WindowRead:
    """One window to run for one segment: which words read their first and last piece where.

    `first` and `last` are words of the segment with the pieces of the window that they read.
    """

    segment: int
    window: Window
    first: tuple[NDArray[np.int64], NDArray[np.int64]]
    last: tuple[NDArray[np.int64], NDArray[np.int64]]


class WordStateReader:
    """Runs texts through a trunk and returns one row of states per word."""

    def __init__(
        self, trunk: TrunkRunner, *, max_length: int, stride: int, batch_tokens: int = 4096
    ) -> None:
        """Read states with these windows.

        Args:
            trunk: The open trunk.
            max_length: Pieces per window, special tokens included; bounded by the trunk's own.
            stride: Pieces that neighbouring windows share.
            batch_tokens: Most pieces, padding included, in one run of the trunk.
        """
        self.trunk = trunk
        self.max_length = min(max_length, trunk.manifest.max_length)
        self.stride = stride
        self._capacity = self.max_length - trunk.tokenizer.special_count
        self._batch_tokens = batch_tokens

    def prepare(self, texts: Sequence[str]) -> list[PreparedText]:
        """Tokenise texts, plan their windows and compute their word features."""
        return [
            PreparedText(
                encoded=encoded,
                windows=plan_windows(encoded.word_initial, self._capacity, self.stride),
                features=word_features(encoded.text, encoded.words),
            )
            for encoded in self.trunk.tokenizer.encode_many(texts)
        ]

    def read(self, segments: Sequence[Segment], *, independent: bool = False) -> list[WordInputs]:
        """Return what the bank reads, for each segment.

        All results are held in memory: bound the words of one call.

        Args:
            segments: What to read.
            independent: Whether a segment's states must be the same to the last bit whatever it is
                read with: windows share a run only where that changes nothing.
        """
        manifest = self.trunk.manifest
        results = [
            WordInputs(
                states=np.zeros(
                    (manifest.taps, segment.end - segment.start, manifest.hidden_size), np.float32
                ),
                features=segment.text.features[segment.start : segment.end],
                present=_present(segment),
            )
            for segment in segments
        ]
        for batch in self._batches(_window_reads(segments), independent=independent):
            ids, mask = self._window_inputs(segments, batch)
            taps = self.trunk.run(ids, mask)[:, :, len(self.trunk.tokenizer.prefix) :]
            for row, job in enumerate(batch):
                # A word's first and last piece may lie in different windows: halves add up.
                target = results[job.segment].states
                for words, positions in (job.first, job.last):
                    target[:, words] += 0.5 * taps[:, row, positions]
        return results

    def read_for_banks(self, segments: Sequence[Segment]) -> Sequence[BankInputs]:
        """Return what the bank reads, for each segment; states stay where the trunk leaves them.

        Only banks behind the same trunk can take them. All are held in memory, as in ``read``.

        Args:
            segments: What to read.
        """
        words = self._read_resident(segments)
        if words is None:
            return self.read(segments)
        first = np.cumsum([0, *(segment.end - segment.start for segment in segments)])
        return [
            ResidentInputs(
                words=words,
                first=int(start),
                features=segment.text.features[segment.start : segment.end],
                present=_present(segment),
            )
            for segment, start in zip(segments, first, strict=False)
        ]

    def _read_resident(self, segments: Sequence[Segment]) -> ResidentWords | None:
        """Read on the device; None where the states come to the host, or there is no word."""
        trunk, words = self.trunk.resident, None
        if trunk is None:
            return None
        first = np.cumsum([0, *(segment.end - segment.start for segment in segments)])
        for batch in self._batches(_window_reads(segments), independent=False):
            ids, mask = trunk.fit(*self._window_inputs(segments, batch))
            pieces = np.full((2, first[-1]), -1, dtype=np.int64)
            for row, job in enumerate(batch):
                start = row * ids.shape[1] + len(self.trunk.tokenizer.prefix)
                for places, (found, positions) in zip(pieces, (job.first, job.last), strict=True):
                    places[first[job.segment] + found] = start + positions
            words = trunk.read(ids, mask, (pieces[0], pieces[1]), words)
        return words

    def _batches(self, jobs: list[WindowRead], *, independent: bool) -> Iterator[list[WindowRead]]:
        special = self.trunk.tokenizer.special_count
        batch: list[WindowRead] = []
        before = 0
        for job in jobs:
            length = job.window.end - job.window.start + special
            # Padding may change how a sum is grouped, and so its last bit.
            apart = self.trunk.runs_alone or (
                independent and (length != before or not self.trunk.ignores_company)
            )
            # Those at hand would all be padded to this one's length.
            padding = (length - before) * len(batch)
            full = (
                length * (len(batch) + 1) > self._batch_tokens
                or len(batch) == self.trunk.max_windows
            )
            if batch and (apart or full or padding > self.trunk.run_cost):
                yield batch
                batch = []
            batch.append(job)
            before = length
        if batch:
            yield batch

    def _window_inputs(
        self, segments: Sequence[Segment], batch: list[WindowRead]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        return window_inputs(
            segments,
            batch,
            self.trunk.tokenizer,
            pad_token_id=self.trunk.manifest.pad_token_id,
        )


def _pieces(segment: Segment) -> NDArray[np.int64]:
    return segment.text.encoded.word_pieces[segment.start : segment.end]


def _present(segment: Segment) -> NDArray[np.bool_]:
    return _pieces(segment)[:, 0] >= 0


def _window_reads(segments: Sequence[Segment]) -> list[WindowRead]:
    """Return all windows to run, the short ones first."""
    jobs = [
        job
        for index, segment in enumerate(segments)
        for job in window_reads(index, segment.text.windows, _pieces(segment))
    ]
    return sorted(jobs, key=lambda job: job.window.end - job.window.start)


def window_reads(
    segment: int, windows: Sequence[Window], pieces: NDArray[np.int64]
) -> Iterator[WindowRead]:
    """Find the windows that own any of these words' first and last pieces."""
    for window in windows:
        reads = []
        for column in (pieces[:, 0], pieces[:, 1]):
            words = np.flatnonzero((column >= window.own_start) & (column < window.own_end))
            reads.append((words, column[words] - window.start))
        if any(len(words) for words, _ in reads):
            yield WindowRead(segment=segment, window=window, first=reads[0], last=reads[1])


def window_inputs(
    segments: Sequence[Segment],
    batch: Sequence[WindowRead],
    tokenizer: TextTokenizer,
    *,
    pad_token_id: int,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return ids with special tokens and the mask of some windows, padded, [windows, length]."""
    longest = max(item.window.end - item.window.start for item in batch) + tokenizer.special_count
    ids = np.full((len(batch), longest), pad_token_id, dtype=np.int64)
    mask = np.zeros_like(ids)
    for row, item in enumerate(batch):
        pieces = segments[item.segment].text.encoded.ids[item.window.start : item.window.end]
        whole = [*tokenizer.prefix, *pieces.tolist(), *tokenizer.suffix]
        ids[row, : len(whole)] = whole
        mask[row, : len(whole)] = 1
    return ids, mask
