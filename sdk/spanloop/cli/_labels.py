"""`spanloop labels`."""

from __future__ import annotations

from typing import Annotated

import typer

from spanloop.cli._groups import ListsByDefault
from spanloop.cli._output import note, print_json, print_table
from spanloop.cli._session import AsJson, Context, Project, session_of

app = typer.Typer(cls=ListsByDefault, no_args_is_help=True, help="The labels of a project.")


@app.command("list")
def list_(context: Context, project: Project, as_json: AsJson = False) -> None:
    """List the labels of a project."""
    with session_of(context).client() as client:
        found = list(client.list_labels(project))
    if as_json:
        print_json(found)
        return
    print_table(
        ["label", "description", "created"],
        ((label.value, label.description, label.create_time) for label in found),
    )


@app.command()
def add(
    context: Context,
    project: Project,
    label_values: Annotated[list[str], typer.Argument(metavar="LABEL...", help="Label values.")],
    description: Annotated[str, typer.Option(help="For annotators: what to label.")] = "",
) -> None:
    """Add labels to a project."""
    with session_of(context).client() as client:
        for value in label_values:
            client.create_label(project, value, description=description)
            note(f"Added {value}.")
