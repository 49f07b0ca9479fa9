"""What a run tells while it goes on: stages, progress, remarks, timings."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from services.trainer.engines.interface import (
    Cancelled,
    OnEvent,
    ParityReport,
    ShouldStop,
    Stage,
    TrainEvent,
)
from services.trainer.engines.training_plan import EpochReport


class RunLog:
    """Turns what a run does into events.

    Attributes:
        timings: Seconds of the finished stages, by their names in lower case.
        notes: Remarks that stay with the job.
    """

    def __init__(
        self, on_event: OnEvent, should_stop: ShouldStop, begins: Mapping[Stage, float]
    ) -> None:
        """Tell `on_event`.

        Args:
            on_event: Told everything.
            should_stop: Asked before each stage.
            begins: Share of the whole run at which each stage begins, in the order of work.
        """
        self._on_event = on_event
        self._should_stop = should_stop
        self._begins = begins
        self._done = 0.0
        self.timings: dict[str, float] = {}
        self.notes: list[str] = []

    @contextmanager
    def stage(self, stage: Stage, message: str) -> Iterator[None]:
        """Do a stage inside.

        Raises:
            Cancelled: When `should_stop` says so.
        """
        if self._should_stop():
            raise Cancelled
        self.progress(stage, 0.0, message)
        started = time.monotonic()
        yield
        self.timings[stage.lower()] = time.monotonic() - started

    def progress(self, stage: Stage, share: float, message: str = "") -> None:
        """Tell the finished share of a stage, 0 to 1."""
        stages = list(self._begins)
        following = [*self._begins.values(), 1.0][stages.index(stage) + 1]
        done = self._begins[stage] + share * (following - self._begins[stage])
        # A step is too little news for an event of its own.
        if message or done - self._done >= 0.005:
            self._done = max(self._done, done)
            self._on_event(TrainEvent(stage=stage, progress=self._done, message=message))

    def say(self, stage: Stage, message: str, metrics: Mapping[str, float] | None = None) -> None:
        """Tell a log line, with numbers if there are any."""
        self._on_event(
            TrainEvent(stage=stage, progress=self._done, message=message, metrics=metrics or {})
        )

    def note(self, stage: Stage, sentence: str) -> None:
        """Tell a remark that stays with the job."""
        self.notes.append(sentence)
        self.say(stage, sentence)

    def epoch(self, report: EpochReport) -> None:
        """Tell what is known after an epoch."""
        self._on_event(report.to_event(self._done))

    def finish(self, parity: ParityReport) -> None:
        """Tell the end and whether the adapters may be served."""
        self._done = 1.0
        verdict = "passed" if parity.passed else f"failed: {parity.reason}"
        self.say(Stage.PARITY, f"parity {verdict} (largest difference {parity.max_abs_diff:.2g})")
