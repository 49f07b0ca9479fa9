"""Stored documents ↔ domain values.

Maps whose keys callers choose (labels, file names) are kept as lists of pairs: the keys of a
document belong to developers.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from services.common.store.port import Document, Stored
from services.registry.domain import (
    Action,
    Adapter,
    DeployedModel,
    Deployment,
    Lineage,
    ModelType,
    ModelVersion,
    ParityReport,
    SpanMetrics,
    Split,
    SplitEvaluation,
    Trunk,
    VersionDraft,
    VersionState,
)


def trunk_document(trunk: Trunk) -> Document:
    """Return the body of a trunk."""
    return {
        "digest": trunk.digest,
        "manifest": trunk.manifest.decode(),
        "source": trunk.source,
        "precision": trunk.precision,
        "hidden_size": trunk.hidden_size,
        "taps": trunk.taps,
        "files": _pairs(trunk.files),
        "create_time": trunk.create_time,
    }


def trunk_of(stored: Stored) -> Trunk:
    """Return the trunk of a document."""
    body = stored.body
    return Trunk(
        digest=body["digest"],
        manifest=body["manifest"].encode(),
        source=body["source"],
        precision=body["precision"],
        hidden_size=body["hidden_size"],
        taps=body["taps"],
        files=_map(body["files"]),
        create_time=body["create_time"],
    )


def adapter_document(adapter: Adapter) -> Document:
    """Return the body of an adapter."""
    return {
        "digest": adapter.digest,
        "manifest": adapter.manifest.decode(),
        "label": adapter.label,
        "model_type": adapter.model_type,
        "trunk_digest": adapter.trunk_digest,
        "files": _pairs(adapter.files),
        "create_time": adapter.create_time,
    }


def adapter_of(stored: Stored) -> Adapter:
    """Return the adapter of a document."""
    body = stored.body
    return Adapter(
        digest=body["digest"],
        manifest=body["manifest"].encode(),
        label=body["label"],
        model_type=ModelType(body["model_type"]),
        trunk_digest=body["trunk_digest"],
        files=_map(body["files"]),
        create_time=body["create_time"],
    )


def version_document(
    draft: VersionDraft,
    *,
    number: int,
    replacement: int,
    trunk_digest: str,
    create_time: int,
) -> Document:
    """Return the body of a new, REGISTERED model version."""
    return {
        "project": draft.project,
        "model_type": draft.model_type,
        "control": draft.control,
        "number": number,
        "replacement": replacement,
        "replaced_by": "",
        # Whether those whose place it takes must be told yet, once it is READY.
        "replacing": replacement > 0,
        "adapters": _pairs(draft.adapters),
        "trunk_digest": trunk_digest,
        "evaluation": [_evaluation_document(entry) for entry in draft.evaluation],
        "lineage": {
            "snapshot": draft.lineage.snapshot,
            "snapshot_content_hash": draft.lineage.snapshot_content_hash,
            "training_job": draft.lineage.training_job,
            "code_version": draft.lineage.code_version,
            "parameters": draft.lineage.parameters,
        },
        "state": VersionState.REGISTERED,
        "failure_message": "",
        "parity": None,
        "create_time": create_time,
    }


def version_of(stored: Stored) -> ModelVersion:
    """Return the model version of a document."""
    body = stored.body
    return ModelVersion(
        project=body["project"],
        model_type=ModelType(body["model_type"]),
        number=body["number"],
        # Versions of the first release have none of these.
        control=body.get("control", ""),
        replacement=body.get("replacement", 0),
        replaced_by=body.get("replaced_by", ""),
        adapters=_map(body["adapters"]),
        trunk_digest=body["trunk_digest"],
        evaluation=tuple(_evaluation_of(entry) for entry in body["evaluation"]),
        lineage=Lineage(**body["lineage"]),
        state=VersionState(body["state"]),
        failure_message=body["failure_message"],
        parity=None if body["parity"] is None else _parity_of(body["parity"]),
        etag=str(stored.revision),
        create_time=body["create_time"],
    )


def parity_document(report: ParityReport) -> Document:
    """Return the body of a parity report; a difference that is no number is kept as text."""
    diff = report.max_abs_diff
    return {
        "max_abs_diff": diff if math.isfinite(diff) else str(diff),
        "texts": report.texts,
        "span_mismatches": report.span_mismatches,
    }


def deployment_document(deployment: Deployment) -> Document:
    """Return the body of a revision, without its place in the log."""
    return {
        "project": deployment.project,
        "revision": deployment.revision,
        "models": [
            {
                "model_type": model.model_type,
                "control": model.control,
                "version": model.version,
                "trunk_digest": model.trunk_digest,
                "adapters": _pairs(model.adapters),
            }
            for model in deployment.models
        ],
        "action": deployment.action,
        "restored_revision": deployment.restored_revision,
        "create_time": deployment.create_time,
    }


def deployment_of(stored: Stored) -> Deployment:
    """Return the revision of a document."""
    body = stored.body
    return Deployment(
        project=body["project"],
        revision=body["revision"],
        models=tuple(
            DeployedModel(
                model_type=ModelType(model["model_type"]),
                control=model.get("control", ""),
                version=model["version"],
                trunk_digest=model["trunk_digest"],
                adapters=_map(model["adapters"]),
            )
            for model in body["models"]
        ),
        action=Action(body["action"]),
        restored_revision=body["restored_revision"],
        create_time=body["create_time"],
    )


def _parity_of(body: Document) -> ParityReport:
    return ParityReport(
        max_abs_diff=float(body["max_abs_diff"]),
        texts=body["texts"],
        span_mismatches=body["span_mismatches"],
    )


def _evaluation_document(entry: SplitEvaluation) -> Document:
    return {
        "split": entry.split,
        "labels": [[label, _metrics_document(found)] for label, found in entry.labels.items()],
        "micro": _metrics_document(entry.micro),
        "macro": _metrics_document(entry.macro),
        "texts": entry.texts,
    }


def _evaluation_of(body: Document) -> SplitEvaluation:
    return SplitEvaluation(
        split=Split(body["split"]),
        labels={label: SpanMetrics(**found) for label, found in body["labels"]},
        micro=SpanMetrics(**body["micro"]),
        macro=SpanMetrics(**body["macro"]),
        texts=body["texts"],
    )


def _metrics_document(metrics: SpanMetrics) -> Document:
    return {
        "precision": metrics.precision,
        "recall": metrics.recall,
        "f1": metrics.f1,
        "support": metrics.support,
        "predicted": metrics.predicted,
        "correct": metrics.correct,
    }


def _pairs(values: Mapping[str, str]) -> list[Any]:
    return [[key, values[key]] for key in sorted(values)]


def _map(pairs: list[Any]) -> dict[str, str]:
    return dict(pairs)
