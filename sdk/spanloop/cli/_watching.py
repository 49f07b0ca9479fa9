"""Showing long work as it goes on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.markup import escape

from spanloop.cli._output import note, progress_bar
from spanloop.client import Client
from spanloop.errors import ConfigurationError
from spanloop.types import PreannotationJob, TrainingJob, TrainingLogLine

_COLOURS = {"warning": "yellow", "error": "red"}


@contextmanager
def still_running(what: str, how: str) -> Iterator[None]:
    """Say on Ctrl-C that the work goes on and how to see it."""
    try:
        yield
    except KeyboardInterrupt:
        note(f"\nNo longer watching; {what} goes on. {how}")
        raise


def watch_training(client: Client, name: str, *, with_log: bool = True) -> TrainingJob:
    """Show a training job until it ends; return its last state."""
    job: TrainingJob | None = None
    with (
        still_running("the job", f"See it with `spanloop jobs show {name}`."),
        progress_bar() as bar,
    ):
        row = bar.add_task("waiting", total=1.0)
        for update in client.watch_training_job(name):
            if isinstance(update, TrainingLogLine):
                if with_log:
                    colour = _COLOURS.get(update.level, "dim")
                    bar.console.print(f"[{colour}]{escape(update.message)}[/{colour}]")
                continue
            job = update
            phase = update.progress.phase or update.state.value
            if update.state.value == "waiting":
                phase = "waiting"
            bar.update(row, description=phase, completed=update.progress.fraction)
    if job is None:
        raise ConfigurationError(f"The watch of {name} ended without telling a state.")
    return job


def watch_preannotation(client: Client, name: str) -> PreannotationJob:
    """Show a pre-annotation job until it ends; return its last state."""
    job: PreannotationJob | None = None
    with (
        still_running("the job", f"See it with `spanloop jobs show {name}`."),
        progress_bar() as bar,
    ):
        row = bar.add_task("waiting", total=None)
        for update in client.watch_preannotation_job(name):
            job = update
            bar.update(
                row,
                description=f"{update.state.value} {update.done_tasks}/{update.total_tasks}",
                completed=update.done_tasks,
                total=update.total_tasks or None,
            )
    if job is None:
        raise ConfigurationError(f"The watch of {name} ended without telling a state.")
    return job
