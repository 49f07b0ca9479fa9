"""Messages of reports and workers."""

from __future__ import annotations

from spanloop._convert import basic, training
from spanloop._types import reports as types
from spanloop.trainer.v1 import resource_service_pb2, resources_pb2
from spanloop.trainer.v1 import training_report_pb2 as pb


def report(message: pb.TrainingReport) -> types.TrainingReport:
    """Return a report."""
    return types.TrainingReport(
        name=message.name,
        splits=tuple(_split(split) for split in message.splits),
        learning_curve=tuple(
            types.LearningCurvePoint(texts=point.texts, micro_f1=point.micro_f1)
            for point in message.learning_curve
        ),
        epochs=tuple(training.epoch(epoch) for epoch in message.epochs),
        precision_check=_precision(message.precision_check)
        if message.HasField("precision_check")
        else None,
    )


def workers(message: resource_service_pb2.ListResourcesResponse) -> types.Workers:
    """Return the workers."""
    return types.Workers(
        workers=tuple(_worker(worker) for worker in message.workers),
        waiting_jobs=message.waiting_jobs,
    )


def _precision(message: pb.PrecisionCheck) -> types.PrecisionCheck:
    return types.PrecisionCheck(
        precision=message.precision,
        trained=message.trained,
        fp32_evaluation=basic.split_evaluation_from(message.fp32_evaluation),
        max_label_loss=message.max_label_loss,
        min_spans=message.min_spans,
    )


def _split(message: pb.SplitReport) -> types.SplitReport:
    return types.SplitReport(
        evaluation=basic.split_evaluation_from(message.evaluation),
        confusion=tuple(
            types.ConfusionCell(
                annotated=cell.annotated, predicted=cell.predicted, count=cell.count
            )
            for cell in message.confusion
        ),
        errors={
            entry.label: types.LabelErrors(
                label=entry.label,
                correct=entry.correct,
                spurious=entry.spurious,
                missed=entry.missed,
                boundary=entry.boundary,
                wrong_label=entry.wrong_label,
            )
            for entry in message.errors
        },
        calibration=tuple(
            types.CalibrationBin(
                # A field is called `from`, which is a word of Python.
                low=getattr(entry, "from"),
                high=entry.to,
                count=entry.count,
                mean_score=entry.mean_score,
                precision=entry.precision,
            )
            for entry in message.calibration
        ),
        calibration_error=message.calibration_error,
        worst_examples=tuple(
            types.WorstExample(
                text=example.text,
                missed=tuple(example.missed),
                spurious=tuple(example.spurious),
                loss=example.loss,
            )
            for example in message.worst_examples
        ),
    )


def _worker(message: resources_pb2.Worker) -> types.Worker:
    return types.Worker(
        id=message.id,
        capacity=training.resources(message.capacity),
        free=training.resources(message.free),
        max_jobs=message.max_jobs,
        jobs=tuple(
            types.RunningJob(
                training_job=job.training_job,
                resources=training.resources(job.resources),
                start_time=basic.time_from(job.start_time, job.HasField("start_time")),
            )
            for job in message.jobs
        ),
        gpu_available=message.gpu_available,
        gpus=tuple(message.gpus),
        execution_providers=tuple(message.execution_providers),
        last_seen_time=basic.time_from(message.last_seen_time, message.HasField("last_seen_time")),
        engines=tuple(message.engines),
    )
