"""From trained weights to the adapters that the registry keeps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from services.common.modeling.adapter import pack_adapter
from services.common.modeling.evaluation import Evaluation
from services.common.modeling.manifest import (
    ADAPTER_FILE,
    AdapterManifest,
    FileDigest,
    TrunkManifest,
)
from services.common.modeling.word_features import FEATURISER
from services.common.modeling.words import WORD_SPLITTER
from services.trainer.engines.interface import AdapterArtifact
from services.trainer.engines.params import LadderParams
from services.trainer.engines.training_plan import TrainedLadder


def export_adapter(
    trained: TrainedLadder,
    label: str,
    *,
    trunk: TrunkManifest,
    params: LadderParams,
    evaluations: Mapping[str, Evaluation],
    lineage: Mapping[str, Any],
) -> AdapterArtifact:
    """Return one adapter.

    Args:
        trained: All adapters' weights.
        label: The adapter to export.
        trunk: The trunk that it was trained on.
        params: The run's parameters; they go into the lineage.
        evaluations: By split; the adapter's scores go into the metrics.
        lineage: What else it comes from.
    """
    index = trained.ladder.labels.index(label)
    weights = pack_adapter(trained.ladder.label_tensors(index))
    manifest = AdapterManifest(
        label=label,
        trunk_digest=trunk.digest,
        tokenizer_digest=trunk.tokenizer_digest,
        architecture=trained.ladder.architecture,
        decoding=trained.decodings[label],
        classes=trained.classes,
        max_length=min(params.max_length, trunk.max_length),
        stride=params.stride,
        files={ADAPTER_FILE: FileDigest.of(weights)},
        word_splitter=WORD_SPLITTER,
        featuriser=FEATURISER,
        metrics={
            split: _scores(evaluation, label, trained.classes)
            for split, evaluation in evaluations.items()
        },
        lineage={
            **lineage,
            "params": params.to_document(),
            "best_epoch": trained.best_epochs[label],
        },
    )
    return AdapterArtifact(manifest=manifest.to_bytes(), weights=weights)


def _scores(evaluation: Evaluation, label: str, classes: Sequence[str]) -> dict[str, Any]:
    """Return a label's own score, or those of all classes of an adapter that has some."""
    return evaluation.to_document() if classes else evaluation.labels[label].to_document()
