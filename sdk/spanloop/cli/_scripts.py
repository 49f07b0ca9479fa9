"""`spanloop scripts`: programs of a project that the engine `script` runs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from spanloop.cli._output import note, out, print_json, print_table
from spanloop.cli._session import AsJson, Context, Project, session_of
from spanloop.errors import ConfigurationError
from spanloop.types import ScriptLimits

Script = Annotated[
    str, typer.Argument(metavar="SCRIPT", help="Id of a training script, or its full name.")
]

app = typer.Typer(no_args_is_help=True, help="Training scripts of a project.")


@app.command("add")
def add(
    context: Context,
    project: Project,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The Python program.")],
    name: Annotated[str, typer.Option(help="For people.")] = "",
    seconds: Annotated[int, typer.Option(min=0, help="Most seconds of a run.")] = 0,
    memory: Annotated[float, typer.Option(min=0, help="Most GiB of memory.")] = 0,
) -> None:
    """Store a training script; only owners of the project may."""
    try:
        content = file.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"{file} cannot be read: {error.strerror}") from None
    limits = ScriptLimits(wall_seconds=seconds, memory_bytes=round(memory * 1024**3))
    with session_of(context).client() as client:
        script = client.create_training_script(
            project, content, display_name=name or file.name, limits=limits
        )
    out().print(script.name, markup=False)


@app.command("list")
def list_(context: Context, project: Project, as_json: AsJson = False) -> None:
    """List the training scripts of a project."""
    with session_of(context).client() as client:
        scripts = list(client.list_training_scripts(project))
    if as_json:
        print_json(scripts)
        return
    print_table(
        ["script", "name", "#seconds", "#GiB", "SHA-256", "created"],
        (
            (
                script.name.rpartition("/")[2],
                script.display_name,
                script.limits.wall_seconds,
                f"{script.limits.memory_bytes / 1024**3:.1f}",
                script.digest.removeprefix("sha256:")[:12],
                script.create_time,
            )
            for script in scripts
        ),
    )


@app.command("show")
def show(context: Context, project: Project, script: Script) -> None:
    """Print a training script."""
    with session_of(context).client() as client:
        found = client.get_training_script(_name(project, script))
    sys.stdout.buffer.write(found.content)
    sys.stdout.buffer.flush()


@app.command("remove")
def remove(context: Context, project: Project, script: Script) -> None:
    """Delete a training script; queued jobs keep it. Only owners of the project may."""
    with session_of(context).client() as client:
        client.delete_training_script(_name(project, script))
    note(f"Deleted {script}.")


def _name(project: str, script: str) -> str:
    return script if "/" in script else f"projects/{project}/trainingScripts/{script}"
