"""`spanloop labeling`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from spanloop.cli._output import note, print_json, print_table
from spanloop.cli._session import AsJson, Context, Project, read_text, session_of
from spanloop.types import ModelVersionState

app = typer.Typer(no_args_is_help=True, help="The labelling config of a project.")

File = Annotated[
    Path, typer.Argument(metavar="FILE", exists=True, dir_okay=False, help="XML file.")
]


@app.command()
def show(context: Context, project: Project) -> None:
    """Print the labelling config of a project."""
    with session_of(context).client() as client:
        sys.stdout.write(client.get_project(project).labeling_config)


@app.command()
def validate(
    context: Context,
    project: Project,
    file: Annotated[
        Path | None,
        typer.Argument(
            metavar="[FILE]", exists=True, dir_okay=False, help="XML file; default: the project's."
        ),
    ] = None,
    check_models: Annotated[
        bool, typer.Option(help="Ask the registry which models exist.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Check a labelling config; exits with 1 when it cannot be used."""
    with session_of(context).client() as client:
        models = None
        if check_models:
            models = {
                version.name.rpartition("/")[2]: list(version.adapters)
                for version in client.list_model_versions(project)
                if version.state is ModelVersionState.READY
            }
        xml = read_text(file) if file else ""
        found = client.validate_labeling_config(project, xml, models=models)
    if as_json:
        print_json(found)
    elif found.problems:
        print_table(
            ["#line", "#column", "severity", "code", "what is wrong"],
            ((one.line, one.column, one.severity, one.code, one.message) for one in found.problems),
        )
    if not found.usable:
        raise typer.Exit(1)
    if not as_json:
        labels = ", ".join((*found.labels, *found.assertion_labels)) or "none"
        choices = ", ".join(found.choices) or "none"
        note(f"The config can be used. Labels: {labels}; choices: {choices}.")


@app.command("set")
def set_(context: Context, project: Project, file: File) -> None:
    """Use a labelling config; its labels are created where they are missing."""
    with session_of(context).client() as client:
        client.set_labeling_config(project, read_text(file))
    note(f"{project} uses {file.name}.")
