"""What models said about tasks."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from services.annotation.content import ScoredChoice, ScoredSpan
from services.annotation.contents import checked_scored_choices
from services.annotation.documents import document_id, prediction_document, to_prediction
from services.annotation.domain import (
    EventType,
    Prediction,
    prediction_name,
    project_name,
    task_name,
)
from services.annotation.handlers.catalog import Catalog
from services.annotation.outbox import NewEvent
from services.annotation.replacement import replaced_fields, replaces
from services.annotation.resources import Change, NewDocument, Resources
from services.annotation.schema import PREDICTIONS, TASKS
from services.annotation.signals import Signals, checked_signals
from services.annotation.spans import checked_scored
from services.common.errors import Reason, invalid_field, not_found
from services.common.names import parse_name
from services.common.offsets import OffsetEncoding
from services.common.paging import find_page, parse_page
from services.common.store.port import (
    Condition,
    Document,
    DocumentStore,
    Eq,
    In,
    Order,
    Scalar,
    position,
)
from services.common.validate import check_count, check_line

MAX_PREDICTIONS = 1_000
_MAX_ADAPTERS = 1_000
RULES_PREFIX = "rules/"
IMPORT_PREFIX = "import/"
RESERVED_GENERATIONS = (RULES_PREFIX, IMPORT_PREFIX)
_BY_CREATION = [Order(field="ord")]
_BY_TASK = [Order(field="task"), *_BY_CREATION]


@dataclass(frozen=True, kw_only=True)
class NewPrediction:
    """A prediction as a caller sends it, offsets in code points; see `Prediction`."""

    task: str
    generation: str
    adapters: Mapping[str, str]
    model_versions: Mapping[str, str]
    spans: Sequence[ScoredSpan]
    choices: Sequence[ScoredChoice] = ()
    choice_adapters: Mapping[str, str] = field(default_factory=dict)
    choice_model_versions: Mapping[str, str] = field(default_factory=dict)
    assertion_adapter: str = ""
    assertion_model_version: str = ""
    signals: Signals | None = None


def prediction_id(task: str, generation: str) -> str:
    """Return the id of the prediction of a task by a generation: always the same."""
    digest = hashlib.sha256(f"{task}\n{generation}".encode()).digest()
    return base64.b32encode(digest)[:26].decode().lower()


class Predictions:
    """Writes and lists predictions."""

    def __init__(self, store: DocumentStore, resources: Resources, catalog: Catalog) -> None:
        """Use an open store."""
        self._store = store
        self._resources = resources
        self._catalog = catalog

    async def write(self, project: str, predictions: Sequence[NewPrediction]) -> tuple[int, int]:
        """Store predictions that are not there yet; all are checked before the first is stored.

        Returns:
            How many were stored, those that took the place of one of other adapters included, and
            how many were there already.
        """
        check_count(predictions, "predictions", 1, MAX_PREDICTIONS)
        await self._catalog.project(project)
        tasks = [
            _task_of(project, one.task, f"predictions[{place}].task")
            for place, one in enumerate(predictions)
        ]
        # A task without its text is not wanted, but the port reads whole documents.
        found = await self._store.get_many(
            TASKS, [document_id(project, task) for task in dict.fromkeys(tasks)]
        )
        wanted: dict[str, NewDocument] = {}
        now = self._resources.now()
        for place, (task, new) in enumerate(zip(tasks, predictions, strict=True)):
            stored = found.get(document_id(project, task))
            if stored is None:
                raise not_found(task_name(project, task))
            document = self._document(project, task, new, stored.body["text"], place, now)
            wanted.setdefault(document.id, document)
        known = await self._store.get_many(PREDICTIONS, list(wanted))
        missing = [document for key, document in wanted.items() if key not in known]
        outcomes = await self._resources.create_many(project, PREDICTIONS, missing)
        written = sum(one is not None for one in outcomes)
        for key, stored in known.items():
            if replaces(wanted[key].body, stored.body):
                await self._replace(wanted[key])
                written += 1
        return written, len(predictions) - written

    async def _replace(self, new: NewDocument) -> None:
        fields = replaced_fields(new.body, self._resources.next_ord())

        def change(known: Document) -> Change | None:
            wanted = replaces(new.body, known)
            return Change(fields=fields, events=new.events) if wanted else None

        await self._resources.change(PREDICTIONS, new.id, new.events[0].resource, change)

    async def list_predictions(
        self,
        project: str,
        task: str,
        generation: str,
        page_size: int,
        page_token: str,
        tasks: Sequence[str] = (),
    ) -> tuple[list[Prediction], str]:
        """List the predictions of a task, or of all tasks when `task` is ``-``.

        With `tasks`, resource names, those of these tasks, task by task.
        """
        check_count(tasks, "tasks", 0, MAX_PREDICTIONS)
        only = [_task_of(project, name, f"tasks[{place}]") for place, name in enumerate(tasks)]
        if only and task != "-":
            raise invalid_field("tasks", "goes with `tasks/-` as the parent's task only.")
        named = hashlib.sha256("\n".join(only).encode()).hexdigest() if only else ""
        scope = " ".join(["ListPredictions", project, task, generation, *filter(None, [named])])
        page = parse_page(page_size, page_token, scope)
        await self._catalog.project(project)
        where: list[Condition] = [Eq("project", project)]
        order = _BY_CREATION
        if only:
            where.append(In("task", only))
            order = _BY_TASK
        elif task != "-":
            await self._resources.get(TASKS, document_id(project, task), task_name(project, task))
            where.append(Eq("task", task))
        if generation:
            check_line(generation, "generation", 0, 200)
            where.append(Eq("generation", generation))
        found, token = await find_page(self._store, PREDICTIONS, where, order, page, scope)
        table = await self._catalog.labels.table(project)
        predictions = [to_prediction(one.body) for one in found]
        return [replace(one, spans=table.scored(one.spans)) for one in predictions], token

    async def write_checked(
        self, project: str, predictions: Sequence[Prediction]
    ) -> tuple[int, int]:
        """Store predictions that this service made itself and that are not there yet.

        Returns:
            How many were stored, and how many were there already.
        """
        documents = {one.id: one for one in map(prediction_document_of, predictions)}
        known = await self._store.get_many(PREDICTIONS, list(documents))
        missing = [document for key, document in documents.items() if key not in known]
        outcomes = await self._resources.create_many(project, PREDICTIONS, missing)
        written = sum(one is not None for one in outcomes)
        return written, len(predictions) - written

    async def of_tasks(self, project: str, tasks: Sequence[str]) -> dict[str, list[Prediction]]:
        """Return the predictions of tasks, by task, in order of creation."""
        found: dict[str, list[Prediction]] = {task: [] for task in tasks}
        after: list[Scalar] | None = None
        table = await self._catalog.labels.table(project)
        while True:
            page = await self._store.find(
                PREDICTIONS,
                where=[Eq("project", project), In("task", list(tasks))],
                order=_BY_TASK,
                limit=1_000,
                after=after,
            )
            for stored in page:
                one = to_prediction(stored.body)
                found[one.task].append(replace(one, spans=table.scored(one.spans)))
            if len(page) < 1_000:
                return found
            after = position(page[-1], _BY_TASK)

    async def count_of_tasks(self, project: str, tasks: Sequence[str]) -> int:
        """Return how many predictions tasks have, without reading them."""
        where: list[Condition] = [Eq("project", project), In("task", list(tasks))]
        return await self._store.count(PREDICTIONS, where=where)

    async def texts(self, predictions: Sequence[Prediction]) -> dict[str, str]:
        """Return the texts of the tasks of predictions of one project, by task id."""
        ids = {document_id(one.project, one.task): one.task for one in predictions}
        found = await self._store.get_many(TASKS, list(ids))
        return {ids[key]: stored.body["text"] for key, stored in found.items()}

    def _document(
        self, project: str, task: str, new: NewPrediction, text: str, place: int, now: int
    ) -> NewDocument:
        field = f"predictions[{place}]"
        check_line(new.generation, f"{field}.generation", 1, 200)
        if new.generation.startswith(RESERVED_GENERATIONS):
            raise invalid_field(
                f"{field}.generation", "begins like that of a rule set or an imported file."
            )
        _check_sources(new, field)
        spans = checked_scored(text, new.spans, OffsetEncoding.CODE_POINT, f"{field}.spans")
        choices = checked_scored_choices(new.choices, f"{field}.choices")
        prediction = Prediction(
            project=project,
            task=task,
            id=prediction_id(task, new.generation),
            generation=new.generation,
            adapters=new.adapters,
            model_versions=new.model_versions,
            spans=spans,
            created=now,
            choices=choices,
            choice_adapters=new.choice_adapters,
            choice_model_versions=new.choice_model_versions,
            assertion_adapter=new.assertion_adapter,
            assertion_model_version=new.assertion_model_version,
            signals=checked_signals(new.signals, f"{field}.signals"),
        )
        return prediction_document_of(prediction)


def prediction_document_of(prediction: Prediction) -> NewDocument:
    """Return the document of a new prediction, with its event."""
    project, task = prediction.project, prediction.task
    name = prediction_name(project, task, prediction.id)
    return NewDocument(
        id=f"{project}/{task}/{prediction.id}",
        body=prediction_document(prediction),
        events=[NewEvent(type=EventType.PREDICTION_WRITTEN, resource=name)],
    )


def _check_sources(new: NewPrediction, field: str) -> None:
    """Return when the adapters and versions can be stored, and all that is proposed is from one."""
    if not (new.adapters or new.choice_adapters or new.assertion_adapter):
        raise invalid_field(
            f"{field}.adapters",
            "must have 1 entry or more, unless `choice_adapters` or `assertion_adapter` is set.",
        )
    for name in ("adapters", "model_versions", "choice_adapters", "choice_model_versions"):
        mapping: Mapping[str, str] = getattr(new, name)
        check_count(mapping, f"{field}.{name}", 0, _MAX_ADAPTERS)
        for key, value in mapping.items():
            check_line(key, f"{field}.{name} key", 1, 100)
            check_line(value, f"{field}.{name}[{key}]", 1, 200)
    check_line(new.assertion_adapter, f"{field}.assertion_adapter", 0, 200)
    check_line(new.assertion_model_version, f"{field}.assertion_model_version", 0, 200)
    for index, span in enumerate(new.spans):
        if span.label not in new.adapters:
            raise invalid_field(
                f"{field}.spans[{index}].label",
                "is of no adapter in `adapters`.",
                reason=Reason.LABEL_UNKNOWN,
            )
        if span.assertion and not new.assertion_adapter:
            raise invalid_field(
                f"{field}.spans[{index}].assertion", "needs an `assertion_adapter` that said it."
            )
    # Callers of the first release name no adapters of choices; whoever does names all.
    for index, choice in enumerate(new.choices if new.choice_adapters else ()):
        if choice.name not in new.choice_adapters:
            raise invalid_field(
                f"{field}.choices[{index}].name", "is of no adapter in `choice_adapters`."
            )


def _task_of(project: str, name: str, field: str) -> str:
    parts = parse_name("projects/{project}/tasks/{task}", name, field)
    if parts["project"] != project:
        raise invalid_field(field, f"is not of {project_name(project)}.")
    return parts["task"]
