"""`spanloop agreement` and `spanloop audit`."""

from __future__ import annotations

from itertools import islice
from typing import Annotated

import typer

from spanloop.cli._filters import Regex, Tags, Where, filter_of
from spanloop.cli._output import note, print_json, print_table
from spanloop.cli._session import AsJson, Context, Project, session_of
from spanloop.types import AgreementSummary, Measure


def add_to(root: typer.Typer) -> None:
    """Add the commands."""
    root.command("agreement")(agreement)
    root.command("audit")(audit)


def agreement(
    context: Context,
    project: Project,
    tag: Tags = None,
    regex: Regex = "",
    where: Where = None,
    author: Annotated[
        list[str] | None, typer.Option(help="Only these annotators; may be repeated.")
    ] = None,
    label: Annotated[
        list[str] | None, typer.Option(help="Only these labels; may be repeated.")
    ] = None,
    pairs: Annotated[bool, typer.Option(help="Show each pair of annotators.")] = False,
    as_json: AsJson = False,
) -> None:
    """Measure how far the annotators of a project agree."""
    with session_of(context).client() as client:
        found = client.agreement(
            project,
            filter=filter_of(project, tags=tag, regex=regex, where=where),
            authors=author or (),
            labels=label or (),
        )
    if as_json:
        print_json(found)
        return
    rows = [found.overall, *found.labels, *found.choices]
    print_table(
        ["what", "#tasks", "#spans", "#exact F1", "#overlap F1", "#kappa", "#Fleiss", "#alpha"],
        (
            (
                one.target or "all labels",
                one.tasks,
                one.spans,
                *map(_shown, (one.exact_f1, one.overlap_f1, one.cohen_kappa)),
                *map(_shown, (one.fleiss_kappa, one.krippendorff_alpha)),
            )
            for one in rows
        ),
    )
    if pairs:
        _show_pairs(rows)


def _show_pairs(rows: list[AgreementSummary]) -> None:
    print_table(
        ["what", "first", "second", "#tasks", "#exact F1", "#overlap F1", "#kappa"],
        (
            (
                one.target or "all labels",
                pair.first,
                pair.second,
                pair.tasks,
                *map(_shown, (pair.exact_f1, pair.overlap_f1, pair.cohen_kappa)),
            )
            for one in rows
            for pair in one.pairs
        ),
    )


def _shown(measure: Measure | None) -> object:
    if measure is None:
        return ""
    return measure.undefined_reason if measure.value is None else measure.value


def audit(
    context: Context,
    project: Project,
    resource: Annotated[
        str, typer.Option(help="Only changes of this resource, e.g. members/ben.")
    ] = "",
    actor: Annotated[str, typer.Option(help="Only changes by this user or service.")] = "",
    limit: Annotated[int, typer.Option(min=1, help="At most so many, the oldest first.")] = 100,
    as_json: AsJson = False,
) -> None:
    """Show who changed what, and when."""
    if resource and not resource.startswith("projects/"):
        resource = f"projects/{project}/{resource}"
    with session_of(context).client() as client:
        entries = client.list_audit(project, resource=resource, actor=actor)
        found = list(islice(entries, limit))
        more = next(entries, None) is not None
    if as_json:
        print_json(found)
        return
    print_table(
        ["when", "who", "what", "#version", "resource"],
        ((one.time, one.actor, one.type.value, one.version, one.resource) for one in found),
    )
    if more:
        note(f"These are the oldest {limit}: --limit shows more.")
