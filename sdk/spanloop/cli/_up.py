"""`spanloop up`."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer

from spanloop.cli._output import note, print_table
from spanloop.cli._session import Context, session_of
from spanloop.cli._stack import ServiceExit, Stack, StackError
from spanloop.errors import ConfigurationError

__all__ = ["ServiceExit", "Stack", "StackError", "add_to", "up"]

_POLL_SECONDS = 0.2


def add_to(root: typer.Typer) -> None:
    """Add the command."""
    root.command("up")(up)


def up(
    context: Context,
    data_dir: Annotated[
        Path | None, typer.Option(help="Where all state is kept; default: ./data.")
    ] = None,
    free_ports: Annotated[bool, typer.Option("--free-ports", help="Use free ports.")] = False,
    ports_from: Annotated[
        int | None,
        typer.Option(min=1, max=65532, help="Use this port and the three behind it."),
    ] = None,
    startup_seconds: Annotated[
        float, typer.Option(min=1, help="How long the services may take to start.")
    ] = 90.0,
) -> None:
    """Start the four services from a checkout and run them until Ctrl-C or SIGTERM.

    Addresses are written to `endpoints.json` in the data directory, where the other commands find
    them; logs to `logs/<service>.log`. When a service ends by itself, its last log lines are shown,
    the others are stopped, and the exit status is 1. A second Ctrl-C stops at once.
    """
    if free_ports and ports_from is not None:
        raise ConfigurationError("--free-ports and --ports-from exclude each other.")
    folder = data_dir or session_of(context).data
    ports: str | int = ports_from if ports_from is not None else "default"
    stack = Stack(folder, ports="free" if free_ports else ports, startup_seconds=startup_seconds)
    stop = threading.Event()
    with _signals(stack, stop):
        try:
            note(f"Starting on {stack.data_dir} …")
            stack.start(abort=stop)
            if not stop.is_set():
                print_table(["service", "address", "log"], _rows(stack))
                note(f"Token: {stack.data_dir / 'token'}. Ctrl-C stops the services.")
            _wait(stack, stop)
        finally:
            stack.stop()
    note("Stopped.")


def _rows(stack: Stack) -> Iterator[tuple[str, str, str]]:
    for service, address in stack.endpoints.items():
        yield service, address, str(stack.log_path(service))


def _wait(stack: Stack, stop: threading.Event) -> None:
    while not stop.wait(_POLL_SECONDS):
        for ended in stack.ended():
            raise StackError(stack.describe(ended))


@contextmanager
def _signals(stack: Stack, stop: threading.Event) -> Iterator[None]:
    """Let SIGINT and SIGTERM stop the stack: the first in an orderly way, the second at once."""

    def on_signal(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - signal's form
        if stop.is_set():
            stack.kill()
        stop.set()

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {
        number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
