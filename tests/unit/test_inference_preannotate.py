"""A pre-annotation job against fakes: a moved deployment, an outage, pages that are too large, and
predictions that are current."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

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
    AdapterDigests,
    AdapterKind,
    AdapterRef,
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
from services.inference.metrics import PreannotationMetrics
from services.inference.preannotate import Preannotation, PreannotationOptions, Tally
from services.inference.staleness import is_current


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
    """A predictor that finds nothing."""

    def __init__(self) -> None:
        self.active = 0
        self.most_active = 0
        self.asked: list[PredictCommand] = []

    async def predict_with(
        self, handle: GenerationHandle, command: PredictCommand
    ) -> PredictResult:
        self.asked.append(command)
        self.active += 1
        self.most_active = max(self.most_active, self.active)
        try:
            await asyncio.sleep(0)
            answers = [TextAnswer() for _ in command.texts]
            return PredictResult(
                answers=answers, deployment=handle.deployment, adapters=AdapterSet()
            )
        finally:
            self.active -= 1


class Tasks:
    """An annotation service with ten tasks and a list of errors to raise first."""

    def __init__(self, *errors: SpanloopError, most: int = 1000) -> None:
        self.errors = list(errors)
        self.most = most
        self.written: list[str] = []
        self.newest: dict[str, AdapterDigests] = {}

    async def newest_sources(
        self, project: str, tasks: Sequence[str]
    ) -> Mapping[str, AdapterDigests]:
        return {task: self.newest[task] for task in tasks if task in self.newest}

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


def work_on(
    tasks: Tasks,
    predictor: NoSpans,
    *,
    adapters: AdapterSet | None = None,
    patience: float = 5.0,
    revision: int = 2,
    slice_tokens: int = 8192,
) -> Preannotation:
    return Preannotation(
        tasks,  # type: ignore[arg-type]
        OneGeneration(revision, adapters),  # type: ignore[arg-type]
        predictor,  # type: ignore[arg-type]
        clock=SystemClock(),
        options=PreannotationOptions(
            page_size=4, peer_patience=patience, slice_tokens=slice_tokens
        ),
        backoff=Backoff(first=0.01, longest=0.01),
    )


async def run(
    tasks: Tasks, progress: JobProgress | None = None, patience: float = 5.0, revision: int = 2
) -> tuple[JobProgress, list[JobProgress]]:
    saved: list[JobProgress] = []

    async def save(progress: JobProgress) -> None:
        saved.append(progress)

    work = work_on(tasks, NoSpans(), patience=patience, revision=revision)
    job = PreannotationJob(id="j", project="p", progress=progress or JobProgress())
    return await work.run(job, save), saved


async def forget(_: JobProgress) -> None:
    pass


NOTHING = DeploymentRevision(project="p", revision=2, adapters=AdapterSet()).content_digest


def behind(revision: int, content: str = NOTHING) -> JobProgress:
    return JobProgress(
        generation=f"projects/p/generations/{revision}",
        content_digest=content,
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


@pytest.mark.parametrize("before", [behind(1), behind(2, "other adapters")])
async def test_begins_again_when_the_deployment_moved(before: JobProgress) -> None:
    tasks = Tasks()
    last, saved = await run(tasks, before)
    assert len(tasks.written) == 10
    assert (last.generation, last.done_tasks) == ("projects/p/generations/2", 10)
    assert saved[0] == JobProgress(
        generation="projects/p/generations/2", content_digest=NOTHING, total_tasks=10
    )


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


def ref(digest: str) -> AdapterRef:
    return AdapterRef(digest=digest, trunk_digest="t", model_version="v")


PARTY, DATE = (AdapterKind.LABEL, "PARTY"), (AdapterKind.LABEL, "DATE")


@pytest.mark.parametrize(
    ("named", "current"),
    [
        (None, False),
        ({PARTY: "1"}, True),
        ({PARTY: "1", DATE: "2"}, True),
        ({PARTY: "0"}, False),
        ({PARTY: "1", DATE: "0"}, False),  # another job's label was swapped
        ({DATE: "2"}, False),  # nobody asked the adapter that is wanted
        ({PARTY: "1", (AdapterKind.CONTROL, "DATE"): "2"}, False),  # served no more
    ],
)
def test_what_is_current(named: AdapterDigests | None, current: bool) -> None:
    deployed = {PARTY: "1", DATE: "2"}
    assert is_current(named, wanted={PARTY: "1"}, deployed=deployed) is current


async def test_only_stale_predictions_are_made_again_and_the_others_counted() -> None:
    tasks, predictor = Tasks(), NoSpans()
    adapters = AdapterSet(labels={"PARTY": ref("1"), "DATE": ref("2")})
    tasks.newest = dict.fromkeys([f"t{i}" for i in range(7)], adapters.digests)
    tasks.newest["t3"] = {PARTY: "1", DATE: "before the swap"}
    work = work_on(tasks, predictor, adapters=adapters)
    job = PreannotationJob(id="j", project="p", stale_only=True)
    last = await work.run(job, forget)
    assert tasks.written == ["t3", "t7", "t8", "t9"]
    assert (last.done_tasks, last.skipped_tasks, last.written_predictions) == (10, 6, 4)
    assert work.tally == Tally(predicted_tasks=4, skipped_tasks=6, written_predictions=4)
    assert sum(len(one.texts) for one in predictor.asked) == 4
    # Everything that is asked gives way to callers who wait.
    assert all(one.background for one in predictor.asked)


async def test_however_many_jobs_run_few_texts_are_under_way() -> None:
    predictor = NoSpans()
    work = work_on(Tasks(), predictor, slice_tokens=1)
    jobs = [PreannotationJob(id=str(number), project="p") for number in range(5)]
    await asyncio.gather(*(work.run(job, forget) for job in jobs))
    assert predictor.most_active == 2
    assert work.tally.predicted_tasks == 50


def test_metrics_tell_how_far_jobs_are() -> None:
    class Runner:
        def __init__(self) -> None:
            self.running = {"p": JobProgress(total_tasks=10, done_tasks=4, skipped_tasks=3)}

    tally = Tally(predicted_tasks=1, skipped_tasks=3, written_predictions=1)
    told = {
        (sample.name, *sample.labels.values()): sample.value
        for metric in PreannotationMetrics(Runner(), tally).collect()  # type: ignore[arg-type]
        for sample in metric.samples
    }
    assert told == {
        ("spanloop_preannotation_running_jobs",): 1,
        ("spanloop_preannotation_job_tasks", "p", "total"): 10,
        ("spanloop_preannotation_job_tasks", "p", "done"): 4,
        ("spanloop_preannotation_job_tasks", "p", "skipped"): 3,
        ("spanloop_preannotation_tasks_total", "predicted"): 1,
        ("spanloop_preannotation_tasks_total", "skipped"): 3,
        ("spanloop_preannotation_predictions_written_total",): 1,
    }
