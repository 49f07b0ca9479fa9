"""Training that starts from the weights of adapters of another version."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch

from services.common.modeling.adapter import AdapterWeights, load_adapter
from services.common.modeling.documents import ManifestError
from services.common.modeling.manifest import LadderArchitecture
from services.trainer.engines.interface import AdapterArtifact, EngineError
from services.trainer.engines.ladder import Ladder

# Tensors whose last dimension counts the classes.
_OF_CLASSES = ("head_weight", "head_bias", "pool_weight", "span_weight")
_SHAPE = ("width", "context", "taps", "features", "head")


def load_initial(initial: Mapping[str, AdapterArtifact], trunk_digest: str) -> list[AdapterWeights]:
    """Return verified adapters that training starts from.

    Raises:
        EngineError: One reads another trunk, or words that this build no longer makes, or it is
            damaged.
    """
    try:
        adapters = [load_adapter(item.manifest, item.weights) for item in initial.values()]
    except ManifestError as error:
        # Not the trunk's manifest, which a damaged one would be mistaken for.
        raise EngineError(f"training cannot start from {error}: train from nothing") from error
    for adapter in adapters:
        if adapter.manifest.trunk_digest != trunk_digest:
            raise EngineError(
                f"the adapter of {adapter.label!r} reads the trunk "
                f"{adapter.manifest.trunk_digest}, not {trunk_digest}: its weights mean nothing "
                "there; train from nothing"
            )
    return adapters


def start_from(ladder: Ladder, adapters: Sequence[AdapterWeights], classes: Sequence[str]) -> None:
    """Put the adapters' weights in place of the first weights of theirs in the network.

    What the adapters do not have, labels or classes, keeps its first weights; adapters of labels
    that are not trained are left out.

    Args:
        ladder: The network, with its first weights.
        adapters: Where the training of some of its labels starts.
        classes: The classes of the network's logits; none for tags.

    Raises:
        EngineError: An adapter has another shape.
    """
    weights = {name: parameter.detach().clone() for name, parameter in ladder.named_parameters()}
    for adapter in adapters:
        if adapter.label not in ladder.labels:
            continue
        _check(adapter, ladder.architecture)
        row = ladder.labels.index(adapter.label)
        known = [name for name in adapter.manifest.classes if name in classes]
        there = [classes.index(name) for name in known]
        here = [adapter.manifest.classes.index(name) for name in known]
        for name, tensor in adapter.tensors.items():
            found = torch.from_numpy(tensor)
            if classes and name in _OF_CLASSES:
                weights[name][row][..., there] = found[..., here]
            else:
                weights[name][row] = found
    ladder.load(weights)


def _check(adapter: AdapterWeights, wanted: LadderArchitecture) -> None:
    shape = adapter.manifest.architecture
    if replace(shape, classes=wanted.classes) != wanted:
        differing = [
            f"{name} {getattr(shape, name)} instead of {getattr(wanted, name)}"
            for name in _SHAPE
            if getattr(shape, name) != getattr(wanted, name)
        ]
        raise EngineError(
            f"the adapter of {adapter.label!r} has another shape: {', '.join(differing)}. Leave "
            "width and context out to take its own, or train from nothing"
        )
