"""The root command."""

from __future__ import annotations

import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from spanloop.cli import (
    _aliases,
    _automation,
    _completions,
    _config,
    _deploy,
    _doctor,
    _engines,
    _events,
    _export,
    _formats,
    _governance,
    _import,
    _jobs,
    _labeling,
    _labels,
    _members,
    _models,
    _preannotate,
    _predict,
    _projects,
    _reports,
    _rules,
    _scripts,
    _servers,
    _snapshots,
    _tasks,
    _team,
    _train,
    _trial,
    _up,
)
from spanloop.cli._advice import print_error
from spanloop.cli._output import err
from spanloop.cli._session import Session
from spanloop.errors import SpanloopError


class Commands(TyperGroup):
    """Ends failed commands with a message instead of a traceback."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command; failures that a user can cause exit with status 1."""
        try:
            return super().invoke(ctx)
        except SpanloopError as error:
            session = ctx.find_object(Session)
            print_error(error, acting=bool(session and session.user))
        except BrokenPipeError:
            raise  # typer ends quietly: `spanloop export … | head`
        except OSError as error:
            where = f"{error.filename}: " if error.filename else ""
            err().print(f"error: {where}{error.strerror or error}", markup=False, soft_wrap=True)
        raise typer.Exit(1)


app = typer.Typer(
    name="spanloop",
    cls=Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="The open loop from annotations to served models.",
)


def _show_version(wanted: bool) -> None:
    if wanted:
        try:
            found = version("spanloop")
        except PackageNotFoundError:
            found = "unknown"
        sys.stdout.write(f"spanloop {found}\n")
        raise typer.Exit


@app.callback()
def root(
    context: typer.Context,
    data_dir: Annotated[
        Path | None,
        typer.Option(
            envvar="SPANLOOP_DATA_DIR",
            help="Data directory of services on this machine: token and addresses are read there. "
            "Default: ./data.",
        ),
    ] = None,
    token: Annotated[
        str | None,
        typer.Option(help="Bearer token; better set SPANLOOP_TOKEN, which process lists hide."),
    ] = None,
    user: Annotated[
        str,
        typer.Option(
            envvar="SPANLOOP_USER",
            help="Act for this user, with the token that the services share.",
        ),
    ] = "",
    _version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """Remember the options that all commands share."""
    context.obj = Session(data_dir=data_dir, token=token, user=user)


for module in (
    *(
        _up,
        _import,
        _train,
        _reports,
        _engines,
        _automation,
        _deploy,
        _governance,
        _servers,
        _predict,
        _preannotate,
        _export,
        _events,
        _config,
        _doctor,
        _team,
    ),
):
    module.add_to(app)
app.add_typer(_projects.app, name="projects")
app.add_typer(_labels.app, name="labels")
app.add_typer(_labeling.app, name="labeling")
app.add_typer(_tasks.app, name="tasks")
app.add_typer(_completions.app, name="completions")
app.add_typer(_members.app, name="members")
app.add_typer(_members.tokens, name="tokens")
app.add_typer(_snapshots.app, name="snapshots")
app.add_typer(_rules.app, name="rules")
app.add_typer(_formats.app, name="formats")
app.add_typer(_jobs.app, name="jobs")
app.add_typer(_models.app, name="models")
app.add_typer(_aliases.app, name="aliases")
app.add_typer(_governance.app, name="policy")
app.add_typer(_trial.app, name="trial")
app.add_typer(_automation.app, name="settings")
app.add_typer(_scripts.app, name="scripts")


def main() -> None:
    """Run the command line: 0 done, 1 failed, 2 wrong usage, 130 interrupted with Ctrl-C."""
    app()
