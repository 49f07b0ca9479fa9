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
    Adapter,
    Baseline,
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
        "files": pairs(trunk.files),
        "create_time": trunk.create_time,
        "actor": trunk.actor,
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
        files=mapping(body["files"]),
        create_time=body["create_time"],
        # What an earlier release registered has no actor.
        actor=body.get("actor", ""),
    )


def adapter_document(adapter: Adapter) -> Document:
    """Return the body of an adapter."""
    return {
        "digest": adapter.digest,
        "manifest": adapter.manifest.decode(),
        "label": adapter.label,
        "model_type": adapter.model_type,
        "trunk_digest": adapter.trunk_digest,
        "files": pairs(adapter.files),
        "create_time": adapter.create_time,
        "actor": adapter.actor,
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
        files=mapping(body["files"]),
        create_time=body["create_time"],
        # What an earlier release registered has no actor.
        actor=body.get("actor", ""),
    )


def version_document(
    draft: VersionDraft,
    *,
    number: int,
    replacement: int,
    trunk_digest: str,
    create_time: int,
    actor: str,
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
        "adapters": pairs(draft.adapters),
        "trunk_digest": trunk_digest,
        "evaluation": [_evaluation_document(entry) for entry in draft.evaluation],
        "lineage": {
            "snapshot": draft.lineage.snapshot,
            "snapshot_content_hash": draft.lineage.snapshot_content_hash,
            "training_job": draft.lineage.training_job,
            "code_version": draft.lineage.code_version,
            "parameters": draft.lineage.parameters,
            "base_model_versions": list(draft.lineage.base_model_versions),
        },
        "baseline": None if draft.baseline is None else _baseline_document(draft.baseline),
        "state": VersionState.REGISTERED,
        "failure_message": "",
        "parity": None,
        "create_time": create_time,
        "actor": actor,
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
        adapters=mapping(body["adapters"]),
        trunk_digest=body["trunk_digest"],
        evaluation=tuple(_evaluation_of(entry) for entry in body["evaluation"]),
        lineage=_lineage_of(body["lineage"]),
        baseline=_baseline_of(found) if (found := body.get("baseline")) else None,
        state=VersionState(body["state"]),
        failure_message=body["failure_message"],
        parity=None if body["parity"] is None else _parity_of(body["parity"]),
        etag=str(stored.revision),
        create_time=body["create_time"],
        actor=body.get("actor", ""),
        purge_time=body.get("purge_time"),
    )


def parity_document(report: ParityReport) -> Document:
    """Return the body of a parity report; a difference that is no number is kept as text."""
    diff = report.max_abs_diff
    return {
        "max_abs_diff": diff if math.isfinite(diff) else str(diff),
        "texts": report.texts,
        "span_mismatches": report.span_mismatches,
    }


def _parity_of(body: Document) -> ParityReport:
    return ParityReport(
        max_abs_diff=float(body["max_abs_diff"]),
        texts=body["texts"],
        span_mismatches=body["span_mismatches"],
    )


def _lineage_of(body: Document) -> Lineage:
    return Lineage(**{**body, "base_model_versions": tuple(body.get("base_model_versions", ()))})


def _baseline_document(baseline: Baseline) -> Document:
    return {
        "model_version": baseline.model_version,
        "evaluation": _evaluation_document(baseline.evaluation),
    }


def _baseline_of(body: Document) -> Baseline:
    return Baseline(
        model_version=body["model_version"], evaluation=_evaluation_of(body["evaluation"])
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


def pairs(values: Mapping[str, str]) -> list[Any]:
    """Return a map as sorted pairs."""
    return [[key, values[key]] for key in sorted(values)]


def mapping(found: list[Any]) -> dict[str, str]:
    """Return the map that pairs were made of."""
    return dict(found)
