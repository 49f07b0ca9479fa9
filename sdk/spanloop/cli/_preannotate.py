"""`spanloop preannotate`."""

from __future__ import annotations

from typing import Annotated

import typer

from spanloop.cli._jobs import show_run
from spanloop.cli._output import note, out, print_json
from spanloop.cli._session import AsJson, Context, Labels, Project, session_of, values
from spanloop.cli._watching import watch_preannotation
from spanloop.types import PreannotationJobState


def add_to(root: typer.Typer) -> None:
    """Add the command."""
    root.command("preannotate")(preannotate)


def preannotate(
    context: Context,
    project: Project,
    watch: Annotated[bool, typer.Option("--watch", help="Show it until it ends.")] = False,
    labels: Labels = None,
    min_score: Annotated[float, typer.Option(help="Leave out what scores lower.")] = 0.0,
    stale: Annotated[
        bool, typer.Option("--stale", help="Only tasks without a prediction by today's adapters.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Predict the open tasks of a project and write the predictions back.

    With --watch, exits with 1 unless the job is done.
    """
    with session_of(context).client() as client:
        job = client.create_preannotation_job(
            project, labels=values(labels), min_score=min_score, stale_only=stale
        )
        note(f"Job {job.name}.")
        if watch:
            job = watch_preannotation(client, job.name)
    if as_json:
        print_json(job)
    elif watch:
        show_run(job)
    else:
        out().print(job.name, markup=False)
    if watch and job.state is not PreannotationJobState.DONE:
        raise typer.Exit(1)
