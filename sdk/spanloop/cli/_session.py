"""What all commands need: the options before the command, and a client made from them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, BinaryIO

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


def read_text(file: Path) -> str:
    """Return the content of a file of UTF-8, with or without a byte order mark.

    Raises:
        ConfigurationError: When it is empty or not UTF-8.
    """
    try:
        # Not read_text, which makes other line ends of those in the file.
        text = file.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ConfigurationError(f"{file} is not UTF-8: save it as UTF-8.") from None
    if not text.strip():
        raise ConfigurationError(f"{file} is empty.")
    return text


def target_of(output: Path | None) -> Path | BinaryIO:
    """Return what `--output` names: a file, or stdout for `-` and for none.

    Raises:
        ConfigurationError: When no file can be written there; looked at before anything is read.
    """
    if output is None or str(output) == "-":
        return sys.stdout.buffer
    if output.is_dir():
        raise ConfigurationError(f"{output} is a folder: name a file in it.")
    if not output.parent.is_dir():
        raise ConfigurationError(f"The folder {output.parent} does not exist: make it first.")
    return output


Context = typer.Context
Project = Annotated[str, typer.Argument(metavar="PROJECT", help="Id of the project.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")]
Labels = Annotated[
    list[str] | None,
    typer.Option("--labels", "-l", help="Label values, comma-separated or repeated."),
]
