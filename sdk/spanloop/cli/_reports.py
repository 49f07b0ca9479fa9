"""`spanloop report`, `logs` and `workers`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from spanloop.cli._output import note, print_evaluation, print_json, print_table
from spanloop.cli._session import AsJson, Context, job_name, session_of, target_of
from spanloop.types import (
    EvaluationReport,
    SplitReport,
    TrainingReport,
    TrainingResources,
    Worker,
)

_MOST_CONFUSED = 10
_MOST_EXAMPLES = 5
_SHOWN_TEXT = 200
_GIB = 1024**3


def add_to(root: typer.Typer) -> None:
    """Add the commands."""
    root.command("report")(report)
    root.command("logs")(logs)
    root.command("workers")(workers)


def report(
    context: Context,
    job: Annotated[
        str, typer.Argument(metavar="JOB", help="Name of a training job, or PROJECT/JOB.")
    ],
    html: Annotated[
        Path | None,
        typer.Option("--html", help="Write it as one HTML page with plots; `-` is stdout."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show how well a training job's model does, and where it goes wrong."""
    name = job_name(job, "trainingJobs")
    with session_of(context).client() as client:
        if html is not None:
            size = client.download_training_report(name, target_of(html))
            sys.stdout.buffer.flush()
            note(f"Wrote the page, {size} bytes.")
            return
        found = client.get_training_report(name)
    print_json(found) if as_json else _show(found)


def logs(
    context: Context,
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME",
            help="Name of a training job (PROJECT/JOB is short for it) or of a training group.",
        ),
    ],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="File to write; default: stdout.")
    ] = None,
) -> None:
    """Download the log of a training job as text, or those of a group as a ZIP archive."""
    target = target_of(output)
    with session_of(context).client() as client:
        size = client.download_training_logs(job_name(name, "trainingJobs"), target)
    sys.stdout.buffer.flush()
    note(f"Downloaded {size} bytes.")


def workers(context: Context, as_json: AsJson = False) -> None:
    """Show the workers that train, what they have and what runs on each."""
    with session_of(context).client() as client:
        found = client.list_resources()
    if as_json:
        print_json(found)
        return
    print_table(
        ["worker", "#jobs", "#CPU free", "#GPU free", "#GiB free", "GPUs", "runs"],
        (
            (
                worker.id,
                f"{len(worker.jobs)} of {worker.max_jobs}",
                *_free(worker),
                ", ".join(worker.gpus) or ("yes" if worker.gpu_available else "none"),
                "\n".join(job.training_job for job in worker.jobs),
            )
            for worker in found.workers
        ),
    )
    note(f"{found.waiting_jobs} jobs wait.")


def _free(worker: Worker) -> tuple[str, str, str]:
    def of(resources: TrainingResources) -> tuple[str, str, str]:
        return str(resources.cpu), str(resources.gpu), f"{resources.memory_bytes / _GIB:.1f}"

    free, capacity = of(worker.free), of(worker.capacity)
    return (
        f"{free[0]} of {capacity[0]}",
        f"{free[1]} of {capacity[1]}",
        f"{free[2]} of {capacity[2]}",
    )


def _show(found: TrainingReport) -> None:
    for split in found.splits:
        print_evaluation(EvaluationReport(splits=(split.evaluation,)), split=split.evaluation.split)
        _show_errors(split)
    if (check := found.precision_check) is not None:
        print_evaluation(
            EvaluationReport(splits=(check.fp32_evaluation,)), split=check.fp32_evaluation.split
        )
        what = "trained" if check.trained else "read by the same adapters"
        note(
            f"Above: {what} in fp32 instead of {check.precision}. Labels with {check.min_spans} "
            f"spans or more may lose {check.max_label_loss:g} of F1."
        )
    if found.learning_curve:
        print_table(
            ["#train texts", "#micro F1"],
            ((point.texts, point.micro_f1) for point in found.learning_curve),
            title="Learning curve (dev)",
        )
    if not found.splits:
        note("No split was held out: there is nothing to measure on.")


def _show_errors(split: SplitReport) -> None:
    name = split.evaluation.split.value
    if any(entry.correct or entry.missed for entry in split.errors.values()):
        print_table(
            ["label", "#correct", "#boundary", "#wrong label", "#missed", "#spurious"],
            (
                (e.label, e.correct, e.boundary, e.wrong_label, e.missed, e.spurious)
                for e in split.errors.values()
            ),
            title=f"Errors on {name}; calibration error {split.calibration_error:.3f}",
        )
    confused = [
        cell
        for cell in split.confusion
        if cell.annotated and cell.predicted and cell.annotated != cell.predicted
    ]
    if confused:
        print_table(
            ["annotated", "predicted", "#count"],
            ((c.annotated, c.predicted, c.count) for c in confused[:_MOST_CONFUSED]),
            title=f"Taken for another on {name}",
        )
    if split.worst_examples:
        print_table(
            ["#loss", "text", "missed", "spurious"],
            (
                (one.loss, one.text[:_SHOWN_TEXT], "\n".join(one.missed), "\n".join(one.spurious))
                for one in split.worst_examples[:_MOST_EXAMPLES]
            ),
            title=f"Worst texts of {name}",
        )
