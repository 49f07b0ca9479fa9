"""`spanloop aliases`."""

from __future__ import annotations

from typing import Annotated

import typer

from spanloop.cli._groups import ListsByDefault
from spanloop.cli._output import note, print_json, print_table
from spanloop.cli._session import AsJson, Context, Project, session_of

app = typer.Typer(
    cls=ListsByDefault, no_args_is_help=True, help="Second names of a project's model versions."
)

Alias = Annotated[str, typer.Argument(metavar="ALIAS", help="E.g. ner@staging.")]


@app.command("list")
def list_(context: Context, project: Project, as_json: AsJson = False) -> None:
    """List the aliases of a project, those that follow the deployment included."""
    with session_of(context).client() as client:
        found = list(client.list_model_aliases(project))
    if as_json:
        print_json(found)
        return
    print_table(
        ["alias", "version", "since", "by"],
        (
            (
                alias.id,
                alias.model_version.rpartition("/")[2],
                alias.update_time,
                "the deployment" if alias.built_in else alias.actor,
            )
            for alias in found
        ),
    )


@app.command("set")
def set_(
    context: Context,
    project: Project,
    alias: Alias,
    version: Annotated[str, typer.Argument(metavar="VERSION", help="Or another alias.")],
    etag: Annotated[str, typer.Option(help="Refuse when the alias was changed since.")] = "",
    as_json: AsJson = False,
) -> None:
    """Point an alias at a version."""
    with session_of(context).client() as client:
        made = client.set_model_alias(project, alias, version, etag=etag)
    if as_json:
        print_json(made)
        return
    note(f"{made.id} is {made.model_version.rpartition('/')[2]}.")


@app.command()
def remove(
    context: Context,
    project: Project,
    alias: Alias,
    etag: Annotated[str, typer.Option(help="Refuse when the alias was changed since.")] = "",
) -> None:
    """Remove an alias; the version stays."""
    with session_of(context).client() as client:
        client.delete_model_alias(project, alias, etag=etag)
    note(f"{alias} is removed.")
