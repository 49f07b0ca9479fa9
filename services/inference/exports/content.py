"""What is exported: the verified parts of a model version, and the facts that follow from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from services.common.modeling.adapter import AdapterWeights
from services.common.modeling.heads import MODEL_TYPES, Head
from services.common.modeling.manifest import (
    TOKENIZER_FILE,
    TRUNK_FILE,
    AdapterManifest,
    TrunkManifest,
)
from services.common.modeling.word_features import FEATURISER
from services.common.modeling.words import WORD_SPLITTER

FORMAT = "spanloop-export-1"


@dataclass(frozen=True, kw_only=True)
class ExportContent:
    """A model version; all of its adapters have one head.

    Attributes:
        version: Its resource name.
        trunk: Manifest of its trunk.
        files: Files of the trunk by name.
        adapters: Its adapters, in the order of the graph.
    """

    version: str
    trunk: TrunkManifest
    files: Mapping[str, bytes]
    adapters: Sequence[AdapterWeights]

    @property
    def head(self) -> Head:
        """What the version answers."""
        return self.adapters[0].manifest.architecture.head

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
            "model_type": MODEL_TYPES[self.head],
            **self._answers(),
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

    def _answers(self) -> dict[str, Any]:
        """Return what the graph's answers mean."""
        match self.head:
            case Head.TAGS:
                return {"labels": [adapter.label for adapter in self.adapters]}
            case Head.CHOICES:
                return {"controls": [_control(adapter.manifest) for adapter in self.adapters]}
            case Head.ASSERTION:
                return {"statuses": list(self.adapters[0].manifest.classes)}


def _control(manifest: AdapterManifest) -> dict[str, Any]:
    return {
        "name": manifest.label,
        "values": list(manifest.classes),
        "scheme": manifest.decoding.scheme,
        "thresholds": list(manifest.decoding.thresholds),
    }
