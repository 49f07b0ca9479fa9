"""`spanloop labels`."""

from __future__ import annotations

from typing import Annotated

import typer

from spanloop.cli._groups import ListsByDefault
from spanloop.cli._output import note, print_json, print_table
from spanloop.cli._session import AsJson, Context, Project, session_of
from spanloop.client import Client
from spanloop.errors import ConfigurationError
from spanloop.types import Label

Value = Annotated[str, typer.Argument(metavar="LABEL", help="Value of the label.")]

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
        ["label", "inherits", "alias of", "description", "created"],
        (
            (
                label.value,
                ", ".join(label.inherits),
                label.alias_as,
                label.description,
                label.create_time,
            )
            for label in found
        ),
    )


@app.command()
def count(context: Context, project: Project, as_json: AsJson = False) -> None:
    """Count the spans of each label in submitted and accepted completions."""
    with session_of(context).client() as client:
        found = client.count_labels(project)
    if as_json:
        print_json(found)
        return
    print_table(
        ["label", "#spans", "#tasks", "positives"],
        (
            (label.value, label.span_count, label.task_count, ", ".join(label.positives))
            for label in found
        ),
    )


@app.command()
def rename(
    context: Context,
    project: Project,
    label: Value,
    new: Annotated[str, typer.Argument(metavar="NEW", help="Its new value.")],
) -> None:
    """Rename a label; everything annotated before carries the new value."""
    with session_of(context).client() as client:
        client.update_label(_label(client, project, label), value=new)
    note(f"Renamed {label} to {new}.")


@app.command()
def link(
    context: Context,
    project: Project,
    label: Value,
    inherit: Annotated[
        list[str] | None,
        typer.Option(
            help="Label whose positives are its positives too; may be repeated; empty: none."
        ),
    ] = None,
    alias_as: Annotated[
        str | None, typer.Option(help="Label that it is another name of; empty: of none.")
    ] = None,
) -> None:
    """Say which labels a label inherits, and of which it is another name."""
    if not inherit and alias_as is None:
        raise ConfigurationError("There is nothing to change: give --inherit or --alias-as.")
    inherits = [one for one in inherit if one] if inherit else None
    with session_of(context).client() as client:
        found = client.update_label(
            _label(client, project, label), inherits=inherits, alias_as=alias_as
        )
    note(f"Positives of {found.value}: {', '.join(found.positives)}.")


def _label(client: Client, project: str, value: str) -> Label:
    for label in client.list_labels(project):
        if value in {label.value, *label.former_values}:
            return label
    raise ConfigurationError(f"{project} has no label {value!r}: see `spanloop labels {project}`.")


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
