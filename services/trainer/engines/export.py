"""From trained weights to the adapters that the registry keeps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from services.common.modeling.adapter import pack_adapter
from services.common.modeling.evaluation import Evaluation
from services.common.modeling.manifest import (
    ADAPTER_FILE,
    AdapterManifest,
    Decoding,
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
    """Return one label's adapter.

    Args:
        trained: All labels' weights.
        label: The label to export.
        trunk: The trunk that it was trained on.
        params: The run's parameters; they go into the lineage.
        evaluations: By split; the label's scores go into the metrics.
        lineage: What else it comes from.
    """
    index = trained.ladder.labels.index(label)
    weights = pack_adapter(trained.ladder.label_tensors(index))
    manifest = AdapterManifest(
        label=label,
        trunk_digest=trunk.digest,
        tokenizer_digest=trunk.tokenizer_digest,
        architecture=trained.ladder.architecture,
        decoding=Decoding(outside_bias=trained.outside_bias[label]),
        max_length=min(params.max_length, trunk.max_length),
        stride=params.stride,
        files={ADAPTER_FILE: FileDigest.of(weights)},
        word_splitter=WORD_SPLITTER,
        featuriser=FEATURISER,
        metrics={
            split: evaluation.labels[label].to_document()
            for split, evaluation in evaluations.items()
        },
        lineage={
            **lineage,
            "engine": "ladder",
            "params": params.to_document(),
            "best_epoch": trained.best_epochs[label],
        },
    )
    return AdapterArtifact(manifest=manifest.to_bytes(), weights=weights)
