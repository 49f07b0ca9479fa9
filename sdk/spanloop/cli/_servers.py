"""`spanloop servers`."""

from __future__ import annotations

import typer

from spanloop.cli._output import note, print_json, print_table
from spanloop.cli._session import AsJson, Context, session_of


def add_to(root: typer.Typer) -> None:
    """Add the command."""
    root.command("servers")(servers)


def servers(context: Context, as_json: AsJson = False) -> None:
    """Show the inference servers that are there, and the precision of trunks that fits them."""
    with session_of(context).client() as client:
        found = list(client.list_servers())
        choice = client.choose_trunk_precision()
    if as_json:
        print_json({"servers": found, "trunk_precision": choice})
        return
    print_table(
        ["server", "computes on", "reported", "gone after"],
        (
            (
                server.name.rpartition("/")[2],
                server.device.value,
                server.report_time,
                server.expire_time,
            )
            for server in found
        ),
    )
    note(f"Trainings that name no precision read the trunk in {choice.precision}: {choice.reason}")
