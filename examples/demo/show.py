"""What the demo prints: steps, progress, tables and one text with its spans."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from statistics import median

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from examples.demo.load import Load
from spanloop.types import (
    PreannotationJob,
    PredictResult,
    Span,
    SpanMetrics,
    SplitEvaluation,
    TrainingJob,
    TrainingTimings,
)


class Screen:
    """Prints to a console; progress bars appear on terminals only."""

    def __init__(self, console: Console) -> None:
        """Print to `console`."""
        self._console = console

    def say(self, text: str) -> None:
        """Print a line as it is."""
        self._console.print(text, markup=False, highlight=False)

    def step(self, name: str) -> None:
        """Announce a step."""
        self._console.print(f"\n[bold]▸ {escape(name)}[/bold]", highlight=False)

    def took(self, seconds: float) -> None:
        """Say what the step took."""
        self._console.print(f"  [dim]{seconds:.2f} s[/dim]", highlight=False)

    @contextmanager
    def training(self) -> Iterator[Callable[[TrainingJob], None]]:
        """Show a training's progress; yields what to tell its states to."""
        with self._bar() as bar:
            row = bar.add_task("waiting", total=1.0)
            seen, best = 0, -1.0

            def told(job: TrainingJob) -> None:
                nonlocal seen, best
                bar.update(
                    row,
                    description=job.progress.phase or str(job.state),
                    completed=job.progress.fraction,
                )
                for epoch in job.epochs[seen:]:
                    if epoch.dev_micro_f1 > best:
                        best = epoch.dev_micro_f1
                        bar.console.print(
                            f"  epoch {epoch.epoch}: loss {epoch.loss:.4f}, "
                            f"best dev micro-F1 {best:.3f}, {epoch.seconds:.1f} s",
                            highlight=False,
                        )
                seen = len(job.epochs)

            yield told

    @contextmanager
    def preannotation(self) -> Iterator[Callable[[PreannotationJob], None]]:
        """Show a pre-annotation's progress; yields what to tell its states to."""
        with self._bar() as bar:
            row = bar.add_task("tasks", total=None)

            def told(job: PreannotationJob) -> None:
                bar.update(row, total=job.total_tasks or None, completed=job.done_tasks)

            yield told

    def _bar(self) -> Progress:
        return Progress(
            TextColumn("  {task.description}"),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f}%"),
            TimeElapsedColumn(),
            console=self._console,
            transient=True,
        )

    def evaluation(self, evaluation: SplitEvaluation) -> None:
        """Print quality per label."""
        table = Table(title=f"held-out texts: {evaluation.texts}", title_justify="left")
        table.add_column("label")
        for column in ("support", "precision", "recall", "F1"):
            table.add_column(column, justify="right")

        def row(name: str, found: SpanMetrics) -> None:
            figures = (found.precision, found.recall, found.f1)
            table.add_row(escape(name), str(found.support), *(f"{value:.3f}" for value in figures))

        for label, found in sorted(evaluation.labels.items()):
            row(label, found)
        table.add_section()
        row("micro", evaluation.micro)
        row("macro", evaluation.macro)
        self._console.print(table)

    def swap(self, load: Load, seconds: float) -> None:
        """Print what the steady client saw of the swap."""
        self.say(
            f"  {len(load.latencies)} answers ("
            + ", ".join(f"revision {r}: {n}" for r, n in sorted(load.answers.items()))
            + f"), {len(load.failures)} failed, median {1000 * median(load.latencies):.1f} ms, "
            f"longest {1000 * max(load.latencies):.1f} ms"
        )
        self.say(f"  from Deploy returning to the first answer of the new one: {seconds:.3f} s")

    def text(self, when: str, text: str, answer: PredictResult, gold: Sequence[Span]) -> None:
        """Print one text with what is predicted and what was annotated."""
        versions = sorted(set(answer.generation.model_versions.values()))
        self._console.print(
            f"\n[bold]{when}[/bold] {escape(answer.generation.name)}, "
            + ", ".join(v.rpartition("/")[2] for v in versions),
            highlight=False,
        )
        self.say(f"  {text}")
        wanted = {(span.start, span.end, span.label) for span in gold}
        found = answer.predictions[0].spans
        for span in found:
            mark = "✓" if (span.start, span.end, span.label) in wanted else "✗"
            self.say(f"  {mark} {span.label:<16} {span.score:.2f}  {text[span.start : span.end]}")
        missed = wanted - {(span.start, span.end, span.label) for span in found}
        for start, end, label in sorted(missed):
            self.say(f"  ∙ {label:<16} missed  {text[start:end]}")

    def steps(self, steps: Mapping[str, float], timings: TrainingTimings) -> None:
        """Print where the time went."""
        table = Table(title="what each step took", title_justify="left")
        table.add_column("step")
        table.add_column("seconds", justify="right")
        for name, seconds in steps.items():
            table.add_row(escape(name), f"{seconds:.2f}")
        table.add_section()
        for name in ("trunk", "activation", "training", "evaluation", "registration"):
            seconds = getattr(timings, f"{name}_seconds")
            table.add_row(f"  of the last training: {name}", f"{seconds:.2f}")
        self._console.print(table)
