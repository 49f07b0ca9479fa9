"""A pre-annotation job against fakes: a moved deployment, an outage, pages that are too large."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from services.common.clock import SystemClock
from services.common.errors import (
    InvalidArgumentError,
    Reason,
    ResourceExhaustedError,
    SpanloopError,
    UnavailableError,
)
from services.inference.answers import TextAnswer
from services.inference.domain import (
    AdapterSet,
    DeploymentRevision,
    JobProgress,
    OpenTask,
    PreannotationJob,
    TaskPage,
    TaskPrediction,
)
from services.inference.engine.model import Model
from services.inference.generation import Generation, GenerationHandle
from services.inference.handlers.predict import PredictCommand, PredictResult
from services.inference.manager import Backoff
from services.inference.preannotate import Preannotation, PreannotationOptions


class OneGeneration:
    """A manager that serves one revision."""

    def __init__(self, revision: int, adapters: AdapterSet | None = None) -> None:
        self.adapters = adapters or AdapterSet()
        deployment = DeploymentRevision(project="p", revision=revision, adapters=self.adapters)
        self.generation = Generation(deployment, first_seen=0, on_unloaded=lambda _: None)
        self.generation.begin_loading()
        self.generation.loaded(Model(parts=(), adapters=self.adapters), monotonic=0, now=0)

    def acquire(self, project: str) -> GenerationHandle:
        return self.generation.acquire()


class NoSpans:
    """A predictor that is busy the first time and finds nothing after."""

    def __init__(self) -> None:
        self.busy = 1

    async def predict_with(
        self, handle: GenerationHandle, command: PredictCommand
    ) -> PredictResult:
        if self.busy:
            self.busy -= 1
            raise ResourceExhaustedError(Reason.OVERLOADED, "busy")
        answers = [TextAnswer() for _ in command.texts]
        return PredictResult(answers=answers, deployment=handle.deployment, adapters=AdapterSet())


class Tasks:
    """An annotation service with ten tasks and a list of errors to raise first."""

    def __init__(self, *errors: SpanloopError, most: int = 1000) -> None:
        self.errors = list(errors)
        self.most = most
        self.written: list[str] = []

    async def open_tasks(self, project: str, cursor: str, page_size: int) -> TaskPage:
        if self.errors:
            raise self.errors.pop(0)
        if page_size > self.most:
            raise ResourceExhaustedError(Reason.REQUEST_TOO_LARGE, "too large")
        start = int(cursor or 0)
        end = min(start + page_size, 10)
        tasks = tuple(OpenTask(name=f"t{i}", text="x") for i in range(start, end))
        return TaskPage(tasks=tasks, next_cursor=str(end) if end < 10 else "")

    async def write_predictions(
        self, project: str, predictions: Sequence[TaskPrediction]
    ) -> tuple[int, int]:
        new = [one.task for one in predictions if one.task not in self.written]
        self.written += new
        return len(new), len(predictions) - len(new)


async def run(
    tasks: Tasks, progress: JobProgress | None = None, patience: float = 5.0, revision: int = 2
) -> tuple[JobProgress, list[JobProgress]]:
    saved: list[JobProgress] = []

    async def save(progress: JobProgress) -> None:
        saved.append(progress)

    work = Preannotation(
        tasks,
        OneGeneration(revision),  # type: ignore[arg-type]
        NoSpans(),  # type: ignore[arg-type]
        clock=SystemClock(),
        options=PreannotationOptions(page_size=4, peer_patience=patience),
        backoff=Backoff(first=0.01, longest=0.01),
    )
    job = PreannotationJob(id="j", project="p", progress=progress or JobProgress())
    return await work.run(job, save), saved


def behind(revision: int) -> JobProgress:
    return JobProgress(
        generation=f"projects/p/generations/{revision}",
        total_tasks=10,
        done_tasks=8,
        written_predictions=8,
        cursor="8",
    )


async def test_a_resumed_job_continues_behind_its_cursor() -> None:
    tasks = Tasks()
    last, saved = await run(tasks, behind(2))
    assert tasks.written == ["t8", "t9"]
    assert (last.done_tasks, last.written_predictions, last.cursor) == (10, 10, "")
    assert saved == []


async def test_begins_again_when_the_deployment_moved() -> None:
    tasks = Tasks()
    last, saved = await run(tasks, behind(1))
    assert len(tasks.written) == 10
    assert (last.generation, last.done_tasks) == ("projects/p/generations/2", 10)
    assert saved[0] == JobProgress(generation="projects/p/generations/2", total_tasks=10)


async def test_begins_again_when_the_cursor_is_no_longer_known() -> None:
    tasks = Tasks(InvalidArgumentError(Reason.PAGE_TOKEN_INVALID, "old"))
    last, _ = await run(tasks, behind(2))
    assert len(tasks.written) == 10
    assert last.done_tasks == 10


async def test_outlasts_a_short_outage_and_fails_after_a_long_one() -> None:
    away = UnavailableError(Reason.PEER_UNAVAILABLE, "away")
    last, _ = await run(Tasks(away, away, away))
    assert last.done_tasks == 10
    with pytest.raises(UnavailableError):
        await run(Tasks(*[away] * 1000), patience=0.05)


async def test_asks_for_fewer_tasks_when_a_page_is_too_large() -> None:
    tasks = Tasks(most=1)
    last, _ = await run(tasks)
    assert (last.total_tasks, last.done_tasks) == (10, 10)
