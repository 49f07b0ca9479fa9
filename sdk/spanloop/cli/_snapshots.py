"""`spanloop snapshots`."""

from __future__ import annotations

import sys
from itertools import islice
from pathlib import Path
from typing import Annotated

import typer

from spanloop._types.choice import words_of
from spanloop.cli._choices import one_of
from spanloop.cli._filters import (
    Labels,
    NoTags,
    Regex,
    Statuses,
    Tags,
    Where,
    filter_of,
    snapshot_name,
)
from spanloop.cli._groups import ListsByDefault
from spanloop.cli._output import note, print_json, print_table, warn_omitted
from spanloop.cli._session import AsJson, Context, Project, session_of, target_of
from spanloop.errors import ConfigurationError
from spanloop.types import (
    RatioSplits,
    Selection,
    Snapshot,
    Split,
    SplitPolicy,
    TagSplits,
    TaskFormat,
    TieBreak,
)

app = typer.Typer(cls=ListsByDefault, no_args_is_help=True, help="Frozen training data.")

ReviewedOnly = Annotated[bool, typer.Option(help="Only accepted completions.")]
TieBreaks = Annotated[
    TieBreak | None,
    one_of(
        TieBreak, "--tie-break", help="Which of several submitted ones; default: the project's."
    ),
]
Name = Annotated[str, typer.Argument(metavar="SNAPSHOT", help="Id or full name.")]


@app.command("list")
def list_(context: Context, project: Project, as_json: AsJson = False) -> None:
    """List the snapshots of a project."""
    with session_of(context).client() as client:
        found = list(client.list_snapshots(project))
    if as_json:
        print_json(found)
        return
    print_table(
        ["snapshot", "taken", "#train", "#dev", "#test", "#spans", "content", "description"],
        map(_row, found),
    )


@app.command()
def create(
    context: Context,
    project: Project,
    status: Statuses = None,
    tag: Tags = None,
    no_tag: NoTags = None,
    label: Labels = None,
    regex: Regex = "",
    where: Where = None,
    reviewed_only: ReviewedOnly = False,
    tie_break: TieBreaks = None,
    by_tags: Annotated[bool, typer.Option(help="Divide by the tags Train and Test.")] = False,
    stratify: Annotated[bool, typer.Option(help="Give each split its share of labels.")] = False,
    seed: Annotated[int, typer.Option(help="Of the shuffle.")] = 0,
    description: Annotated[str, typer.Option(help="For people.")] = "",
    as_json: AsJson = False,
) -> None:
    """Freeze the selected completions."""
    policy: SplitPolicy | None = None
    if by_tags and stratify:
        raise ConfigurationError("--by-tags and --stratify exclude each other.")
    if by_tags:
        policy = TagSplits(seed=seed)
    elif stratify or seed:
        policy = RatioSplits(seed=seed, stratify=stratify)
    selection = Selection(
        filter=filter_of(
            project,
            statuses=status,
            tags=tag,
            no_tags=no_tag,
            labels=label,
            regex=regex,
            where=where,
        ),
        reviewed_only=reviewed_only,
        tie_break=tie_break,
    )
    with session_of(context).client() as client:
        found = client.create_snapshot(
            project, split_policy=policy, selection=selection, description=description
        )
    if as_json:
        print_json(found)
    else:
        note(f"Took {found.name}: {_splits(found)}, {found.content_hash}.")


@app.command()
def show(context: Context, project: Project, snapshot: Name, as_json: AsJson = False) -> None:
    """Show what a snapshot holds."""
    with session_of(context).client() as client:
        found = client.get_snapshot(snapshot_name(project, snapshot))
    if as_json:
        print_json(found)
        return
    rows: list[tuple[str, object]] = [
        ("snapshot", found.name),
        ("taken", found.create_time),
        ("content", found.content_hash),
        ("description", found.description),
        ("examples", _splits(found)),
        *((f"spans of {label}", count) for label, count in sorted(found.span_counts.items())),
        *((f"choice {choice}", count) for choice, count in sorted(found.choice_counts.items())),
    ]
    print_table(["", ""], rows)


@app.command()
def preview(
    context: Context,
    project: Project,
    status: Statuses = None,
    tag: Tags = None,
    no_tag: NoTags = None,
    label: Labels = None,
    regex: Regex = "",
    where: Where = None,
    reviewed_only: ReviewedOnly = False,
    tie_break: TieBreaks = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many tasks.")] = 50,
    as_json: AsJson = False,
) -> None:
    """Say for each task which completion a snapshot would take, and why."""
    selection = Selection(
        filter=filter_of(
            project,
            statuses=status,
            tags=tag,
            no_tags=no_tag,
            labels=label,
            regex=regex,
            where=where,
        ),
        reviewed_only=reviewed_only,
        tie_break=tie_break,
    )
    with session_of(context).client() as client:
        found = list(islice(client.preview_selection(project, selection), limit))
    if as_json:
        print_json(found)
        return
    print_table(
        ["task", "completion", "author", "taken", "why"],
        (
            (
                task.task.rpartition("/")[2],
                one.completion.rpartition("/")[2],
                one.author,
                one.taken,
                one.reason.lower().replace("_", " "),
            )
            for task in found
            for one in task.completions
        ),
    )


@app.command()
def diff(
    context: Context,
    project: Project,
    base: Annotated[str, typer.Argument(metavar="BASE", help="The earlier snapshot.")],
    target: Annotated[str, typer.Argument(metavar="TARGET", help="The later snapshot.")],
    as_json: AsJson = False,
) -> None:
    """Show what two snapshots do not have in common."""
    with session_of(context).client() as client:
        found = client.diff_snapshots(snapshot_name(project, base), snapshot_name(project, target))
    if as_json:
        print_json(found)
        return
    print_table(
        ["task", "change", "#spans before", "#spans after"],
        (
            (
                one.task.rpartition("/")[2],
                one.change,
                len(one.base.spans) if one.base else None,
                len(one.target.spans) if one.target else None,
            )
            for one in found.differences
        ),
    )
    note(
        f"{found.added} added, {found.removed} removed, {found.changed} changed, "
        f"{found.unchanged} unchanged."
    )


@app.command()
def export(
    context: Context,
    project: Project,
    snapshot: Name,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="File to write; default: stdout.")
    ] = None,
    format: Annotated[
        TaskFormat, one_of(TaskFormat, "--format", help="Format of the file.")
    ] = TaskFormat.JSONL,
    split: Annotated[Split | None, one_of(Split, "--split", help="Only this split.")] = None,
) -> None:
    """Write the examples of a snapshot to a file."""
    target = target_of(output)
    with session_of(context).client() as client:
        report = client.export_snapshot(
            snapshot_name(project, snapshot), target, format=format, split=split
        )
    sys.stdout.buffer.flush()
    note(f"Exported {report.exported_tasks} examples, {report.size_bytes} bytes.")
    warn_omitted(report, format)


def _splits(found: Snapshot) -> str:
    counts = found.example_counts
    return ", ".join(f"{counts.get(split, 0)} {split}" for split in words_of(Split))


def _row(found: Snapshot) -> tuple[object, ...]:
    counts = found.example_counts
    return (
        found.name.rpartition("/")[2],
        found.create_time,
        counts.get("train", 0),
        counts.get("dev", 0),
        counts.get("test", 0),
        sum(found.span_counts.values()),
        found.content_hash[:19],
        found.description,
    )
