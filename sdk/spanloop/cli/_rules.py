"""`spanloop rules`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from spanloop.cli._filters import Regex, Statuses, Tags, Where, filter_of
from spanloop.cli._groups import ListsByDefault
from spanloop.cli._output import note, print_json, print_table
from spanloop.cli._session import AsJson, Context, Project, read_text, session_of
from spanloop.errors import ConfigurationError

app = typer.Typer(cls=ListsByDefault, no_args_is_help=True, help="Rules that pre-annotate.")

Name = Annotated[str, typer.Argument(metavar="RULESET", help="Id of the rule set.")]
File = Annotated[
    Path,
    typer.Argument(
        metavar="FILE", exists=True, dir_okay=False, help="JSON file with a list of rules."
    ),
]


@app.command("list")
def list_(context: Context, project: Project, as_json: AsJson = False) -> None:
    """List the rule sets of a project."""
    with session_of(context).client() as client:
        found = list(client.list_rule_sets(project))
    if as_json:
        print_json(found)
        return
    print_table(
        ["rule set", "name", "#revision", "#rules", "changed"],
        (
            (
                one.name.rpartition("/")[2],
                one.display_name,
                one.revision,
                len(one.rules),
                one.update_time,
            )
            for one in found
        ),
    )


@app.command()
def show(context: Context, project: Project, rule_set: Name) -> None:
    """Print the rules of a rule set as JSON."""
    with session_of(context).client() as client:
        print_json(list(client.get_rule_set(project, rule_set).rules))


@app.command()
def create(context: Context, project: Project, rule_set: Name, file: File) -> None:
    """Create a rule set from a file."""
    with session_of(context).client() as client:
        found = client.create_rule_set(project, rule_set, _read(file))
    note(f"Created {found.name} with {len(found.rules)} rules.")


@app.command()
def update(context: Context, project: Project, rule_set: Name, file: File) -> None:
    """Replace the rules of a rule set."""
    with session_of(context).client() as client:
        found = client.update_rule_set(project, rule_set, _read(file))
    note(f"{found.name} is at revision {found.revision}.")


@app.command()
def delete(context: Context, project: Project, rule_set: Name) -> None:
    """Delete a rule set; predictions made by it stay."""
    with session_of(context).client() as client:
        client.delete_rule_set(project, rule_set)
    note(f"Deleted {rule_set}.")


@app.command()
def preview(
    context: Context,
    project: Project,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="A text to try the rules on.")],
    rule_set: Annotated[str, typer.Option(help="A stored rule set.")] = "",
    file: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="JSON file with rules to try."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show what rules find in a text."""
    if bool(rule_set) is (file is not None):
        raise ConfigurationError("Give the rules to try: either --rule-set or --file.")
    with session_of(context).client() as client:
        found = client.preview_rules(
            project, text, rule_set=rule_set, rules=_read(file) if file else ()
        )
    if as_json:
        print_json(list(found))
        return
    print_table(
        ["#start", "#end", "label", "text", "#score"],
        ((one.start, one.end, one.label, text[one.start : one.end], one.score) for one in found),
    )


@app.command()
def apply(
    context: Context,
    project: Project,
    rule_set: Name,
    status: Statuses = None,
    tag: Tags = None,
    regex: Regex = "",
    where: Where = None,
) -> None:
    """Pre-annotate tasks with a rule set; repeating it goes on where it was."""
    wanted = filter_of(project, statuses=status, tags=tag, regex=regex, where=where)
    last = None
    with session_of(context).client() as client:
        for progress in client.apply_rule_set(project, rule_set, filter=wanted):
            last = progress
    if last is not None:
        note(
            f"{last.generation}: {last.written} predictions with {last.spans} spans written, "
            f"{last.unchanged} were there already."
        )


def _read(file: Path) -> list[dict[str, Any]]:
    try:
        found = json.loads(read_text(file))
    except ValueError as error:
        raise ConfigurationError(f"{file} is no JSON: {error}") from None
    rules = found.get("rules") if isinstance(found, dict) else found
    if not isinstance(rules, list) or not all(isinstance(one, dict) for one in rules):
        raise ConfigurationError(f"{file} must hold a list of rules, or an object with `rules`.")
    return rules
