"""`spanloop events`."""

from __future__ import annotations

import json
import sys
from itertools import islice
from typing import Annotated

import typer

from spanloop.cli._output import to_json
from spanloop.cli._session import AsJson, Context, Project, session_of


def add_to(root: typer.Typer) -> None:
    """Add the command."""
    root.command("events")(events)


def events(
    context: Context,
    project: Project,
    after: Annotated[
        str, typer.Option(help="Resume token of the last event seen; default: from the first.")
    ] = "",
    limit: Annotated[
        int | None, typer.Option(min=1, help="End after so many; default: go on until Ctrl-C.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Follow the changes of a project: past ones, then new ones as they happen, one per line."""
    with session_of(context).client() as client:
        for event in islice(client.watch_events(project, resume_token=after), limit):
            if as_json:
                line = json.dumps(to_json(event), ensure_ascii=False)
            else:
                said = (event.sequence, event.time, event.actor, event.type, event.resource)
                line = "\t".join(map(str, said))
            sys.stdout.write(line + "\n")
            sys.stdout.flush()
