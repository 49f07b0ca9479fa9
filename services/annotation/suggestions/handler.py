"""Suggesting tasks."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from services.annotation.documents import document_id, to_task
from services.annotation.domain import project_name
from services.annotation.handlers.catalog import Catalog
from services.annotation.schema import TASKS
from services.annotation.selection.filters import TaskFilter
from services.annotation.selection.scan import TaskScan
from services.annotation.suggestions.domain import (
    DEFAULT_COUNT,
    MAX_COUNT,
    Strategy,
    StrategyWeight,
    SuggestedTask,
    Suggestion,
    checked_mix,
)
from services.annotation.suggestions.pooling import OPEN, Pooling
from services.annotation.suggestions.ranking import judged, rank
from services.common.errors import FailedPreconditionError, Reason
from services.common.store.port import DocumentStore
from services.common.validate import check_range

# Rankings under way at once: each may hold the embeddings of a whole project.
_AT_ONCE = 2


class Suggestions:
    """Ranks open tasks."""

    def __init__(self, store: DocumentStore, catalog: Catalog, scan: TaskScan) -> None:
        """Use an open store."""
        self._store = store
        self._catalog = catalog
        self._pooling = Pooling(store, scan)
        self._room = asyncio.Semaphore(_AT_ONCE)

    async def suggest(
        self,
        project: str,
        wanted: TaskFilter,
        strategy: Strategy,
        *,
        count: int = 0,
        seed: int = 0,
        mix: Sequence[StrategyWeight] = (),
    ) -> Suggestion:
        """Rank the open tasks of a project; of none, nothing is suggested.

        Args:
            project: Id of the project.
            wanted: Of the open tasks only these.
            strategy: How to rank.
            count: How many; 0 is the default.
            seed: Of what is random.
            mix: The strategies of a mix.

        Raises:
            FailedPreconditionError: NOTHING_PREDICTED: no open task can be judged.
            ResourceExhaustedError: REQUEST_TOO_LARGE: too many embeddings.
        """
        check_range(count, "count", 0, MAX_COUNT)
        used = checked_mix(strategy, mix)
        await self._catalog.project(project)
        async with self._room:
            candidates = await self._pooling.read(
                project,
                wanted,
                signals=any(one.strategy.needs_predictions for one in used),
                diversity=any(one.strategy is Strategy.DIVERSITY for one in used),
                seed=seed,
            )
            if candidates.tasks and not judged(candidates.pool, used).any():
                raise FailedPreconditionError(
                    Reason.NOTHING_PREDICTED,
                    "No open task has a prediction of a model that the strategy could rank by: "
                    "pre-annotate the project first, or ask for RANDOM or SEQUENTIAL.",
                    metadata={"resource": project_name(project), "strategy": strategy.value},
                )
            ranked = await asyncio.to_thread(
                rank, candidates.pool, used, count or DEFAULT_COUNT, seed
            )
        keys = [document_id(project, candidates.tasks[one.index]) for one in ranked]
        stored = await self._store.get_many(TASKS, keys)
        suggested = []
        for key, one in zip(keys, ranked, strict=True):
            # What was annotated or removed while the ranking ran is no longer worth suggesting.
            task = to_task(stored[key].body) if key in stored else None
            if task is None or task.deleted is not None or task.status not in OPEN:
                continue
            suggested.append(
                SuggestedTask(
                    task=task,
                    score=one.score,
                    prediction=candidates.predictions[one.index],
                    known=one.known,
                )
            )
        return Suggestion(tasks=suggested, open_tasks=len(candidates.tasks))
