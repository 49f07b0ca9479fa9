"""`spanloop settings` and `spanloop learning`: how a project trains, also by itself."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Annotated

import typer

from spanloop.cli._output import note, print_json, print_table
from spanloop.cli._session import AsJson, Context, Project, session_of
from spanloop.types import TrainingSettings

app = typer.Typer(no_args_is_help=True, help="How a project trains, also by itself.")


def add_to(root: typer.Typer) -> None:
    """Add the command that tells where active learning stands."""
    root.command("learning")(learning)


@app.command()
def show(context: Context, project: Project, as_json: AsJson = False) -> None:
    """Show how a project trains."""
    with session_of(context).client() as client:
        _report(client.get_training_settings(project), as_json)


@app.command("set")
def set_(
    context: Context,
    project: Project,
    versioning: Annotated[
        bool | None,
        typer.Option(
            "--versioning/--no-versioning", help="Count versions, or take the newest's place."
        ),
    ] = None,
    active_learning: Annotated[
        bool | None,
        typer.Option("--active-learning/--no-active-learning", help="Train by itself."),
    ] = None,
    every: Annotated[
        int | None, typer.Option(min=1, help="Train when so many completions were submitted.")
    ] = None,
    after_hours: Annotated[
        float | None,
        typer.Option(min=0, help="Train also after so long with at least one; 0: no."),
    ] = None,
    deploy: Annotated[
        bool | None, typer.Option("--deploy/--no-deploy", help="Deploy what passes the gate.")
    ] = None,
    min_score: Annotated[
        float | None, typer.Option(min=0, max=1, help="Gate: least micro F1.")
    ] = None,
    max_loss: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="Gate: most F1 that a label may lose."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Change how a project trains; what is not named stays as it is."""
    with session_of(context).client() as client:
        before = client.get_training_settings(project)
        policy, gate = before.active_learning, before.gate
        if active_learning is not None:
            policy = replace(policy, enabled=active_learning)
        if every is not None:
            policy = replace(policy, min_new_completions=every)
        if after_hours is not None:
            interval = timedelta(hours=after_hours) if after_hours else None
            policy = replace(policy, max_interval=interval)
        if deploy is not None:
            policy = replace(policy, deploy=deploy)
        if min_score is not None:
            gate = replace(gate, min_micro_f1=min_score)
        if max_loss is not None:
            gate = replace(gate, max_label_regression=max_loss)
        after = client.update_training_settings(
            project,
            versioning_disabled=None if versioning is None else not versioning,
            active_learning=policy if policy != before.active_learning else None,
            gate=gate if gate != before.gate else None,
            etag=before.etag,
        )
        _report(after, as_json)


def learning(context: Context, project: Project, as_json: AsJson = False) -> None:
    """Show where a project's active learning stands."""
    with session_of(context).client() as client:
        state = client.get_active_learning_state(project)
    if as_json:
        print_json(state)
        return
    rows: list[tuple[str, object]] = [
        ("new completions", state.new_completions),
        ("last run", state.last_run_time),
        ("its jobs", ", ".join(state.training_jobs)),
        ("another run waits", "yes" if state.queued else ""),
    ]
    print_table(["", ""], ((key, value) for key, value in rows if value not in (None, "")))
    if state.message:
        note(state.message)


def _report(settings: TrainingSettings, as_json: bool) -> None:
    if as_json:
        print_json(settings)
        return
    policy, gate = settings.active_learning, settings.gate
    rows: list[tuple[str, object]] = [
        ("versioning", "off" if settings.versioning_disabled else "on"),
        ("active learning", "on" if policy.enabled else "off"),
        ("trains every", f"{policy.min_new_completions} completions"),
        ("trains also after", policy.max_interval or ""),
        ("deploys", "what passes the gate" if policy.deploy else "nothing"),
        ("gate: least micro F1", gate.min_micro_f1),
        ("gate: most loss of a label", gate.max_label_regression),
        ("etag", settings.etag),
    ]
    print_table(["", ""], ((key, value) for key, value in rows if value != ""))
