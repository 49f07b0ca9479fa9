"""`spanloop doctor`."""

from __future__ import annotations

import typer

from spanloop.cli._checks import Finding, Level
from spanloop.cli._checks_machine import machine_findings
from spanloop.cli._checks_services import service_findings
from spanloop.cli._output import note, out, print_json, print_table
from spanloop.cli._session import AsJson, Context, session_of

_COLOURS = {Level.OK: "green", Level.WARNING: "yellow", Level.PROBLEM: "red"}


def add_to(root: typer.Typer) -> None:
    """Add the command."""
    root.command("doctor")(doctor)


def doctor(context: Context, as_json: AsJson = False) -> None:
    """Say what is wrong with this installation, and how to mend it.

    Exits with 1 if there is a problem; warnings do not count.
    """
    session = session_of(context)
    findings: list[Finding] = [*machine_findings(session.data), *service_findings(session)]
    problems = [finding for finding in findings if finding.level is Level.PROBLEM]
    if as_json:
        print_json(findings)
    else:
        print_table(
            ["", "check", "found"],
            ((finding.level.value, finding.check, finding.found) for finding in findings),
        )
        for finding in findings:
            if finding.fix:
                colour = _COLOURS[finding.level]
                out().print(f"[{colour}]{finding.level.value}[/{colour}] ", end="")
                out().print(f"{finding.check}: {finding.fix}", markup=False, soft_wrap=True)
        note(f"{len(problems)} problems." if problems else "No problems.")
    if problems:
        raise typer.Exit(1)
