"""Training jobs as documents.

Maps keyed by label values are stored as lists of pairs: a label may hold any character, a document
key may not.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from services.common.store.port import Collection, Document, Index, Stored
from services.trainer.domain import (
    Baseline,
    DeploymentOutcome,
    EpochMetrics,
    Failure,
    FailureReason,
    Lease,
    ModelType,
    Parameters,
    Progress,
    Resources,
    SpanMetrics,
    SplitEvaluation,
    Timings,
    TrainingData,
    TrainingJob,
    TrainingSource,
    Transfer,
    TrunkPrecision,
)
from services.trainer.job_state import JobState

JOBS = "training_jobs"
LOGS = "training_logs"
REPORTS = "training_reports"
WORKERS = "training_workers"

COLLECTIONS = (
    Collection(
        name=JOBS,
        indexes=(
            Index(fields=("request_key",), unique=True),
            Index(fields=("project", "create_time")),
            Index(fields=("create_time",)),
            Index(fields=("state", "project", "create_time")),
            Index(fields=("project", "claim_time")),
            Index(fields=("group", "create_time")),
            Index(fields=("deploy_pending", "end_time"), where={"deploy_pending": True}),
        ),
    ),
    Collection(name=LOGS, indexes=(Index(fields=("job", "first")),)),
    Collection(name=REPORTS),
    Collection(name=WORKERS),
)


def job_document(job: TrainingJob) -> Document:
    """Return the document of a new job, without its request key."""
    return {
        "project": job.project,
        "snapshot": job.snapshot,
        "labels": list(job.labels),
        "base_model_version": job.base_model_version,
        "parameters": _parameters_value(job.parameters),
        "trunk_source": job.trunk_source,
        "trunk_precision": job.trunk_precision and asdict(job.trunk_precision),
        "model_type": job.model_type.value,
        "control": job.control,
        "engine": job.engine,
        "multiple": job.multiple,
        "data": job.data and job.data.document,
        "transfer": job.transfer and asdict(job.transfer),
        "resources": asdict(job.resources),
        "waiting_reason": job.waiting_reason,
        "source": job.source.value,
        "group": job.group,
        "deploy": job.deploy,
        "deployment": job.deployment and asdict(job.deployment),
        # Whether deploying is still to be decided on, once it is DONE.
        "deploy_pending": job.deploy,
        "baseline": baseline_value(job.baseline),
        "replace_newest": job.replace_newest,
        "example_counts": dict(job.example_counts),
        "script": job.script,
        "state": job.state.value,
        "attempt": job.attempt,
        "cancel_requested": job.cancel_requested,
        "committed": job.committed,
        "progress": asdict(job.progress),
        "epochs": epochs_value(job.epochs),
        "evaluation": evaluation_value(job.evaluation),
        "model_version": job.model_version,
        "failure": failure_value(job.failure),
        "warnings": list(job.warnings),
        "timings": asdict(job.timings),
        "lease": asdict(job.lease),
        "version": job.version,
        "create_time": job.create_time,
        "start_time": job.start_time,
        "end_time": job.end_time,
        # Orders a project among others; 0 until its first claim, so that it can be sorted by.
        "claim_time": 0,
    }


def job_of(stored: Stored) -> TrainingJob:
    """Return the job that a document holds."""
    body = stored.body
    failure = body["failure"]
    return TrainingJob(
        project=body["project"],
        id=stored.id,
        snapshot=body["snapshot"],
        labels=tuple(body["labels"]),
        base_model_version=body["base_model_version"],
        parameters=_parameters(body["parameters"]),
        trunk_source=body["trunk_source"],
        model_type=ModelType(body["model_type"]),
        # Jobs of the first release have none of these.
        trunk_precision=TrunkPrecision(**chosen)
        if (chosen := body.get("trunk_precision"))
        else None,
        control=body.get("control", ""),
        engine=body.get("engine", "ladder"),
        multiple=body.get("multiple", False),
        data=TrainingData(document=data) if (data := body.get("data")) else None,
        transfer=Transfer(**transfer) if (transfer := body.get("transfer")) else None,
        resources=Resources(**body.get("resources", {})),
        waiting_reason=body.get("waiting_reason", ""),
        source=TrainingSource(body.get("source", TrainingSource.MANUAL)),
        group=body.get("group", ""),
        deploy=body.get("deploy", False),
        deployment=DeploymentOutcome(**outcome) if (outcome := body.get("deployment")) else None,
        baseline=_baseline(body.get("baseline")),
        replace_newest=body.get("replace_newest", False),
        example_counts=body.get("example_counts", {}),
        script=body.get("script", ""),
        state=JobState(body["state"]),
        attempt=body["attempt"],
        cancel_requested=body["cancel_requested"],
        committed=body["committed"],
        progress=Progress(**body["progress"]),
        epochs=tuple(_epoch(entry) for entry in body["epochs"]),
        evaluation=evaluation_of(body["evaluation"]),
        model_version=body["model_version"],
        failure=failure
        and Failure(reason=FailureReason(failure["reason"]), message=failure["message"]),
        warnings=tuple(body["warnings"]),
        timings=Timings(**body["timings"]),
        lease=Lease(**body["lease"]),
        version=body["version"],
        create_time=body["create_time"],
        start_time=body["start_time"],
        end_time=body["end_time"],
    )


def _parameters_value(parameters: Parameters) -> Document:
    return {
        **asdict(parameters),
        "engine_options": [list(option) for option in parameters.engine_options.items()],
    }


def _parameters(value: Document) -> Parameters:
    return Parameters(**{**value, "engine_options": dict(value.get("engine_options", ()))})


def baseline_value(baseline: Baseline | None) -> Document | None:
    """Return the document value of a baseline."""
    if baseline is None:
        return None
    measured = (baseline.evaluation,) if baseline.evaluation else ()
    return {
        "model_version": baseline.model_version,
        "evaluation": evaluation_value(measured),
        "reason": baseline.reason,
    }


def _baseline(value: Document | None) -> Baseline | None:
    return None if value is None else baseline_of(value)


def baseline_of(value: Document) -> Baseline:
    """Return the baseline that a document value holds."""
    measured = evaluation_of(value["evaluation"])
    return Baseline(
        model_version=value["model_version"],
        evaluation=measured[0] if measured else None,
        reason=value["reason"],
    )


def failure_value(failure: Failure | None) -> Document | None:
    """Return a failure's document value."""
    if failure is None:
        return None
    return {"reason": failure.reason.value, "message": failure.message}


