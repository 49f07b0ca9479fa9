"""`spanloop projects`."""

from __future__ import annotations

from typing import Annotated

import typer

from spanloop.cli._output import note, print_json, print_table
from spanloop.cli._session import AsJson, Context, Project, session_of

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
