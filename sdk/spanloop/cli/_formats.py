"""`spanloop formats`."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated
from uuid import uuid4

import typer

from spanloop import Endpoints
from spanloop._types.choice import words_of
from spanloop.cli._checkout import find_checkout, service_command
from spanloop.cli._output import note, print_json, print_table
from spanloop.cli._session import AsJson, Context, session_of
from spanloop.client import Client
from spanloop.errors import ConfigurationError, InvalidArgument, SpanloopError
from spanloop.types import TaskFormat

app = typer.Typer(no_args_is_help=True, help="Formats of task files.")

_TOKEN = "spanloop-formats-check"  # noqa: S105 - of a service on loopback that ends with us
_START_SECONDS = 60.0
# The reason of files that hold no tasks, such as pages about the data; its message says more.
_SKIPPED = "FORMAT_UNKNOWN"
_UNEXPLAINED = {"", "INTERNAL", "UNKNOWN"}


@dataclass(frozen=True, kw_only=True)
class Checked:
    """What checking one file (or brat folder) gave.

    Attributes:
        outcome: `imported` as a whole; `partly`: some texts were refused; `refused`: all of it was;
            `skipped`: no file of tasks; `failed` without an explanation.
        reason: Why it was not imported, or why the first of its texts was refused.
    """

    file: str
    format: str
    outcome: str
    imported: int
    refused: int
    warnings: int
    reason: str


@app.command("list")
def list_() -> None:
    """List the formats."""
    print_table(["format"], ((name,) for name in words_of(TaskFormat)))
    note("docs/formats has a page on each.")


@app.command()
def check(
    context: Context,
    folder: Annotated[
        Path,
        typer.Argument(metavar="FOLDER", exists=True, file_okay=False, help="Files to check."),
    ],
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit with 1 as well when anything was refused.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Say of every file in a folder what an import would make of it; nothing is stored.

    Folders with brat annotations count as one file; hidden files are left out. In a checkout, an
    annotation service is started for the time of the command; elsewhere the running one is asked,
    which then keeps an empty project. Exits with 1 when something failed without an explanation.
    """
    sources = list(_sources(folder))
    if not sources:
        raise ConfigurationError(f"{folder} holds no files: name the folder with the task files.")
    with _client(context) as client:
        project = f"formats-check-{uuid4().hex[:12]}"
        client.create_project(project, display_name="formats check")
        found = [_checked(client, project, folder, path) for path in sources]
    if as_json:
        print_json(found)
    else:
        print_table(
            ["file", "format", "outcome", "#imported", "#refused", "#warnings", "reason"],
            (
                (
                    one.file,
                    one.format,
                    one.outcome,
                    one.imported,
                    one.refused,
                    one.warnings,
                    one.reason,
                )
                for one in found
            ),
        )
        counts = Counter(one.outcome for one in found)
        note(", ".join(f"{count} {outcome}" for outcome, count in counts.items()) + ".")
    bad = {"failed", "refused", "partly"} if strict else {"failed"}
    if any(one.outcome in bad for one in found):
        raise typer.Exit(1)


def _sources(folder: Path) -> Iterator[Path]:
    """Yield the files, and in place of files of brat folders the folder."""
    shown = [path for path in sorted(folder.rglob("*")) if not _hidden(path.relative_to(folder))]
    brat = {path.parent for path in shown if path.suffix == ".ann"}
    yield from sorted(brat)
    for path in shown:
        if path.is_file() and path.parent not in brat:
            yield path


def _hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def _checked(client: Client, project: str, folder: Path, path: Path) -> Checked:
    name = path.relative_to(folder).as_posix() if path != folder else folder.name
    try:
        report = client.import_file(project, path, validate_only=True, create_labels=True)
    except InvalidArgument as error:
        outcome = "skipped" if error.reason == _SKIPPED else "refused"
        if error.reason in _UNEXPLAINED:
            outcome = "failed"
        return _none(name, outcome, error)
    except SpanloopError as error:
        return _none(name, "failed", error)
    first = report.errors[0] if report.errors else None
    unexplained = first is not None and (first.reason in _UNEXPLAINED or not first.message)
    outcome = "imported" if report.imported_tasks else "refused"
    if report.imported_tasks and report.refused_tasks:
        outcome = "partly"
    return Checked(
        file=name,
        format=report.format.value,
        outcome="failed" if unexplained else outcome,
        imported=report.imported_tasks,
        refused=report.refused_tasks,
        warnings=report.warning_count,
        reason=f"line {first.line}: {first.reason}: {first.message}" if first else "",
    )


def _none(name: str, outcome: str, error: SpanloopError) -> Checked:
    return Checked(
        file=name,
        format="",
        outcome=outcome,
        imported=0,
        refused=0,
        warnings=0,
        reason=f"{error.reason}: {error.message}",
    )


@contextmanager
def _client(context: Context) -> Iterator[Client]:
    """Open a client of a service of its own, without a checkout of the running one."""
    try:
        checkout = find_checkout()
    except ConfigurationError:
        # Even a check needs a project, and projects stay: say so.
        note("There is no checkout here: asking the running service, which keeps an empty project.")
        with session_of(context).client() as client:
            yield client
        return
    with tempfile.TemporaryDirectory() as scratch, _service(checkout, Path(scratch)) as address:
        endpoints = Endpoints(annotation=address)
        with Client(endpoints=endpoints, token=_TOKEN) as client:
            yield client


@contextmanager
def _service(checkout: Path, scratch: Path) -> Iterator[str]:
    port_file = scratch / "port"
    with (scratch / "log").open("wb") as log:
        process = subprocess.Popen(  # noqa: S603 - fixed command
            service_command("annotation"),
            cwd=checkout,
            stdout=log,
            stderr=log,
            env={
                **{name: value for name, value in os.environ.items() if "SPANLOOP" not in name},
                "SPANLOOP_DATA_DIR": str(scratch),
                "SPANLOOP_TOKEN": _TOKEN,
                "SPANLOOP_ANNOTATION_LISTEN": "127.0.0.1:0",
                "SPANLOOP_ANNOTATION_PORT_FILE": str(port_file),
            },
        )
    try:
        deadline = time.monotonic() + _START_SECONDS
        while not port_file.exists():
            if process.poll() is not None or time.monotonic() > deadline:
                tail = (scratch / "log").read_text(encoding="utf-8", errors="replace")[-2000:]
                raise ConfigurationError(f"The annotation service does not start:\n{tail}")
            time.sleep(0.05)
        yield port_file.read_text(encoding="utf-8").strip()
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
