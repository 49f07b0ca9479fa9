"""The folder of an export, opened."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from services.common.modeling.tokenisation import TextTokenizer
from services.common.modeling.word_feeds import Reading


class ExportedGraph:
    """What is the same for all types of models.

    Attributes:
        config: What ``config.json`` says.
        tokenizer: The trunk's tokenizer.
        reading: How texts are read.
    """

    def __init__(self, folder: str | Path) -> None:
        """Open ``config.json``, ``tokenizer.json`` and ``model.onnx``."""
        self.config: dict[str, Any] = json.loads(Path(folder, "config.json").read_bytes())
        self.tokenizer = TextTokenizer.from_bytes(Path(folder, "tokenizer.json").read_bytes())
        self.reading = Reading.of(self.config)
        options = ort.SessionOptions()
        # Threads that spin between runs are fast alone, and slow beside anything else.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._session = ort.InferenceSession(
            str(Path(folder, "model.onnx")), options, providers=["CPUExecutionProvider"]
        )

    def run(
        self, outputs: Sequence[str], inputs: Mapping[str, NDArray[Any]]
    ) -> list[NDArray[np.float32]]:
        """Return these outputs of the graph."""
        return list(self._session.run(list(outputs), dict(inputs)))
