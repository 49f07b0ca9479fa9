"""`spanloop trial`."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from spanloop.cli._output import note, print_json, print_table, warn
from spanloop.cli._session import AsJson, Context, Project, session_of
from spanloop.client import Client
from spanloop.errors import ConfigurationError
from spanloop.types import CandidateState, Trial, TrialLimits, TrialMode, TrialState

app = typer.Typer(no_args_is_help=True, help="Try a version on live traffic before it is deployed.")


@app.command()
def start(
    context: Context,
    project: Project,
    version: Annotated[str, typer.Argument(metavar="VERSION", help="Or an alias.")],
    canary: Annotated[
        bool, typer.Option("--canary", help="It answers its share; else it is only compared.")
    ] = False,
    share: Annotated[
        float, typer.Option(min=0, max=1, help="Share of the requests that fall to it.")
    ] = 0.1,
    min_requests: Annotated[
        int, typer.Option(min=1, help="Requests that are needed to judge.")
    ] = 100,
    max_errors: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="Most errors per request; default of a canary: 0.01."),
    ] = None,
    max_disagreement: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="Most texts answered otherwise, per text."),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="A canary even though the project's gate refuses it.")
    ] = False,
    wait: Annotated[
        float, typer.Option(min=0, help="Seconds to wait until it is loaded; 0 does not wait.")
    ] = 10.0,
    as_json: AsJson = False,
) -> None:
    """Begin to try a version."""
    limits = TrialLimits(
        min_requests=min_requests,
        max_error_rate=max_errors,
        max_disagreement_rate=max_disagreement,
    )
    with session_of(context).client() as client:
        trial = client.start_trial(
            project,
            version,
            mode=TrialMode.CANARY if canary else TrialMode.SHADOW,
            share=share,
            limits=limits,
            force=force,
        )
        if as_json:
            print_json(trial)
        note(f"{trial.name}: {trial.mode.value} of {_version(trial)}, {trial.share:.0%}.")
        if wait:
            _await_loaded(client, trial, wait)


@app.command()
def show(
    context: Context,
    project: Project,
    number: Annotated[int, typer.Option(min=0, help="Which; default: the newest.")] = 0,
    list_: Annotated[bool, typer.Option("--list", help="List all trials of the project.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show what was counted of a trial."""
    with session_of(context).client() as client:
        if list_:
            found = list(client.list_trials(project))
            if as_json:
                print_json(found)
            else:
                _list(found)
            return
        trial = client.get_trial(_name(client, project, number))
    if as_json:
        print_json(trial)
        return
    _report(trial)


@app.command()
def end(
    context: Context,
    project: Project,
    number: Annotated[int, typer.Option(min=0, help="Which; default: the newest.")] = 0,
    promote: Annotated[bool, typer.Option("--promote", help="Deploy what was tried.")] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Promote even though the project's gate refuses it.")
    ] = False,
    etag: Annotated[str, typer.Option(help="Refuse when the trial ended since.")] = "",
    as_json: AsJson = False,
) -> None:
    """End a trial: what is deployed stays, or what was tried is deployed."""
    with session_of(context).client() as client:
        name = _name(client, project, number)
        trial = client.end_trial(name, promote=promote, force=force, etag=etag)
    if as_json:
        print_json(trial)
    note(f"{trial.name} is {trial.state.name}: {trial.reason}")


def _name(client: Client, project: str, number: int) -> str:
    newest = next(iter(client.list_trials(project)), None)
    if newest is None:
        raise ConfigurationError(
            f"{project} has no trial: begin one with `spanloop trial start {project} VERSION`."
        )
    return f"{newest.name.rpartition('/')[0]}/{number}" if number else newest.name


def _version(trial: Trial) -> str:
    return trial.model_version.rpartition("/")[2]


def _list(trials: list[Trial]) -> None:
    print_table(
        [
            "#trial",
            "version",
            "mode",
            "#share",
            "state",
            "#requests",
            "#errors",
            "#differ",
            "since",
        ],
        (
            (
                trial.name.rpartition("/")[2],
                _version(trial),
                trial.mode.value,
                trial.share,
                trial.state.value,
                trial.counts.requests,
                trial.counts.errors,
                f"{trial.counts.disagreement_rate:.2%}",
                trial.create_time,
            )
            for trial in trials
        ),
    )


def _report(trial: Trial) -> None:
    counts = trial.counts
    print_table(
        ["", "#"],
        (
            ("trial", trial.name.rpartition("/")[2]),
            ("version", _version(trial)),
            ("mode", trial.mode.value),
            ("share", trial.share),
            ("state", trial.state.value),
            ("requests", counts.requests),
            ("failed", counts.errors),
            ("error rate", f"{counts.error_rate:.2%}"),
            ("texts compared", counts.compared_texts),
            ("answered otherwise", counts.differing_texts),
            ("disagreement rate", f"{counts.disagreement_rate:.2%}"),
            ("skipped", counts.skipped_requests),
            ("not compared", counts.dropped_requests),
        ),
    )
    if counts.differences:
        print_table(
            ["label or control", "#served", "#added", "#missing", "#other status"],
            (
                (one.name or "given spans", one.served, one.added, one.missing, one.changed)
                for one in counts.differences
            ),
        )
    if trial.reason:
        note(f"{trial.state.name}: {trial.reason}")
    for reporter in trial.reporters:
        if trial.state is TrialState.RUNNING and reporter.candidate_state is CandidateState.ERROR:
            warn(f"Not loaded by {reporter.reporter[:8]}: {reporter.error_message}")


def _await_loaded(client: Client, trial: Trial, seconds: float) -> None:
    """Wait until a server has the candidate; a warning if none does."""
    began = time.monotonic()
    trouble = "it is still loading"
    while time.monotonic() - began < seconds:
        for reporter in client.get_trial(trial).reporters:
            if reporter.candidate_state is CandidateState.READY:
                note(f"Loaded after {time.monotonic() - began:.2f} s.")
                return
            if reporter.candidate_state is CandidateState.ERROR:
                trouble = reporter.error_message
        time.sleep(0.1)
    warn(f"Not loaded after {seconds:g} s ({trouble}); what is deployed answers.")
