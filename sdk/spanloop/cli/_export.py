"""`spanloop export`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from spanloop.cli._output import note, warn
from spanloop.cli._session import Context, Project, session_of
from spanloop.types import TaskFormat, TaskStatus


def add_to(root: typer.Typer) -> None:
    """Add the command."""
    root.command("export")(export)


def export(
    context: Context,
    project: Project,
    format: Annotated[TaskFormat, typer.Option(help="Format of the file.")] = TaskFormat.JSONL,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="File to write; default: stdout.")
    ] = None,
    status: Annotated[TaskStatus | None, typer.Option(help="Only such tasks.")] = None,
) -> None:
    """Export the tasks of a project with their completions."""
    with session_of(context).client() as client:
        if output is not None:
            report = client.export(project, output, format=format, status=status)
        else:
            report = client.export(project, sys.stdout.buffer, format=format, status=status)
            sys.stdout.buffer.flush()
    note(f"Exported {report.exported_tasks} tasks, {report.size_bytes} bytes.")
    if report.omitted_spans:
        warn(
            f"{report.omitted_spans} spans are left out: {format.value} cannot hold spans that "
            "overlap or begin or end inside a word."
        )
