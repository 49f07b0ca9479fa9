"""`spanloop completions`."""

from __future__ import annotations

from typing import Annotated

import typer

from spanloop.cli._filters import completion_name, task_name
from spanloop.cli._output import note, print_json, print_table
from spanloop.cli._session import AsJson, Context, Project, session_of
from spanloop.types import Verdict

app = typer.Typer(no_args_is_help=True, help="The completions of tasks: review, star, restore.")

Completion = Annotated[
    str,
    typer.Argument(metavar="COMPLETION", help="Full name, or PROJECT/TASK/COMPLETION."),
]


@app.command("list")
def list_(
    context: Context,
    project: Project,
    task: Annotated[str, typer.Argument(metavar="TASK", help="Id or full name of the task.")],
    as_json: AsJson = False,
) -> None:
    """List the completions of a task."""
    with session_of(context).client() as client:
        found = list(client.list_completions(task_name(project, task)))
    if as_json:
        print_json(found)
        return
    print_table(
        ["completion", "author", "state", "star", "#spans", "submitted"],
        (
            (
                one.name,
                one.author,
                one.state.value,
                one.ground_truth,
                len(one.spans),
                one.submit_time,
            )
            for one in found
        ),
    )


@app.command()
def review(
    context: Context,
    completion: Completion,
    verdict: Annotated[
        Verdict, typer.Argument(metavar="VERDICT", help="accept, reject or withdraw.")
    ],
    comment: Annotated[str, typer.Option(help="Why.")] = "",
    reviewer: Annotated[
        str, typer.Option(help="Who reviews; default: the user of --user or of the token.")
    ] = "",
) -> None:
    """Accept or reject a completion, or withdraw its review."""
    with session_of(context).client() as client:
        found = client.review_completion(
            completion_name(completion), verdict, comment=comment, reviewer=reviewer
        )
    note(f"{found.name} is {found.state.value} now.")


@app.command()
def star(
    context: Context,
    completion: Completion,
    off: Annotated[bool, typer.Option("--off", help="Take the star away.")] = False,
) -> None:
    """Make a completion the ground truth of its task."""
    with session_of(context).client() as client:
        found = client.star_completion(completion_name(completion), on=not off)
    note(f"{found.name} {'has the star' if found.ground_truth else 'has no star'} now.")


@app.command()
def delete(context: Context, completion: Completion) -> None:
    """Delete a completion; it can be brought back."""
    with session_of(context).client() as client:
        client.delete_completion(completion_name(completion))
    note(f"Deleted {completion}.")


@app.command()
def undelete(context: Context, completion: Completion) -> None:
    """Bring a deleted completion back."""
    with session_of(context).client() as client:
        client.undelete_completion(completion_name(completion))
    note(f"Restored {completion}.")


@app.command()
def history(context: Context, completion: Completion, as_json: AsJson = False) -> None:
    """Show what a completion said before, the latest first."""
    with session_of(context).client() as client:
        found = list(client.list_revisions(completion_name(completion)))
    if as_json:
        print_json(found)
        return
    print_table(
        ["#version", "state", "#spans", "until", "then", "by"],
        (
            (
                one.version,
                one.completion.state.value if one.completion else "",
                len(one.completion.spans) if one.completion else 0,
                one.end_time,
                one.ended_by.value,
                one.actor,
            )
            for one in found
        ),
    )


@app.command()
def restore(
    context: Context,
    completion: Completion,
    version: Annotated[
        int, typer.Argument(metavar="VERSION", help="The version to go back to; see history.")
    ],
) -> None:
    """Set a completion back to what it said before."""
    with session_of(context).client() as client:
        found = client.restore_revision(completion_name(completion), version)
    note(f"{found.name} says what it said in version {version}; it is {found.state.value}.")
