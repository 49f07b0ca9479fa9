"""`spanloop export`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from spanloop.cli._choices import one_of
from spanloop.cli._filters import Authors, Labels, NoTags, Regex, Statuses, Tags, Where, filter_of
from spanloop.cli._output import note, warn_omitted
from spanloop.cli._session import Context, Project, session_of, target_of
from spanloop.types import TagScheme, TaskFormat


def add_to(root: typer.Typer) -> None:
    """Add the command."""
    root.command("export")(export)


def export(
    context: Context,
    project: Project,
    format: Annotated[
        TaskFormat, one_of(TaskFormat, "--format", help="Format of the file.")
    ] = TaskFormat.JSONL,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="File to write; default: stdout.")
    ] = None,
    status: Statuses = None,
    tag: Tags = None,
    no_tag: NoTags = None,
    label: Labels = None,
    author: Authors = None,
    regex: Regex = "",
    where: Where = None,
    tag_scheme: Annotated[
        TagScheme | None, one_of(TagScheme, "--tag-scheme", help="Of column files; default: iob2.")
    ] = None,
    separator: Annotated[str, typer.Option(help="Of columns.")] = "",
    choices_name: Annotated[
        str, typer.Option(help="The choices that are written where there is place for one.")
    ] = "",
) -> None:
    """Export the tasks of a project with their completions."""
    wanted = filter_of(
        project,
        statuses=status,
        tags=tag,
        no_tags=no_tag,
        labels=label,
        authors=author,
        regex=regex,
        where=where,
    )
    target = target_of(output)
    with session_of(context).client() as client:
        report = client.export(
            project,
            target,
            format=format,
            filter=wanted,
            tag_scheme=tag_scheme,
            separator=separator,
            choices_name=choices_name,
        )
    sys.stdout.buffer.flush()
    note(f"Exported {report.exported_tasks} tasks, {report.size_bytes} bytes.")
    warn_omitted(report, format)
