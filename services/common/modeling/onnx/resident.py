"""States that stay on the device: from the trunk's output to what banks read."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from services.common.modeling.manifest import TrunkManifest
from services.common.modeling.onnx.binding import run_bound
from services.common.modeling.onnx.buckets import GraphRuns
from services.common.modeling.onnx.providers import device_of
from services.common.modeling.onnx.sessions import open_bank_session
from services.common.modeling.onnx.state_graphs import (
    build_pack_graph,
    build_sums_graph,
    build_words_graph,
)

# Rows whose last states are summed in one product: it costs groups times rows.
_SUMMED_AT_ONCE = 1024


class StateSessions:
    """The small sessions behind one trunk; runs may come from several threads."""

    def __init__(
        self, manifest: TrunkManifest, providers: Sequence[str], *, half_precision: bool
    ) -> None:
        """Open them.

        Args:
            manifest: The trunk's.
            providers: What the trunk runs with.
            half_precision: Whether the trunk gives float16.
        """
        taps, hidden = manifest.taps, manifest.hidden_size
        graphs = {
            "words": build_words_graph(taps, hidden, half_precision=half_precision),
            "pack": build_pack_graph(taps, hidden),
            "sums": build_sums_graph(taps, hidden),
        }
        self.device = device_of(providers)
        self._sessions = {
            # They copy: more threads than one gain nothing.
            name: open_bank_session(graph, providers, threads=1, name=name)
            for name, graph in graphs.items()
        }
        zero = np.zeros((1, 1, 1), dtype=np.float32)
        self._nothing = ort.OrtValue.ortvalue_from_numpy(zero, self.device, 0)

    def words(
        self,
        taps: ort.OrtValue,
        first: NDArray[np.int64],
        last: NDArray[np.int64],
        before: ort.OrtValue | None,
    ) -> ort.OrtValue:
        """Add what one run of the trunk says of words; see ``build_words_graph``."""
        inputs = {"taps": taps, "first": first, "last": last, "before": before or self._nothing}
        return run_bound(self._sessions["words"], inputs, "words", self.device)

    def pack(self, words: ort.OrtValue, rows: NDArray[np.int64]) -> ort.OrtValue:
        """Return states of words in rows; see ``build_pack_graph``."""
        inputs = {"words": words, "rows": rows}
        return run_bound(self._sessions["pack"], inputs, "states", self.device)

    def sums(
        self, words: ort.OrtValue, rows: NDArray[np.int64], members: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Return sums of last states, on the host; see ``build_sums_graph``."""
        inputs = {"words": words, "rows": rows, "members": members}
        found = run_bound(self._sessions["sums"], inputs, "sums", "cpu")
        return np.asarray(found.numpy(), dtype=np.float32)


@dataclass(frozen=True, kw_only=True, eq=False)
class ResidentWords:
    """States of all words that were read together.

    Attributes:
        value: float32 [taps, words, hidden], on the device.
        sessions: What is done with them.
    """

    value: ort.OrtValue
    sessions: StateSessions

    def pack(self, rows: NDArray[np.int64]) -> ort.OrtValue | NDArray[np.float32]:
        """Return the states of words, [taps, rows, hidden], on the device; of -1: zeros."""
        if not len(rows):
            # Nothing to ask a device for.
            taps, _, hidden = self.value.shape()
            return np.zeros((taps, 0, hidden), dtype=np.float32)
        return self.sessions.pack(self.value, rows)

    def sums(self, groups: Sequence[NDArray[np.int64]]) -> list[NDArray[np.float32]]:
        """Return for each group of words the sum of their last states, on the host."""
        found: list[NDArray[np.float32]] = []
        for some in _chunks(groups):
            rows = np.concatenate(some)
            if not len(rows):
                rows = np.full(1, -1, dtype=np.int64)
            members = np.zeros((len(some), len(rows)), dtype=np.float32)
            start = 0
            for row, group in zip(members, some, strict=True):
                row[start : start + len(group)] = 1.0
                start += len(group)
            found.extend(self.sessions.sums(self.value, rows, members))
        return found


class ResidentTrunk:
    """Runs a trunk and leaves what it says on the device; runs may come from several threads."""

    def __init__(
        self,
        session: ort.InferenceSession,
        manifest: TrunkManifest,
        *,
        graphs: GraphRuns | None = None,
    ) -> None:
        """Run an open trunk.

        Args:
            session: The trunk's.
            manifest: The trunk's.
            graphs: Records runs of usual shapes; only through it may the session run then.
        """
        self._session = session
        self._graphs = graphs
        self._sessions = StateSessions(
            manifest,
            session.get_providers(),
            half_precision=session.get_outputs()[0].type == "tensor(float16)",
        )
        # The device does one at a time anyway. Recorded runs share buffers, which the next run
        # writes again: their output is gathered before.
        self._lock = threading.Lock()

    @property
    def recorded(self) -> int:
        """How many runs are recorded as CUDA graphs."""
        return 0 if self._graphs is None else self._graphs.recorded

    def fit(
        self, ids: NDArray[np.int64], mask: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return a run's inputs as they will be run: padded where runs are recorded."""
        return (ids, mask) if self._graphs is None else self._graphs.fit(ids, mask)

    def taps(self, ids: NDArray[np.int64], mask: NDArray[np.int64]) -> NDArray[Any]:
        """Return the trunk's output, on the host."""
        with self._lock:
            return np.asarray(self._run(ids, mask).numpy())

    def read(
        self,
        ids: NDArray[np.int64],
        mask: NDArray[np.int64],
        pieces: tuple[NDArray[np.int64], NDArray[np.int64]],
        before: ResidentWords | None,
    ) -> ResidentWords:
        """Run windows and add to words what is said of them.

        Args:
            ids: As ``fit`` returned them, [windows, length].
            mask: As ``fit`` returned it.
            pieces: Each word's first and last piece among the ``windows * length`` of the run, -1
                where it lies in another run.
            before: What earlier runs said of the words.
        """
        earlier = None if before is None else before.value
        with self._lock:
            words = self._sessions.words(self._run(ids, mask), *pieces, earlier)
        return ResidentWords(value=words, sessions=self._sessions)

    def _run(self, ids: NDArray[np.int64], mask: NDArray[np.int64]) -> ort.OrtValue:
        if self._graphs is not None:
            return self._graphs.run(ids, mask)
        inputs = {"input_ids": ids, "attention_mask": mask}
        return run_bound(self._session, inputs, "taps", self._sessions.device)


def _chunks(groups: Sequence[NDArray[np.int64]]) -> Iterator[list[NDArray[np.int64]]]:
    some: list[NDArray[np.int64]] = []
    rows = 0
    for group in groups:
        if some and rows + len(group) > _SUMMED_AT_ONCE:
            yield some
            some, rows = [], 0
        some.append(group)
        rows += len(group)
    if some:
        yield some
