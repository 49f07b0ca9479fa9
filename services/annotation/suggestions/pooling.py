"""Reading what the strategies rank by: streamed, and kept as arrays, never as tasks."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from services.annotation.domain import TaskStatus
from services.annotation.handlers.predictions import RESERVED_GENERATIONS
from services.annotation.schema import PREDICTIONS
from services.annotation.selection.filters import EVERYTHING, TaskFilter
from services.annotation.selection.scan import TaskScan
from services.annotation.signals import Embedding, Signals, to_signals
from services.annotation.suggestions.ranking import MEASURES, Pool
from services.common.errors import Reason, ResourceExhaustedError
from services.common.store.port import DocumentStore, Eq, In, Order, Scalar, position

OPEN = (TaskStatus.INCOMPLETE, TaskStatus.IN_PROGRESS, TaskStatus.TO_CORRECT)
ANNOTATED = (TaskStatus.SUBMITTED, TaskStatus.REVIEWED)

MAX_EMBEDDING_BYTES = 256 * 1024 * 1024
"""Most bytes of embeddings read for one call: 300,000 texts of a trunk of width 384."""
MAX_CENTRES = 4_096
"""Most annotated texts that diversity keeps away from; of more, as many are drawn."""

_PAGE = 1_000
_BY_TASK = [Order(field="task"), Order(field="ord")]

_Space: TypeAlias = tuple[str, int]
"""A trunk and the bytes of its embeddings: what can be compared."""


@dataclass(frozen=True, kw_only=True)
class Candidates:
    """The open tasks.

    Attributes:
        tasks: Their ids, in order of creation.
        predictions: The id of the prediction that each is judged by, or empty.
        pool: What they are ranked by, in the same order.
    """

    tasks: Sequence[str]
    predictions: Sequence[str]
    pool: Pool


class Pooling:
    """Reads the newest signals of tasks."""

    def __init__(self, store: DocumentStore, scan: TaskScan) -> None:
        """Use an open store."""
        self._store = store
        self._scan = scan

    async def read(
        self, project: str, wanted: TaskFilter, *, signals: bool, diversity: bool, seed: int
    ) -> Candidates:
        """Read the open tasks of a project.

        Args:
            project: Id of the project.
            wanted: Of the open tasks only these.
            signals: Whether predictions are read at all.
            diversity: Whether embeddings are, of annotated tasks too.
            seed: Of the draw among more annotated tasks than are kept.

        Raises:
            ResourceExhaustedError: REQUEST_TOO_LARGE: too many embeddings.
        """
        tasks: list[str] = []
        predictions: list[str] = []
        measures: list[NDArray[np.float32]] = []
        embeddings = _Embeddings()
        async for ids in self._open(project, wanted):
            found = await self._newest(project, ids) if signals else {}
            rows = np.full((len(ids), len(MEASURES)), np.nan, dtype=np.float32)
            for row, task in enumerate(ids):
                prediction, its = found.get(task, ("", None))
                predictions.append(prediction)
                if its is None:
                    continue
                rows[row] = its.least_confidence, its.margin, its.entropy
                if diversity and its.embedding is not None:
                    embeddings.add(len(tasks) + row, its.embedding)
            measures.append(rows)
            tasks += ids
        space = embeddings.largest()
        embedded, vectors = embeddings.of(space)
        centres = np.empty((0, vectors.shape[1]), dtype=np.float32)
        if space is not None:
            centres = await self._centres(project, space, seed)
        return Candidates(
            tasks=tasks,
            predictions=predictions,
            pool=Pool(
                measures=np.concatenate(measures or [np.empty((0, len(MEASURES)), np.float32)]),
                embedded=embedded,
                embeddings=vectors,
                centres=centres,
            ),
        )

    async def _open(self, project: str, wanted: TaskFilter) -> AsyncIterator[list[str]]:
        statuses = tuple(one for one in OPEN if not wanted.statuses or one in wanted.statuses)
        if not statuses:
            return  # to a filter no statuses are all statuses
        async for page in self._scan.tasks(project, replace(wanted, statuses=statuses)):
            yield [task.id for task in page]

    async def _centres(self, project: str, space: _Space, seed: int) -> NDArray[np.float32]:
        """Return embeddings of annotated tasks: all, or as many as are kept, drawn evenly."""
        draw = random.Random(seed)  # noqa: S311 - not for secrets
        kept: list[bytes] = []
        seen = 0
        annotated = replace(EVERYTHING, statuses=ANNOTATED)
        async for page in self._scan.tasks(project, annotated):
            found = await self._newest(project, [task.id for task in page])
            for task in page:
                _, its = found.get(task.id, ("", None))
                if its is None or its.embedding is None or _space(its.embedding) != space:
                    continue
                seen += 1
                if len(kept) < MAX_CENTRES:
                    kept.append(its.embedding.data)
                elif (place := draw.randrange(seen)) < MAX_CENTRES:
                    kept[place] = its.embedding.data
        return _matrix(kept, space)

    async def _newest(self, project: str, tasks: Sequence[str]) -> dict[str, tuple[str, Signals]]:
        """Return the newest prediction of a model that says how sure it was, by task."""
        newest: dict[str, tuple[str, Signals]] = {}
        after: list[Scalar] | None = None
        while True:
            page = await self._store.find(
                PREDICTIONS,
                where=[Eq("project", project), In("task", list(tasks))],
                order=_BY_TASK,
                limit=_PAGE,
                after=after,
            )
            for stored in page:
                body = stored.body
                if body.get("signals") and not body["generation"].startswith(RESERVED_GENERATIONS):
                    newest[body["task"]] = body["prediction"], to_signals(body["signals"])
            if len(page) < _PAGE:
                return newest
            after = position(page[-1], _BY_TASK)


class _Embeddings:
    """Embeddings as they are read, by what they can be compared with."""

    def __init__(self) -> None:
        self._found: dict[_Space, tuple[list[int], list[bytes]]] = {}
        self._bytes = 0

    def add(self, index: int, embedding: Embedding) -> None:
        indices, data = self._found.setdefault(_space(embedding), ([], []))
        indices.append(index)
        data.append(embedding.data)
        self._bytes += len(embedding.data)
        if self._bytes > MAX_EMBEDDING_BYTES:
            raise ResourceExhaustedError(
                Reason.REQUEST_TOO_LARGE,
                "The open tasks have too many embeddings for one ranking: name fewer tasks by "
                "`filter`, or ask for a strategy without diversity.",
                metadata={"limit": str(MAX_EMBEDDING_BYTES)},
            )

    def largest(self) -> _Space | None:
        """Return the space of most tasks; of several the first in order."""
        return max(sorted(self._found), key=lambda space: len(self._found[space][0]), default=None)

    def of(self, space: _Space | None) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        if space is None:
            return np.empty(0, dtype=np.int64), np.empty((0, 0), dtype=np.float32)
        indices, data = self._found[space]
        return np.asarray(indices, dtype=np.int64), _matrix(data, space)


def _space(embedding: Embedding) -> _Space:
    return embedding.trunk_digest, len(embedding.data)


def _matrix(data: Sequence[bytes], space: _Space) -> NDArray[np.float32]:
    width = space[1] // 2
    vectors = np.frombuffer(b"".join(data), dtype="<f2").reshape(-1, width).astype(np.float32)
    vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-6)
    return vectors
