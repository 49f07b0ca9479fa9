"""`spanloop tasks`."""

from __future__ import annotations

from itertools import islice
from typing import Annotated

import typer

from spanloop.cli._filters import (
    Authors,
    Labels,
    NoTags,
    Regex,
    Statuses,
    Tags,
    Where,
    filter_of,
    task_name,
)
from spanloop.cli._groups import ListsByDefault
from spanloop.cli._output import note, print_json, print_table
from spanloop.cli._session import AsJson, Context, Project, session_of
from spanloop.errors import ConfigurationError
from spanloop.types import SuggestionStrategy

app = typer.Typer(cls=ListsByDefault, no_args_is_help=True, help="The tasks of a project.")
_SHOWN = 60

Task = Annotated[str, typer.Argument(metavar="TASK", help="Id or full name of the task.")]
Tasks = Annotated[list[str], typer.Argument(metavar="TASK...", help="Ids or full names.")]


@app.command("list")
def list_(
    context: Context,
    project: Project,
    status: Statuses = None,
    tag: Tags = None,
    no_tag: NoTags = None,
    label: Labels = None,
    author: Authors = None,
    regex: Regex = "",
    where: Where = None,
    deleted: Annotated[bool, typer.Option(help="Only deleted tasks.")] = False,
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List tasks, in order of creation."""
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
    with session_of(context).client() as client:
        found = list(islice(client.list_tasks(project, filter=wanted, deleted=deleted), limit))
    if as_json:
        print_json(found)
        return
    print_table(
        ["task", "external id", "status", "tags", "#completions", "text"],
        (
            (
                task.name.rpartition("/")[2],
                task.external_id,
                task.status.value,
                ", ".join(task.tags),
                task.completion_count,
                _short(task.text),
            )
            for task in found
        ),
    )


@app.command()
def suggest(
    context: Context,
    project: Project,
    strategy: Annotated[
        SuggestionStrategy, typer.Option(help="How to rank.")
    ] = SuggestionStrategy.MIXED,
    count: Annotated[int, typer.Option(min=1, max=1_000, help="How many.")] = 10,
    seed: Annotated[int, typer.Option(help="Of what is random.")] = 0,
    mix: Annotated[
        list[str] | None,
        typer.Option(metavar="STRATEGY=WEIGHT", help="Part of the mix; may be repeated."),
    ] = None,
    status: Statuses = None,
    tag: Tags = None,
    no_tag: NoTags = None,
    label: Labels = None,
    author: Authors = None,
    regex: Regex = "",
    where: Where = None,
    as_json: AsJson = False,
) -> None:
    """Suggest which open tasks to annotate next."""
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
    with session_of(context).client() as client:
        found = client.suggest_tasks(
            project, strategy, count=count, seed=seed, filter=wanted, mix=_mix(mix)
        )
    if as_json:
        print_json(found)
        return
    print_table(
        ["task", "external id", "status", "#score", "text"],
        (
            (
                one.task.name.rpartition("/")[2],
                one.task.external_id,
                one.task.status.value,
                one.score if one.rank_known else None,
                _short(one.task.text),
            )
            for one in found.tasks
        ),
    )
    note(f"{len(found.tasks)} of {found.open_tasks} open tasks.")


def _mix(weights: list[str] | None) -> dict[SuggestionStrategy | str, float]:
    """Return the strategies of a mix with their weights.

    Raises:
        ConfigurationError: A strategy that there is not, or a weight that is no number.
    """
    mix: dict[SuggestionStrategy | str, float] = {}
    for given in weights or []:
        name, _, weight = given.partition("=")
        try:
            mix[SuggestionStrategy(name)] = float(weight)
        except ValueError:
            known = ", ".join(one.value for one in SuggestionStrategy)
            raise ConfigurationError(
                f"--mix {given}: must be STRATEGY=WEIGHT; the strategies are {known}."
            ) from None
    return mix


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


@app.command()
def show(context: Context, project: Project, task: Task, as_json: AsJson = False) -> None:
    """Show a task with its completions."""
    with session_of(context).client() as client:
        found = client.get_task(task_name(project, task))
        completions = list(client.list_completions(found.name))
    if as_json:
        print_json({"task": found, "completions": completions})
        return
    print_table(
        ["", ""],
        [
            ("task", found.name),
            ("status", found.status.value),
            ("tags", ", ".join(found.tags)),
            ("group", found.group),
            ("split", found.split.value),
            ("deleted", found.delete_time),
            ("text", found.text),
        ],
    )
    print_table(
        ["completion", "author", "state", "star", "#spans", "reviewer", "comment"],
        (
            (
                one.name.rpartition("/")[2],
                one.author,
                one.state.value,
                one.ground_truth,
                len(one.spans),
                one.review.reviewer if one.review else "",
                one.review.comment if one.review else "",
            )
            for one in completions
        ),
    )


@app.command()
def tag(
    context: Context,
    project: Project,
    tasks: Tasks,
    add: Annotated[list[str] | None, typer.Option(help="Tag to add; may be repeated.")] = None,
    remove: Annotated[
        list[str] | None, typer.Option(help="Tag to remove; may be repeated.")
    ] = None,
) -> None:
    """Add and remove tags of tasks."""
    with session_of(context).client() as client:
        changed = client.tag_tasks(project, tasks, add=add or (), remove=remove or ())
    note(f"Changed {changed} of {len(tasks)} tasks.")


@app.command()
def delete(context: Context, project: Project, tasks: Tasks) -> None:
    """Delete tasks; they can be brought back."""
    with session_of(context).client() as client:
        for task in tasks:
            note(f"Deleted {client.delete_task(task_name(project, task)).name}.")


@app.command()
def undelete(context: Context, project: Project, tasks: Tasks) -> None:
    """Bring deleted tasks back."""
    with session_of(context).client() as client:
        for task in tasks:
            note(f"Restored {client.undelete_task(task_name(project, task)).name}.")


@app.command()
def purge(
    context: Context,
    project: Project,
    tasks: Tasks,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Remove deleted tasks for good, with completions, predictions and history."""
    if not yes:
        typer.confirm(f"Remove {len(tasks)} tasks for good?", abort=True, err=True)
    with session_of(context).client() as client:
        for task in tasks:
            client.purge_task(task_name(project, task))
            note(f"Purged {task}.")


@app.command()
def history(context: Context, project: Project, task: Task, as_json: AsJson = False) -> None:
    """Show what a task's tags, group, split and notes were before."""
    with session_of(context).client() as client:
        found = list(client.list_revisions(task_name(project, task)))
    if as_json:
        print_json(found)
        return
    print_table(
        ["#version", "until", "changed by", "tags", "group", "split"],
        (
            (
                one.version,
                one.end_time,
                one.actor,
                ", ".join(one.task.tags) if one.task else "",
                one.task.group if one.task else "",
                one.task.split.value if one.task else "",
            )
            for one in found
        ),
    )
