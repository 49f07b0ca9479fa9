"""Reports as protobuf messages."""

from __future__ import annotations

from services.trainer.convert import epoch_out, evaluation_out
from services.trainer.domain import TrainingJob
from services.trainer.reports.model import PrecisionReport, SplitReport, TrainingReport
from spanloop.trainer.v1 import training_report_pb2 as pb


def report_out(job: TrainingJob, report: TrainingReport) -> pb.TrainingReport:
    """Return a report's message; the passes are the job's."""
    message = pb.TrainingReport(
        name=f"{job.name}/report",
        splits=[_split(split) for split in report.splits],
        learning_curve=[
            pb.LearningCurvePoint(texts=point.texts, micro_f1=point.micro_f1)
            for point in report.learning_curve
        ],
        epochs=[epoch_out(epoch) for epoch in job.epochs],
    )
    if report.precision is not None:
        message.precision_check.CopyFrom(_precision(report.precision))
    return message


def _precision(report: PrecisionReport) -> pb.PrecisionCheck:
    return pb.PrecisionCheck(
        precision=report.precision,
        fp32_evaluation=evaluation_out([report.fp32]).splits[0],
        max_label_loss=report.max_label_loss,
        min_spans=report.min_spans,
        trained=report.trained,
    )


def _split(split: SplitReport) -> pb.SplitReport:
    return pb.SplitReport(
        evaluation=evaluation_out([split.evaluation]).splits[0],
        confusion=[
            pb.ConfusionCell(annotated=cell.annotated, predicted=cell.predicted, count=cell.count)
            for cell in split.confusion
        ],
        errors=[
            pb.LabelErrors(
                label=entry.label,
                correct=entry.correct,
                spurious=entry.spurious,
                missed=entry.missed,
                boundary=entry.boundary,
                wrong_label=entry.wrong_label,
            )
            for entry in split.errors
        ],
        calibration=[
            # A field is called `from`, which is a word of Python.
            pb.CalibrationBin(
                **{"from": entry.low},
                to=entry.high,
                count=entry.count,
                mean_score=entry.mean_score,
                precision=entry.precision,
            )
            for entry in split.calibration
        ],
        calibration_error=split.calibration_error,
        worst_examples=[
            pb.WorstExample(
                text=example.text,
                missed=example.missed,
                spurious=example.spurious,
                loss=example.loss,
            )
            for example in split.worst
        ],
    )
