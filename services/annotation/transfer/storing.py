"""Taking the texts of a file: checking them, gathering them to batches, storing these."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from services.annotation.domain import Prediction, Task
from services.annotation.formats.records import ParsedTask, Record, Refused, refusal
from services.annotation.handlers.catalog import Catalog
from services.annotation.handlers.predictions import Predictions, prediction_id
from services.annotation.handlers.tasks import new_task_document
from services.annotation.labels.table import LabelTable
from services.annotation.resources import NewDocument, Resources
from services.annotation.schema import TASKS
from services.annotation.transfer.atomic import Transaction
from services.annotation.transfer.building import Built, build
from services.annotation.transfer.known import clash, known_tasks, left_out
from services.annotation.transfer.orders import ImportOrder, ImportReport
from services.common.errors import InvalidArgumentError, Reason
from services.common.store.port import DocumentStore

_BATCH_BYTES = 8 * 1024 * 1024


class NotAsAWholeError(Exception):
    """A text of an atomic import was refused when it was to be stored."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Item:
    """A text that waits to be stored."""

    line: int
    built: Built


class Checking:
    """Takes texts without storing anything; the report counts what would be stored."""

    def __init__(
        self,
        order: ImportOrder,
        store: DocumentStore,
        resources: Resources,
        catalog: Catalog,
        batch_tasks: int,
    ) -> None:
        """Check texts of one file for one project, `batch_tasks` at a time."""
        self.order = order
        self.store = store
        self.resources = resources
        self.catalog = catalog
        self.report = ImportReport()
        self._batch_tasks = batch_tasks
        self._batch: list[Item] = []
        self._bytes = 0

    async def take(self, records: Iterable[Record]) -> None:
        """Take the next texts of the file."""
        project = self.order.project
        checks = await self.catalog.config_checks(project)
        for record in records:
            if isinstance(record, Refused):
                self.report.refuse(record)
                continue
            try:
                table = await self.catalog.labels.table(project)
                wanted = self._missing_labels(record, table)
                if wanted and not self.order.create_labels:
                    self.report.refuse(_unknown_label(record, wanted[0]))
                    continue
                if wanted:
                    await self.missing(wanted)
                    table = await self.catalog.labels.table(project)
                built = build(record, self.order, self.resources, table, checks)
            except InvalidArgumentError as error:
                self.report.refuse(refusal(record.line, error))
                continue
            for note in (*record.notes, *built.notes):
                self.report.warn(record.line, note)
            await self._keep(Item(line=record.line, built=built))

    async def flush(self) -> None:
        """Take the texts that wait to the store."""
        batch, self._batch, self._bytes = self._batch, [], 0
        if batch:
            await self.carry(batch)

    async def carry(self, batch: Sequence[Item]) -> None:
        """Count what would be stored."""
        known = await self.known(batch)
        for item in batch:
            if item.built.task.external_id in known:
                self.settle(item, known)
            else:
                self.count(item.built)

    async def missing(self, labels: Sequence[str]) -> list[str]:
        """Create labels, or say that they would be."""
        new = [label for label in labels if label not in self.report.created_labels]
        self.report.created_labels += new
        return new

    async def known(self, batch: Sequence[Item]) -> dict[str, Task]:
        """Return the stored tasks that have the ids of these texts."""
        ids = [item.built.task.external_id for item in batch]
        return await known_tasks(self.store, self.order.project, ids)

    def settle(self, item: Item, known: Mapping[str, Task]) -> bool:
        """Report a text whose id is taken; return whether it is the text that has the id."""
        new = item.built.task
        there = known.get(new.external_id)
        refused = None if there is None else clash(item.line, new, there)
        if refused is not None:
            self.report.refuse(refused)
            return False
        self.report.unchanged += 1
        for note in () if there is None else left_out(new, there):
            self.report.warn(item.line, note)
        return True

    def count(self, built: Built) -> None:
        """Count a stored task."""
        report = self.report
        report.tasks += 1
        report.predictions += len(built.predictions)
        for one in built.task.completions:
            report.completions += 1
            report.spans += len(one.content.spans)
            report.relations += len(one.content.relations)
            report.regions += len(one.content.regions)
            report.choices += sum(len(choices.values) for choices in one.content.choices)

    async def _keep(self, item: Item) -> None:
        """Put a text into the batch, and carry the batch on when it is full."""
        self._batch.append(item)
        task = item.built.task
        self._bytes += len(task.text) + len(task.extra)
        for one in task.completions:
            self._bytes += 64 * len(one.spans) + len(one.content.extra)
        if len(self._batch) >= self._batch_tasks or self._bytes >= _BATCH_BYTES:
            await self.flush()

    def _missing_labels(self, record: ParsedTask, table: LabelTable) -> list[str]:
        """Return the record's labels that the project does not have, in the file's order."""
        if not record.labels or self.order.ignore_completions:
            return []
        missing = table.missing(record.labels)
        return [label for label in record.labels if label in missing]


class Storing(Checking):
    """Takes texts and stores them in batches."""

    def __init__(
        self,
        order: ImportOrder,
        store: DocumentStore,
        resources: Resources,
        catalog: Catalog,
        predictions: Predictions,
        batch_tasks: int,
    ) -> None:
        """Store texts of one file, `batch_tasks` in one write."""
        super().__init__(order, store, resources, catalog, batch_tasks)
        self.transaction: Transaction | None = None
        self._predictions = predictions

    async def missing(self, labels: Sequence[str]) -> list[str]:
        """Create labels."""
        created = await self.catalog.labels.ensure(self.order.project, labels)
        self.report.created_labels += created
        return created

    async def carry(self, batch: Sequence[Item]) -> None:
        """Store the batch.

        Raises:
            NotAsAWholeError: A text of an atomic import was refused.
        """
        transaction = self.transaction
        if transaction is not None:
            await transaction.beat()
        outcomes = await self.resources.create_many(
            self.order.project,
            TASKS,
            [self._document(item.built) for item in batch],
            import_id="" if transaction is None else transaction.id,
        )
        predictions: list[Prediction] = []
        taken: list[Item] = []
        for item, stored in zip(batch, outcomes, strict=True):
            if stored is None:
                taken.append(item)
            else:
                self.count(item.built)
                predictions.extend(item.built.predictions)
        known = await self.known(taken)
        # An import that broke off may have stored a task and not its predictions.
        same = [item.built for item in taken if self.settle(item, known)]
        predictions.extend(_of_known(same, known))
        if transaction is not None and len(same) < len(taken):
            raise NotAsAWholeError
        if predictions:
            await self._predictions.write_checked(self.order.project, predictions)

    def _document(self, built: Built) -> NewDocument:
        import_id = "" if self.transaction is None else self.transaction.id
        return new_task_document(built.task, built.events, import_id)


def _of_known(same: Sequence[Built], known: Mapping[str, Task]) -> list[Prediction]:
    """Return the predictions of texts that were there already, for the tasks that they are."""
    return [
        replace(prediction, task=task.id, id=prediction_id(task.id, prediction.generation))
        for one in same
        if (task := known.get(one.task.external_id)) is not None
        for prediction in one.predictions
    ]


def _unknown_label(record: ParsedTask, label: str) -> Refused:
    line, place = record.labels[label]
    return Refused(
        line=line,
        reason=Reason.LABEL_UNKNOWN,
        field=place,
        message=f"{place}: the project has no label {label!r}: create it first, or let the "
        "import create labels.",
    )
