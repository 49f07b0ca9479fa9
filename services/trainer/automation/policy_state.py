"""Where a project's active learning stands, as one document that changes by compare-and-swap.

The place in the event stream and the count stand in one document, so that one write moves both: no
event is counted twice or lost, whoever dies when.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace

from services.common.store.port import Collection, DocumentStore, DuplicateError, RevisionError

_STATES = "active_learning"

STATES_COLLECTION = Collection(name=_STATES)


@dataclass(frozen=True, kw_only=True)
class LearningState:
    """Where active learning stands. Times in microseconds, 0: not yet.

    Attributes:
        project: The project's id.
        token: Continues the event stream behind what is counted; empty: from its beginning.
        new_completions: Submitted since the last run began.
        count_after: Completions submitted until then are not counted: after the place in
            the stream was lost, those of earlier runs.
        first_completion_time: When the first of them was submitted.
        run: Counts the runs; makes their requests repeatable.
        starting: The run's jobs are not all created yet.
        running: The run is under way.
        queued: Another run follows it.
        training_jobs: Names of the last run's jobs.
        last_run_time: When the last run began.
        message: What happened last, for people.
    """

    project: str
    token: str = ""
    new_completions: int = 0
    count_after: int = 0
    first_completion_time: int = 0
    run: int = 0
    starting: bool = False
    running: bool = False
    queued: bool = False
    training_jobs: tuple[str, ...] = ()
    last_run_time: int = 0
    message: str = ""

    @property
    def name(self) -> str:
        """``projects/{project}/activeLearningState``."""
        return f"projects/{self.project}/activeLearningState"

    @property
    def request_id(self) -> str:
        """Identifies the run's request: repeated after a crash it makes nothing new."""
        return f"active-learning-{self.run}"

    def begun(self, now: int) -> LearningState:
        """Return the state in which the next run begins."""
        return replace(
            self,
            run=self.run + 1,
            starting=True,
            running=True,
            queued=False,
            new_completions=0,
            first_completion_time=0,
            training_jobs=(),
            last_run_time=now,
        )


class LearningStates:
    """The states over a document store."""

    def __init__(self, store: DocumentStore) -> None:
        """Work on an open store."""
        self._store = store

    async def get(self, project: str) -> tuple[LearningState, int]:
        """Return a project's state and its revision; 0: nothing is stored yet."""
        stored = await self._store.get(_STATES, project)
        if stored is None:
            return LearningState(project=project), 0
        body = {**stored.body, "training_jobs": tuple(stored.body["training_jobs"])}
        return LearningState(project=project, **body), stored.revision

    async def put(self, state: LearningState, revision: int) -> int | None:
        """Store a state in place of the one at `revision`.

        Returns:
            The new revision; None when another process was faster: read again.
        """
        body = asdict(state) | {"training_jobs": list(state.training_jobs)}
        del body["project"]
        try:
            if revision == 0:
                return (await self._store.insert(_STATES, state.project, body)).revision
            replaced = await self._store.replace(
                _STATES, state.project, body, expected_revision=revision
            )
        except (DuplicateError, RevisionError):
            return None
        return replaced.revision
