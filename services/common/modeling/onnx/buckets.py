"""Runs of usual shapes recorded as CUDA graphs, and launched as a whole.

A recorded run is bound to shapes and addresses: inputs are padded to the next of a few shapes, and
each shape has buffers of its own. onnxruntime keeps the recordings by number (`gpu_graph_id`) and
by thread. On other devices the number means nothing, and the runs are the same.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from services.common.logs import get_logger
from services.common.modeling.manifest import TrunkManifest
from services.common.modeling.onnx.binding import bound
from services.common.modeling.onnx.providers import first_line

_WINDOWS = (1, 2, 4, 8, 16, 32)
_LENGTHS = (16, 32, 48, 64, 96, 128, 192, 256, 384, 512)

# Beyond it the device is busy for longer than launching takes, and padding costs more.
_MOST_PIECES = 2048

_NOT_RECORDED = "-1"

_recording = threading.Lock()

_log = get_logger(__name__)

Shape: TypeAlias = tuple[int, int]
"""Windows and length."""


@contextmanager
def nothing_recorded() -> Iterator[None]:
    """Hold off recordings.

    While a run is recorded, CUDA refuses other threads what they need to open sessions and to
    place weights, and what it refuses may end the recording too. Who does such things beside the
    thread that runs batches does it in here; batches go on, without recording.
    """
    with _recording:
        yield


@dataclass(frozen=True, kw_only=True, eq=False)
class _Bucket:
    """One shape with its buffers."""

    ids: ort.OrtValue
    mask: ort.OrtValue
    taps: ort.OrtValue
    binding: ort.IOBinding
    options: ort.RunOptions


class GraphRuns:
    """Runs a trunk's session, recorded where the shape allows. One run at a time.

    The output of a run is overwritten by the next.
    """

    def __init__(self, session: ort.InferenceSession, manifest: TrunkManifest, device: str) -> None:
        """Run a session that records; nobody else may run it.

        What is recorded writes to memory that the session takes for free afterwards, so no output
        may lie there: all go to buffers from outside of it.
        """
        self._session = session
        self._device = device
        self._name = manifest.name
        self._taps, self._hidden = manifest.taps, manifest.hidden_size
        half = session.get_outputs()[0].type == "tensor(float16)"
        self._type = np.float16 if half else np.float32
        self._pad = manifest.pad_token_id
        self._lengths = [length for length in _LENGTHS if length <= manifest.max_length]
        self._buckets: dict[Shape, _Bucket] = {}
        self._recorded: set[tuple[int, Shape]] = set()
        self._usable = True
        self._plain = _run_options(_NOT_RECORDED)

    @property
    def recorded(self) -> int:
        """How many recordings there are."""
        return len(self._recorded)

    def fit(
        self, ids: NDArray[np.int64], mask: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return inputs padded to the shape that they run in; too large ones as they are."""
        shape = self._shape(*ids.shape) if self._usable else None
        if shape is None:
            return ids, mask
        windows, length = ids.shape
        padded, seen = np.full(shape, self._pad, dtype=np.int64), np.zeros(shape, dtype=np.int64)
        padded[:windows, :length] = ids
        seen[:windows, :length] = mask
        # A window in which nothing may be looked at gives NaN.
        seen[windows:, 0] = 1
        return padded, seen

    def run(self, ids: NDArray[np.int64], mask: NDArray[np.int64]) -> ort.OrtValue:
        """Return the trunk's output, on the device."""
        shape: Shape = (ids.shape[0], ids.shape[1])
        if not self._usable or self._shape(*shape) != shape:
            return self._run_plain(ids, mask)
        key = (threading.get_ident(), shape)
        if key in self._recorded:
            return self._run_bucket(ids, mask)
        if not _recording.acquire(blocking=False):
            return self._run_plain(ids, mask)
        try:
            found = self._run_bucket(ids, mask)
        except Exception as error:  # noqa: BLE001 - CUDA's errors have no type of their own
            self._usable = False
            _log.warning(
                "execution_provider_fallback",
                model=self._name,
                wanted="CUDA graphs",
                why=first_line(error),
                used="runs that are not recorded",
            )
            return self._run_plain(ids, mask)
        finally:
            _recording.release()
        self._recorded.add(key)
        return found

    def _shape(self, windows: int, length: int) -> Shape | None:
        wide = next((one for one in _WINDOWS if one >= windows), None)
        long = next((one for one in self._lengths if one >= length), None)
        if wide is None or long is None or wide * long > _MOST_PIECES:
            return None
        return wide, long

    def _run_bucket(self, ids: NDArray[np.int64], mask: NDArray[np.int64]) -> ort.OrtValue:
        shape: Shape = (ids.shape[0], ids.shape[1])
        bucket = self._buckets.get(shape)
        if bucket is None:
            bucket = self._buckets[shape] = self._bucket(ids, mask)
        else:
            bucket.ids.update_inplace(ids)
            bucket.mask.update_inplace(mask)
        self._session.run_with_iobinding(bucket.binding, bucket.options)
        return bucket.taps

    def _bucket(self, ids: NDArray[np.int64], mask: NDArray[np.int64]) -> _Bucket:
        # Copies: a value of the host's would share the array's memory.
        values = [
            ort.OrtValue.ortvalue_from_numpy(array.copy(), self._device, 0) for array in (ids, mask)
        ]
        taps = self._output(ids.shape[0], ids.shape[1])
        binding = bound(
            self._session, dict(zip(("input_ids", "attention_mask"), values, strict=True))
        )
        binding.bind_ortvalue_output("taps", taps)
        return _Bucket(
            ids=values[0],
            mask=values[1],
            taps=taps,
            binding=binding,
            # 0 is what runs without a number have.
            options=_run_options(str(len(self._buckets) + 1)),
        )

    def _run_plain(self, ids: NDArray[np.int64], mask: NDArray[np.int64]) -> ort.OrtValue:
        taps = self._output(ids.shape[0], ids.shape[1])
        binding = bound(self._session, {"input_ids": ids, "attention_mask": mask})
        binding.bind_ortvalue_output("taps", taps)
        self._session.run_with_iobinding(binding, self._plain)
        return taps

    def _output(self, windows: int, length: int) -> ort.OrtValue:
        shape = (self._taps, windows, length, self._hidden)
        return ort.OrtValue.ortvalue_from_shape_and_type(shape, self._type, self._device, 0)


def _run_options(number: str) -> ort.RunOptions:
    options = ort.RunOptions()
    options.add_run_config_entry("gpu_graph_id", number)
    return options