def epochs_value(epochs: Iterable[EpochMetrics]) -> list[Document]:
    """Return the document value of the passes."""
    return [
        {**asdict(epoch), "dev_f1": [[label, f1] for label, f1 in epoch.dev_f1.items()]}
        for epoch in epochs
    ]


def _epoch(entry: Document) -> EpochMetrics:
    return EpochMetrics(**{**entry, "dev_f1": dict(entry["dev_f1"])})


def evaluation_value(evaluation: Iterable[SplitEvaluation]) -> list[Document]:
    """Return the document value of an evaluation."""
    return [
        {
            "split": split.split,
            "labels": [[label, asdict(metrics)] for label, metrics in split.labels.items()],
            "micro": asdict(split.micro),
            "macro": asdict(split.macro),
            "texts": split.texts,
        }
        for split in evaluation
    ]


def evaluation_of(entries: Iterable[Any]) -> tuple[SplitEvaluation, ...]:
    """Return the evaluation that a document value holds."""
    return tuple(
        SplitEvaluation(
            split=entry["split"],
            labels={label: SpanMetrics(**metrics) for label, metrics in entry["labels"]},
            micro=SpanMetrics(**entry["micro"]),
            macro=SpanMetrics(**entry["macro"]),
            texts=entry["texts"],
        )
        for entry in entries
    )
