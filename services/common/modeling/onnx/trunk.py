"""Runs a trunk: the frozen encoder whose hidden states all adapters read."""

from __future__ import annotations

import platform
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from services.common.modeling.manifest import (
    TOKENIZER_FILE,
    TRUNK_FILE,
    ManifestError,
    TrunkManifest,
)
from services.common.modeling.onnx.buckets import GraphRuns
from services.common.modeling.onnx.providers import CPU, TENSORRT, device_of
from services.common.modeling.onnx.resident import ResidentTrunk
from services.common.modeling.onnx.sessions import (
    LOAD_ERRORS,
    TENSORRT_WINDOWS,
    DeviceOptions,
    open_session,
    trunk_attempts,
)
from services.common.modeling.tokenisation import TextTokenizer

MANIFEST_FILE = "manifest.json"
"""Name of the manifest beside a trunk's files in a folder."""

# On a CPU starting a run takes about as long as 8 more pieces in it. A GPU has
# thousands done in the time that it takes to start one.
_RUN_COST_CPU, _RUN_COST_DEVICE = 8, 4096


class TrunkRunner:
    """A verified trunk in a session. Runs may come from several threads at once."""

    def __init__(
        self,
        manifest: TrunkManifest,
        session: ort.InferenceSession,
        tokenizer: TextTokenizer,
        *,
        resident: ResidentTrunk | None = None,
    ) -> None:
        """Use an open session; prefer ``open`` or ``open_folder``.

        Args:
            manifest: The trunk's.
            session: The session.
            tokenizer: The trunk's.
            resident: Runs the session where states stay on the device.
        """
        self.manifest = manifest
        self.tokenizer = tokenizer
        self.resident = resident
        self._session = session

    @classmethod
    def open(
        cls,
        manifest: TrunkManifest,
        read: Callable[[str], bytes],
        *,
        providers: Sequence[str],
        threads: int = 0,
        device: DeviceOptions = DeviceOptions(),  # noqa: B008 - frozen
    ) -> TrunkRunner:
        """Verify a trunk's files against its manifest and open them.

        Args:
            manifest: What the files must be.
            read: Returns the bytes of a file by name.
            providers: As ``choose_providers`` returns them. Where the trunk cannot run with the
                best of them, the log says so, and it runs with the others.
            threads: Threads within one run; 0 for all cores.
            device: How it uses its device.

        Raises:
            ManifestError: If a file differs from the manifest or is no such model.
        """
        files = {}
        for name in (TRUNK_FILE, TOKENIZER_FILE):
            files[name] = read(name)
            manifest.files[name].verify(name, files[name])
        tokenizer = TextTokenizer.from_bytes(files[TOKENIZER_FILE])
        try:
            session, way = open_session(
                files[TRUNK_FILE],
                trunk_attempts(manifest, providers, device),
                threads=threads,
                name=manifest.name,
            )
        except LOAD_ERRORS as error:
            raise ManifestError(f"{TRUNK_FILE} of {manifest.name} cannot be loaded") from error
        output = session.get_outputs()[0]
        inputs = [node.name for node in session.get_inputs()]
        if inputs != ["input_ids", "attention_mask"] or output.shape[0] != manifest.taps:
            raise ManifestError(f"{TRUNK_FILE} of {manifest.name} has other inputs or outputs")
        graphs = GraphRuns(session, manifest, device_of(way.providers)) if way.cuda_graphs else None
        resident = None
        if _stays(manifest, way.providers, device):
            resident = ResidentTrunk(session, manifest, graphs=graphs)
        return cls(manifest, session, tokenizer, resident=resident)

    @classmethod
    def open_folder(
        cls, folder: Path, *, providers: Sequence[str], threads: int = 0
    ) -> TrunkRunner:
        """Open a folder with ``manifest.json`` and the trunk's files.

        Raises:
            ManifestError: If a file is missing or differs from the manifest.
        """

        def read(name: str) -> bytes:
            try:
                return (folder / name).read_bytes()
            except OSError as error:
                raise ManifestError(f"{name} of the trunk cannot be read") from error

        manifest = TrunkManifest.from_bytes(read(MANIFEST_FILE))
        return cls.open(manifest, read, providers=providers, threads=threads)

    @property
    def providers(self) -> list[str]:
        """The providers that it really runs with: banks behind it go to the same device."""
        return list(self._session.get_providers())

    @property
    def max_windows(self) -> int | None:
        """Most windows in one run; None: any number."""
        return TENSORRT_WINDOWS if self.providers[0] == TENSORRT else None

    @property
    def runtime(self) -> str:
        """What computes: other releases, devices and processors may give other last bits."""
        device = self.providers[0]
        return f"onnxruntime {ort.__version__}, {device}, {platform.machine()}"

    @property
    def ignores_company(self) -> bool:
        """Whether windows of one length can share a run without changing each other's last bit.

        It was measured for single precision on the CPU, whose kernels add up in one order whatever
        the size of the batch. A GPU chooses its kernels by that size, and dynamic quantisation
        scales by the whole batch.
        """
        return self._on_cpu and self.manifest.precision == "fp32"

    @property
    def runs_alone(self) -> bool:
        """Whether each window needs a run of its own.

        Dynamic quantisation scales by the whole batch: what else happens to be in it would change
        an answer. Windows in one run are no faster there.
        """
        return self.manifest.precision == "int8"

    @property
    def run_cost(self) -> int:
        """What a run costs beside its pieces, in pieces: so much padding saves a run of its own."""
        return _RUN_COST_CPU if self._on_cpu else _RUN_COST_DEVICE

    @property
    def _on_cpu(self) -> bool:
        return self.providers[0] == CPU

    def run(self, ids: NDArray[np.int64], mask: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the hidden states of a batch of windows.

        Args:
            ids: Vocabulary ids with special tokens, padded, [windows, length].
            mask: 1 for real pieces, 0 for padding, same shape.

        Returns:
            [taps, windows, length, hidden_size]; each vector is layer-normed.
        """
        if self.resident is not None:
            return np.asarray(self.resident.taps(ids, mask), dtype=np.float32)
        feeds = {"input_ids": ids, "attention_mask": mask}
        taps = self._session.run(["taps"], feeds)[0]
        return np.asarray(taps, dtype=np.float32)


def _stays(manifest: TrunkManifest, providers: Sequence[str], device: DeviceOptions) -> bool:
    """Return whether the states stay on the device for the banks.

    Not those of windows that run alone: gathering from many runs costs more than it saves, and int8
    is for CPUs.
    """
    if device.states != "auto":
        return device.states == "device"
    return device_of(providers) != "cpu" and manifest.precision != "int8"
