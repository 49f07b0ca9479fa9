"""Applying compiled rules to the tasks of a project."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace

from services.annotation.content import ScoredSpan
from services.annotation.domain import Prediction, Task, task_name
from services.annotation.handlers.catalog import Catalog
from services.annotation.handlers.predictions import RULES_PREFIX, Predictions, prediction_id
from services.annotation.resources import Resources
from services.annotation.rules.compiled import CompiledRules
from services.annotation.rules.domain import RuleSet
from services.annotation.schema import PREDICTIONS
from services.annotation.selection.filters import TaskFilter
from services.annotation.selection.scan import TaskScan
from services.annotation.spans import MAX_SPANS
from services.common.errors import DeadlineExceededError, Reason, ResourceExhaustedError
from services.common.store.port import DocumentStore

# What is made is held in memory until it is written, and lost when the caller breaks off before.
_SOME_SECONDS = 5.0
_SOME_SPANS = 100_000


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far applying a rule set is: what was counted so far.

    Attributes:
        generation: Of the predictions.
        tasks: Tasks looked at.
        written: Predictions written.
        unchanged: Tasks that had a prediction of this generation already.
        spans: Spans in the predictions written.
    """

    generation: str
    tasks: int = 0
    written: int = 0
    unchanged: int = 0
    spans: int = 0


class Applying:
    """Writes a prediction for each task that has none of a rule set's revision."""

    def __init__(
        self,
        store: DocumentStore,
        resources: Resources,
        catalog: Catalog,
        scan: TaskScan,
        predictions: Predictions,
    ) -> None:
        """Use an open store."""
        self._store = store
        self._resources = resources
        self._catalog = catalog
        self._scan = scan
        self._predictions = predictions

    async def run(
        self, project: str, compiled: CompiledRules, wanted: TaskFilter
    ) -> AsyncIterator[Progress]:
        """Go through the tasks; tell how far it is, every few seconds and at the end.

        Raises:
            ResourceExhaustedError: REQUEST_TOO_LARGE: the rules find too much in a task, which the
                error names.
            DeadlineExceededError: DEADLINE_EXCEEDED: they take too long for it.
        """
        progress = Progress(generation=generation_of(compiled.rule_set))
        async for tasks in self._scan.tasks(project, wanted):
            waiting = await self._without(project, tasks, progress.generation)
            there = len(tasks) - len(waiting)
            progress = replace(
                progress, tasks=progress.tasks + there, unchanged=progress.unchanged + there
            )
            if not waiting:
                yield progress
            while waiting:
                made = await self._annotated(compiled, waiting)
                waiting = waiting[len(made) :]
                table = await self._catalog.labels.table(project)
                made = [replace(one, spans=table.scored(one.spans)) for one in made]
                written, unchanged = await self._predictions.write_checked(project, made)
                progress = replace(
                    progress,
                    tasks=progress.tasks + len(made),
                    written=progress.written + written,
                    unchanged=progress.unchanged + unchanged,
                    spans=progress.spans + sum(len(one.spans) for one in made),
                )
                yield progress
        if progress.tasks == 0:
            yield progress

    async def _without(self, project: str, tasks: list[Task], generation: str) -> list[Task]:
        """Return the tasks without a prediction of this generation."""
        keys = {
            task.id: f"{project}/{task.id}/{prediction_id(task.id, generation)}" for task in tasks
        }
        known = await self._store.get_many(PREDICTIONS, list(keys.values()))
        return [task for task in tasks if keys[task.id] not in known]

    async def _annotated(self, compiled: CompiledRules, tasks: list[Task]) -> list[Prediction]:
        stop = threading.Event()
        try:
            return await asyncio.to_thread(
                some_predictions, compiled, tasks, self._resources.now(), stop
            )
        finally:
            # A thread cannot be cancelled: it ends with the text at hand.
            stop.set()


def generation_of(rule_set: RuleSet) -> str:
    """Return the generation of the predictions of a rule set as it is now."""
    return f"{RULES_PREFIX}{rule_set.id}@{rule_set.revision}"


def some_predictions(
    compiled: CompiledRules, tasks: Sequence[Task], now: int, stop: threading.Event
) -> list[Prediction]:
    """Return the predictions of the first tasks: of one at least, unless told to stop.

    Makes as many as fit into some seconds. Computes: run it in a thread.

    Args:
        compiled: The rules.
        tasks: What is left to do.
        now: The time in microseconds that the predictions get.
        stop: Set by others when nobody wants the predictions any more.

    Raises:
        ResourceExhaustedError: REQUEST_TOO_LARGE: the rules find too much in a task, which the
            error names.
        DeadlineExceededError: DEADLINE_EXCEEDED: they take too long for it.
    """
    generation = generation_of(compiled.rule_set)
    made: list[Prediction] = []
    spans = 0
    end = time.monotonic() + _SOME_SECONDS
    for task in tasks:
        if stop.is_set() or (made and (spans > _SOME_SPANS or time.monotonic() > end)):
            break
        try:
            found = _spans(compiled, task)
        except (ResourceExhaustedError, DeadlineExceededError):
            if made:
                # What was made goes first: it is written before the next call is refused.
                break
            raise
        spans += len(found)
        made.append(
            Prediction(
                project=task.project,
                task=task.id,
                id=prediction_id(task.id, generation),
                generation=generation,
                # No adapter and no model version made it: the generation says all.
                adapters={},
                model_versions={},
                spans=found,
                created=now,
            )
        )
    return made


def _spans(compiled: CompiledRules, task: Task) -> tuple[ScoredSpan, ...]:
    name = task_name(task.project, task.id)
    try:
        found = compiled.annotate(task.text)
    except (ResourceExhaustedError, DeadlineExceededError) as error:
        raise type(error)(
            error.reason,
            f"{name}: {error.message}",
            metadata={**error.metadata, "resource": name},
        ) from error
    if len(found) > MAX_SPANS:
        raise ResourceExhaustedError(
            Reason.REQUEST_TOO_LARGE,
            f"{name}: the rules find {len(found):,} spans, and a prediction holds at most "
            f"{MAX_SPANS:,}: make the rules more specific or leave the task out by the filter.",
            metadata={"resource": name, "limit": str(MAX_SPANS)},
        )
    return found
