"""One label's weights: written and read as safetensors, never trusted unverified."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from services.common.modeling.manifest import ADAPTER_FILE, AdapterManifest, ManifestError
from services.common.modeling.word_features import FEATURE_COUNT, FEATURISER
from services.common.modeling.words import WORD_SPLITTER


@dataclass(frozen=True, kw_only=True)
class AdapterWeights:
    """A verified adapter: its manifest and its tensors (float32, shapes as in the manifest)."""

    manifest: AdapterManifest
    tensors: Mapping[str, NDArray[np.float32]]

    @property
    def label(self) -> str:
        """The label's name."""
        return self.manifest.label


def pack_adapter(tensors: Mapping[str, NDArray[np.float32]]) -> bytes:
    """Return the safetensors bytes; equal tensors give equal bytes."""
    return save({name: np.ascontiguousarray(tensors[name]) for name in sorted(tensors)})


def load_adapter(manifest_bytes: bytes, weights: bytes) -> AdapterWeights:
    """Verify an adapter and return it.

    Checks the manifest, size and SHA-256 of the weights, names, shapes and type of the tensors,
    that every number is finite, and that this library's word rules and features are the ones that
    the adapter was trained with.

    Raises:
        ManifestError: If any check fails; the message names the label and the reason.
    """
    manifest = AdapterManifest.from_bytes(manifest_bytes)
    label = manifest.label
    if manifest.word_splitter != WORD_SPLITTER or manifest.featuriser != FEATURISER:
        raise ManifestError(
            f"adapter {label!r} needs words {manifest.word_splitter} and features "
            f"{manifest.featuriser}; this build has {WORD_SPLITTER} and {FEATURISER}"
        )
    if manifest.architecture.features != FEATURE_COUNT:
        raise ManifestError(f"adapter {label!r} reads another number of features than there are")
    manifest.files[ADAPTER_FILE].verify(f"{ADAPTER_FILE} of {label!r}", weights)
    try:
        tensors = load(weights)
    except (SafetensorError, KeyError, ValueError) as error:
        raise ManifestError(f"adapter {label!r}: its weights are not safetensors") from error
    if set(tensors) != set(manifest.tensors):
        raise ManifestError(f"adapter {label!r} has other tensors than its manifest says")
    for name, shape in manifest.tensors.items():
        tensor = tensors[name]
        if tensor.shape != shape or tensor.dtype != np.float32:
            raise ManifestError(f"adapter {label!r}: tensor {name} is not float32 of {shape}")
        if not np.isfinite(tensor).all():
            raise ManifestError(f"adapter {label!r}: tensor {name} holds NaN or infinity")
    return AdapterWeights(manifest=manifest, tensors=tensors)
