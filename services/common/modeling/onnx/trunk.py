"""Runs a trunk: the frozen encoder whose hidden states all adapters read."""

from __future__ import annotations

import platform
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray
from onnxruntime.capi import onnxruntime_pybind11_state as ort_errors

from services.common.modeling.manifest import (
    TOKENIZER_FILE,
    TRUNK_FILE,
    ManifestError,
    TrunkManifest,
)
from services.common.modeling.onnx.providers import CPU, session_options
from services.common.modeling.tokenisation import TextTokenizer

MANIFEST_FILE = "manifest.json"
"""Name of the manifest beside a trunk's files in a folder."""

# On a CPU starting a run takes about as long as 8 more pieces in it. A GPU has
# thousands done in the time that it takes to start one.
_RUN_COST_CPU, _RUN_COST_DEVICE = 8, 4096

_LOAD_ERRORS = (
    ort_errors.Fail,
    ort_errors.InvalidArgument,
    ort_errors.InvalidGraph,
    ort_errors.InvalidProtobuf,
    ort_errors.NotImplemented,
    ort_errors.RuntimeException,
)


class TrunkRunner:
    """A verified trunk in a session. Runs may come from several threads at once."""

    def __init__(
        self, manifest: TrunkManifest, session: ort.InferenceSession, tokenizer: TextTokenizer
    ) -> None:
        """Use an open session; prefer ``open`` or ``open_folder``."""
        self.manifest = manifest
        self.tokenizer = tokenizer
        self._session = session

    @classmethod
    def open(
        cls,
        manifest: TrunkManifest,
        read: Callable[[str], bytes],
        *,
        providers: Sequence[str],
        threads: int = 0,
    ) -> TrunkRunner:
        """Verify a trunk's files against its manifest and open them.

        Args:
            manifest: What the files must be.
            read: Returns the bytes of a file by name.
            providers: As ``choose_providers`` returns them.
            threads: Threads within one run; 0 for all cores.

        Raises:
            ManifestError: If a file differs from the manifest or is no such model.
        """
        files = {}
        for name in (TRUNK_FILE, TOKENIZER_FILE):
            files[name] = read(name)
            manifest.files[name].verify(name, files[name])
        tokenizer = TextTokenizer.from_bytes(files[TOKENIZER_FILE])
        try:
            session = ort.InferenceSession(
                files[TRUNK_FILE], session_options(threads), providers=list(providers)
            )
        except _LOAD_ERRORS as error:
            raise ManifestError(f"{TRUNK_FILE} of {manifest.name} cannot be loaded") from error
        output = session.get_outputs()[0]
        inputs = [node.name for node in session.get_inputs()]
        if inputs != ["input_ids", "attention_mask"] or output.shape[0] != manifest.taps:
            raise ManifestError(f"{TRUNK_FILE} of {manifest.name} has other inputs or outputs")
        return cls(manifest, session, tokenizer)

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
    def runtime(self) -> str:
        """What computes: other releases, devices and processors may give other last bits."""
        device = self._session.get_providers()[0]
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
        return bool(self._session.get_providers()[0] == CPU)

    def run(self, ids: NDArray[np.int64], mask: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the hidden states of a batch of windows.

        Args:
            ids: Vocabulary ids with special tokens, padded, [windows, length].
            mask: 1 for real pieces, 0 for padding, same shape.

        Returns:
            [taps, windows, length, hidden_size]; each vector is layer-normed.
        """
        feeds = {"input_ids": ids, "attention_mask": mask}
        taps = self._session.run(["taps"], feeds)[0]
        return np.asarray(taps, dtype=np.float32)
