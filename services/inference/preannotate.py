"""Pre-annotation jobs: open tasks in, predictions of one generation out, page by page.

Nobody waits for a prediction of a job, so jobs give way: what they ask is marked, and however many
jobs run, few of their texts are on their way through the models at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from services.common.clock import Clock
from services.common.errors import (
    FailedPreconditionError,
    InvalidArgumentError,
    Reason,
    ResourceExhaustedError,
    UnavailableError,
)
from services.common.logs import get_logger
from services.inference.answers import Wish
from services.inference.domain import (
    JobProgress,
    OpenTask,
    PreannotationJob,
    TaskPage,
    TaskPrediction,
    Uncertainty,
)
from services.inference.generation import GenerationHandle
from services.inference.handlers.predict import PredictCommand, Predictor, wanted_adapters
from services.inference.manager import Backoff, GenerationManager
from services.inference.ports import Annotation
from services.inference.staleness import is_current
from services.inference.tasks import all_of

_log = get_logger(__name__)

T = TypeVar("T")
Save = Callable[[JobProgress], Awaitable[None]]

# Predictions in one write, well below the 1,000 that the annotation service takes.
_WRITE_SIZE = 200
# Slices that all jobs predict at once: one on the device, one being tokenised or decoded.
_AT_ONCE = 2


class LeaseLostError(Exception):
    """The job belongs to another holder now; nothing more may be written for it."""


@dataclass(frozen=True, kw_only=True)
class PreannotationOptions:
    """How jobs behave.

    Attributes:
        page_size: Tasks read at once.
        slice_tokens: Tokens, by estimate, of one prediction call.
        peer_patience: Seconds that the annotation service may be away before the job fails.
        load_patience: Seconds to wait for a deployment that is being loaded.
        deploy_patience: Seconds to wait for a deployment that this server has not heard of.
    """

    page_size: int = 200
    slice_tokens: int = 8192
    peer_patience: float = 120.0
    load_patience: float = 120.0
    deploy_patience: float = 5.0


@dataclass(kw_only=True)
class Tally:
    """What the jobs of this process have done since it started."""

    predicted_tasks: int = 0
    skipped_tasks: int = 0
    written_predictions: int = 0


class Preannotation:
    """Predicts the open tasks of projects and writes the predictions back.

    Attributes:
        tally: What was done so far.
    """

    def __init__(
        self,
        annotation: Annotation,
        manager: GenerationManager,
        predictor: Predictor,
        *,
        clock: Clock,
        options: PreannotationOptions,
        backoff: Backoff | None = None,
    ) -> None:
        """Use the service's one manager and predictor."""
        self._annotation = annotation
        self._manager = manager
        self._predictor = predictor
        self._clock = clock
        self._options = options
        self._backoff = backoff or Backoff(first=0.2, longest=5.0)
        # Shared by all jobs, and first come, first served: of several each is as often at it.
        self._gate = asyncio.Semaphore(_AT_ONCE)
        self.tally = Tally()

    async def run(self, job: PreannotationJob, save: Save) -> JobProgress:
        """Run a job to its end and return the last progress, not yet saved.

        The whole run uses one generation. If the one of an earlier run is not the one that serves
        now, all tasks are predicted again with the new one.

        Raises:
            SpanloopError: Why the job fails.
            LeaseLostError: As `save` raised it.
        """
        with await self._acquire(job.project) as handle:
            _check_proposes(handle, job.project)
            progress = job.progress
            source = handle.deployment.generation, handle.deployment.content_digest
            begun = (progress.generation, progress.content_digest)
            if begun != source or progress.total_tasks is None:
                generation, content = source
                progress = JobProgress(
                    generation=generation,
                    content_digest=content,
                    total_tasks=await self._count(job.project),
                )
                await save(progress)
            while True:
                try:
                    page = await self._page(job.project, progress.cursor)
                except InvalidArgumentError as error:
                    if error.reason is not Reason.PAGE_TOKEN_INVALID or not progress.cursor:
                        raise
                    # The list was made anew: begin again, which repeats no prediction.
                    progress = replace(progress, cursor="", done_tasks=0, skipped_tasks=0)
                    continue
                tasks = await self._stale(handle, job, page.tasks)
                predictions = await self._predict(handle, job, tasks)
                written = await self._write(job.project, predictions)
                skipped = len(page.tasks) - len(tasks)
                self.tally.predicted_tasks += len(tasks)
                self.tally.skipped_tasks += skipped
                self.tally.written_predictions += written
                progress = replace(
                    progress,
                    done_tasks=progress.done_tasks + len(page.tasks),
                    skipped_tasks=progress.skipped_tasks + skipped,
                    written_predictions=progress.written_predictions + written,
                    cursor=page.next_cursor,
                )
                if not page.next_cursor:
                    return progress
                await save(progress)

    async def _acquire(self, project: str) -> GenerationHandle:
        began = self._clock.monotonic()
        while True:
            try:
                return self._manager.acquire(project)
            except FailedPreconditionError:
                pending = self._manager.is_pending(project)
                patience = self._options.load_patience if pending else self._options.deploy_patience
                left = began + patience - self._clock.monotonic()
                if left <= 0:
                    raise
            await self._manager.changed(min(left, 1.0))

    async def _count(self, project: str) -> int:
        count = 0
        cursor = ""
        while True:
            page = await self._page(project, cursor)
            count += len(page.tasks)
            cursor = page.next_cursor
            if not cursor:
                return count

    async def _page(self, project: str, cursor: str) -> TaskPage:
        size = self._options.page_size
        while True:
            try:
                return await self._patiently(
                    lambda: self._annotation.open_tasks(project, cursor, size)  # noqa: B023
                )
            except ResourceExhaustedError:
                # Long texts: fewer of them fit in a message.
                if size == 1:
                    raise
                size = max(1, size // 4)

    async def _stale(
        self, handle: GenerationHandle, job: PreannotationJob, tasks: Sequence[OpenTask]
    ) -> Sequence[OpenTask]:
        """Return the tasks that the job is to predict."""
        if not job.stale_only or not tasks:
            return tasks
        names = [task.name for task in tasks]
        newest = await self._patiently(lambda: self._annotation.newest_sources(job.project, names))
        deployed = handle.deployment.adapters
        wanted = wanted_adapters(_command(job, ()), deployed).digests
        return [
            task
            for task in tasks
            if not is_current(newest.get(task.name), wanted=wanted, deployed=deployed.digests)
        ]

    async def _predict(
        self, handle: GenerationHandle, job: PreannotationJob, tasks: Sequence[OpenTask]
    ) -> list[TaskPrediction]:
        # Its own gate keeps a job with many slices from filling the queue before the shared one.
        own = asyncio.Semaphore(_AT_ONCE)

        async def predict(part: Sequence[OpenTask]) -> list[TaskPrediction]:
            async with own, self._gate:
                return await self._predict_slice(handle, job, part)

        found = await all_of([predict(part) for part in slices(tasks, self._options.slice_tokens)])
        return [prediction for part in found for prediction in part]

    async def _predict_slice(
        self, handle: GenerationHandle, job: PreannotationJob, tasks: Sequence[OpenTask]
    ) -> list[TaskPrediction]:
        command = _command(job, [task.text for task in tasks])
        result = await self._predictor.predict_with(handle, command)
        return [
            TaskPrediction(
                task=task.name,
                generation=handle.deployment.generation,
                adapters=result.adapters,
                spans=answer.spans,
                choices=tuple(choice for choice in answer.choices if choice.chosen),
                uncertainty=answer.uncertainty or Uncertainty(),
                embedding=answer.embedding,
            )
            for task, answer in zip(tasks, result.answers, strict=True)
        ]

    async def _write(self, project: str, predictions: Sequence[TaskPrediction]) -> int:
        total = 0
        for start in range(0, len(predictions), _WRITE_SIZE):
            part = predictions[start : start + _WRITE_SIZE]
            written, _ = await self._patiently(
                lambda: self._annotation.write_predictions(project, part)  # noqa: B023
            )
            total += written
        return total

    async def _patiently(self, call: Callable[[], Awaitable[T]]) -> T:
        """Repeat a call of the annotation service while it is away, up to the patience."""
        failures = 0
        began = self._clock.monotonic()
        while True:
            try:
                return await call()
            except (UnavailableError, ResourceExhaustedError) as error:
                if isinstance(error, ResourceExhaustedError) and (
                    error.reason is not Reason.OVERLOADED
                ):
                    raise
                failures += 1
                pause = max(self._backoff.after(failures), error.retry_after or 0.0)
                if self._clock.monotonic() + pause > began + self._options.peer_patience:
                    raise
                _log.info("preannotation_waits", reason=error.reason.value, pause=pause)
                await asyncio.sleep(pause)


def _command(job: PreannotationJob, texts: Sequence[str]) -> PredictCommand:
    return PredictCommand(
        project=job.project,
        texts=texts,
        labels=job.labels,
        wish=Wish(min_score=job.min_score, uncertainty=True, embedding=True),
        background=True,
    )


def _check_proposes(handle: GenerationHandle, project: str) -> None:
    """Refuse a deployment that has nothing to say about a text of which nothing is known."""
    adapters = handle.deployment.adapters
    if adapters.assertion is not None and not (adapters.labels or adapters.controls):
        raise FailedPreconditionError(
            Reason.NOTHING_DEPLOYED,
            f"projects/{project} serves assertion statuses only, and nothing that finds spans: "
            "deploy a model version of labels or choices as well.",
            metadata={"project": f"projects/{project}"},
        )


def slices(tasks: Sequence[OpenTask], tokens: int) -> list[Sequence[OpenTask]]:
    """Cut tasks into runs of about `tokens` tokens each; a longer text stands alone."""
    parts: list[Sequence[OpenTask]] = []
    begin = 0
    size = 0
    for index, task in enumerate(tasks):
        cost = len(task.text) // 4 + 1
        if index > begin and size + cost > tokens:
            parts.append(tasks[begin:index])
            begin, size = index, 0
        size += cost
    if begin < len(tasks):
        parts.append(tasks[begin:])
    return parts
