"""What all commands need: the options before the command, and a client made from them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from spanloop._connect import data_dir as chosen_data_dir
from spanloop.client import Client
from spanloop.errors import ConfigurationError


@dataclass(frozen=True, kw_only=True)
class Session:
    """The options before the command."""

    data_dir: Path | None = None
    token: str | None = None
    user: str = ""

    @property
    def data(self) -> Path:
        """The data directory in effect."""
        return chosen_data_dir(self.data_dir)

    @contextmanager
    def client(self) -> Iterator[Client]:
        """Open a client with these options."""
        with Client(data_dir=self.data_dir, token=self.token, user=self.user) as client:
            yield client


def session_of(context: typer.Context) -> Session:
    """Return the session that the root command made."""
    found = context.find_object(Session)
    return found if found is not None else Session()


def values(given: list[str] | None) -> list[str]:
    """Return option values that may be repeated or separated by commas."""
    return [part.strip() for entry in given or [] for part in entry.split(",") if part.strip()]


def pairs(given: list[str] | None, option: str) -> dict[str, str]:
    """Return `KEY=VALUE` options as a mapping.

    Raises:
        ConfigurationError: When one has another form.
    """
    found: dict[str, str] = {}
    for entry in given or []:
        key, equals, value = entry.rpartition("=")
        if not equals or not key or not value:
            raise ConfigurationError(f"{option} {entry}: must be LABEL=VERSION")
        found[key] = value
    return found


def job_name(given: str, collection: str) -> str:
    """Return a job's full name; `PROJECT/JOB` is short for it."""
    project, slash, job = given.partition("/")
    if slash and "/" not in job and project != "projects":
        return f"projects/{project}/{collection}/{job}"
    return given


Context = typer.Context
Project = Annotated[str, typer.Argument(metavar="PROJECT", help="Id of the project.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")]
Labels = Annotated[
    list[str] | None,
    typer.Option("--labels", "-l", help="Label values, comma-separated or repeated."),
]
