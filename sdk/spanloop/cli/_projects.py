"""`spanloop projects`."""

from __future__ import annotations

from typing import Annotated

import typer

from spanloop.cli._choices import one_of
from spanloop.cli._output import note, print_json, print_table
from spanloop.cli._session import AsJson, Context, Project, session_of
from spanloop.errors import ConfigurationError
from spanloop.types import TieBreak

app = typer.Typer(no_args_is_help=True, help="The projects of the annotation service.")


@app.command("list")
def list_(context: Context, as_json: AsJson = False) -> None:
    """List the projects that the caller is a member of; with the shared token all."""
    with session_of(context).client() as client:
        found = list(client.list_projects())
    if as_json:
        print_json(found)
        return
    print_table(
        ["project", "name", "created"],
        ((one.name.rpartition("/")[2], one.display_name, one.create_time) for one in found),
    )


@app.command()
def create(
    context: Context,
    project: Project,
    name: Annotated[str, typer.Option(help="For people; default: the id.")] = "",
) -> None:
    """Create a project; a user becomes its first owner."""
    with session_of(context).client() as client:
        found = client.create_project(project, display_name=name)
    note(f"Created {found.name}.")


@app.command("set")
def set_(
    context: Context,
    project: Project,
    name: Annotated[str | None, typer.Option(help="For people.")] = None,
    tie_break: Annotated[
        TieBreak | None,
        one_of(
            TieBreak,
            "--tie-break",
            help="Which of several submitted completions is trained on when none is accepted.",
        ),
    ] = None,
) -> None:
    """Change a project."""
    if name is None and tie_break is None:
        raise ConfigurationError("Say what to change: --name or --tie-break.")
    with session_of(context).client() as client:
        if name is not None:
            client.update_project(project, display_name=name)
        if tie_break is not None:
            client.set_tie_break(project, tie_break)
    note(f"Changed {project}.")
