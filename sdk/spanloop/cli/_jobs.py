"""`spanloop jobs`."""

from __future__ import annotations

from itertools import islice
from typing import Annotated

import typer

from spanloop.cli._choices import one_of
from spanloop.cli._groups import ListsByDefault
from spanloop.cli._output import note, out, print_json, print_table
from spanloop.cli._session import AsJson, Context, job_name, session_of
from spanloop.cli._train import show_job
from spanloop.types import PreannotationJob, TrainingLogLine, TrainingSource

app = typer.Typer(
    cls=ListsByDefault, no_args_is_help=True, help="Training and pre-annotation jobs."
)
Name = Annotated[
    str,
    typer.Argument(
        metavar="JOB",
        help="Name of the job; PROJECT/JOB is short for a training job's name.",
    ),
]


@app.command("list")
def list_(
    context: Context,
    project: Annotated[str, typer.Argument(metavar="[PROJECT]", help="Default: all.")] = "-",
    preannotation: Annotated[
        bool, typer.Option("--preannotation", help="Pre-annotation jobs instead.")
    ] = False,
    source: Annotated[
        TrainingSource | None,
        one_of(TrainingSource, "--source", help="Only training jobs that this made."),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many, newest first.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List training jobs, newest first."""
    with session_of(context).client() as client:
        if preannotation:
            runs = list(islice(client.list_preannotation_jobs(project), limit))
        else:
            jobs = list(islice(client.list_training_jobs(project, source=source), limit))
    if as_json:
        print_json(runs if preannotation else jobs)
    elif preannotation:
        print_table(
            ["job", "state", "#done", "#tasks", "#written", "created"],
            (
                (
                    run.name,
                    run.state.value,
                    run.done_tasks,
                    run.total_tasks,
                    run.written_predictions,
                    run.create_time,
                )
                for run in runs
            ),
        )
    else:
        print_table(
            ["job", "state", "#progress", "source", "model version", "created"],
            (
                (
                    job.name,
                    job.state.value,
                    f"{job.progress.fraction:.0%}",
                    job.source.value,
                    job.model_version.rpartition("/")[2],
                    job.create_time,
                )
                for job in jobs
            ),
        )


@app.command()
def show(context: Context, name: Name, as_json: AsJson = False) -> None:
    """Show one job."""
    with session_of(context).client() as client:
        if "/preannotationJobs/" in name:
            run = client.get_preannotation_job(name)
            print_json(run) if as_json else show_run(run)
            return
        job = client.get_training_job(job_name(name, "trainingJobs"))
    print_json(job) if as_json else show_job(job, job.name.split("/")[1])


@app.command()
def cancel(context: Context, name: Name) -> None:
    """Ask for a job to end; it ends soon after."""
    with session_of(context).client() as client:
        if "/preannotationJobs/" in name:
            client.cancel_preannotation_job(name)
        else:
            client.cancel_training_job(job_name(name, "trainingJobs"))
    note("Cancelling.")


@app.command()
def logs(context: Context, name: Name, as_json: AsJson = False) -> None:
    """Print a training job's log, and go on with it until the job ends.

    With --json: one object per line.
    """
    console = out()
    with session_of(context).client() as client:
        for update in client.watch_training_job(job_name(name, "trainingJobs")):
            if not isinstance(update, TrainingLogLine):
                continue
            if as_json:
                print_json(update)
            else:
                time = update.time.astimezone().strftime("%H:%M:%S") if update.time else ""
                console.print(
                    f"{time} {update.level:7} {update.message}", markup=False, soft_wrap=True
                )


def show_run(run: PreannotationJob) -> None:
    """Print a pre-annotation job."""
    rows: list[tuple[str, object]] = [
        ("job", run.name),
        ("state", run.state.value + (" (cancelling)" if run.cancel_requested else "")),
        ("tasks", f"{run.done_tasks} of {run.total_tasks}"),
        ("skipped, as current", run.skipped_tasks if run.stale_only else None),
        ("predictions written", run.written_predictions),
        ("generation", run.generation),
        ("failure", run.failure_message),
        ("created", run.create_time),
        ("ended", run.end_time),
    ]
    print_table(["", ""], ((key, value) for key, value in rows if value not in (None, "")))
