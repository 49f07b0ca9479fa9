"""What is exported: the verified parts of a model version, and the facts that follow from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from services.common.modeling.adapter import AdapterWeights
from services.common.modeling.manifest import TOKENIZER_FILE, TRUNK_FILE, TrunkManifest
from services.common.modeling.word_features import FEATURISER
from services.common.modeling.words import WORD_SPLITTER

FORMAT = "spanloop-export-1"


@dataclass(frozen=True, kw_only=True)
class ExportContent:
    """A model version that finds spans.

    Attributes:
        version: Its resource name.
        trunk: Manifest of its trunk.
        files: Files of the trunk by name.
        adapters: Its adapters by label.
    """

    version: str
    trunk: TrunkManifest
    files: Mapping[str, bytes]
    adapters: Sequence[AdapterWeights]

    @property
    def trunk_model(self) -> bytes:
        """The trunk's graph."""
        return self.files[TRUNK_FILE]

    @property
    def tokenizer(self) -> bytes:
        """The trunk's tokenizer."""
        return self.files[TOKENIZER_FILE]

    @property
    def max_length(self) -> int:
        """Pieces per window, special tokens included."""
        longest = max(adapter.manifest.max_length for adapter in self.adapters)
        return min(longest, self.trunk.max_length)

    @property
    def stride(self) -> int:
        """Pieces that neighbouring windows share."""
        return max(adapter.manifest.stride for adapter in self.adapters)

    def document(self) -> dict[str, Any]:
        """Return what running the model needs to know."""
        return {
            "format": FORMAT,
            "model_version": self.version,
            "labels": [adapter.label for adapter in self.adapters],
            "max_length": self.max_length,
            "stride": self.stride,
            "reach": max(adapter.manifest.architecture.reach for adapter in self.adapters),
            "pad_token_id": self.trunk.pad_token_id,
            "word_splitter": WORD_SPLITTER,
            "featuriser": FEATURISER,
            "trunk": {
                "name": self.trunk.name,
                "source": self.trunk.source,
                "digest": self.trunk.digest,
                "precision": self.trunk.precision,
            },
            "adapters": {adapter.label: adapter.manifest.digest for adapter in self.adapters},
        }
