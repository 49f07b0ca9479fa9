"""Taking the texts of a file: checking them, gathering them to batches, storing these."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from services.annotation.domain import Prediction
from services.annotation.formats.records import ParsedTask, Record, Refused, refusal
from services.annotation.handlers.catalog import Catalog
from services.annotation.handlers.predictions import Predictions, prediction_id
from services.annotation.handlers.tasks import new_task_document
from services.annotation.resources import NewDocument, Resources
from services.annotation.schema import TASKS
from services.annotation.transfer.atomic import Transaction
from services.annotation.transfer.building import Built, build
from services.annotation.transfer.orders import ImportOrder, ImportReport
from services.common.errors import InvalidArgumentError, Reason

_BATCH_BYTES = 8 * 1024 * 1024


class Checking:
    """Takes texts without storing anything; the report counts what would be stored."""

    def __init__(self, order: ImportOrder, resources: Resources, catalog: Catalog) -> None:
        """Check texts of one file for one project."""
        self.order = order
        self.resources = resources
        self.catalog = catalog
        self.report = ImportReport()

    async def take(self, records: Iterable[Record]) -> None:
        """Take the next texts of the file."""
        for record in records:
            if isinstance(record, Refused):
                self.report.refuse(record)
                continue
            try:
                refused = await self._check_labels(record)
                if refused is not None:
                    self.report.refuse(refused)
                    continue
                table = await self.catalog.labels.table(self.order.project)
                built = build(record, self.order, self.resources, table)
            except InvalidArgumentError as error:
                self.report.refuse(refusal(record.line, error))
                continue
            for note in record.notes:
                self.report.warn(record.line, note)
            await self.keep(built)

    async def keep(self, built: Built) -> None:
        """Count what would be stored."""
        self.count(built, len(built.predictions))

    async def missing(self, labels: Sequence[str]) -> list[str]:
        """Create labels, or say that they would be."""
        new = [label for label in labels if label not in self.report.created_labels]
        self.report.created_labels += new
        return new

    def count(self, built: Built, predictions: int) -> None:
        """Count a stored task."""
        report = self.report
        report.tasks += 1
        report.predictions += predictions
        for one in built.task.completions:
            report.completions += 1
            report.spans += len(one.content.spans)
            report.relations += len(one.content.relations)
            report.regions += len(one.content.regions)
            report.choices += sum(len(choices.values) for choices in one.content.choices)

    async def _check_labels(self, record: ParsedTask) -> Refused | None:
        """Make the record's labels exist, or return why it is refused."""
        if not record.labels or self.order.ignore_completions:
            return None
        table = await self.catalog.labels.table(self.order.project)
        missing = table.missing(record.labels)
        if not missing:
            return None
        wanted = [label for label in record.labels if label in missing]
        if self.order.create_labels:
            await self.missing(wanted)
            return None
        label = wanted[0]
        line, place = record.labels[label]
        return Refused(
            line=line,
            reason=Reason.LABEL_UNKNOWN,
            field=place,
            message=f"{place}: the project has no label {label!r}: create it first, or let the "
            "import create labels.",
        )


class Storing(Checking):
    """Takes texts and stores them in batches."""

    def __init__(
        self,
        order: ImportOrder,
        resources: Resources,
        catalog: Catalog,
        predictions: Predictions,
        batch_tasks: int,
    ) -> None:
        """Store texts of one file, `batch_tasks` in one write."""
        super().__init__(order, resources, catalog)
        self.transaction: Transaction | None = None
        self._predictions = predictions
        self._batch_tasks = batch_tasks
        self._batch: list[Built] = []
        self._bytes = 0

    async def keep(self, built: Built) -> None:
        """Put a task into the batch, and store the batch when it is full."""
        self._batch.append(built)
        self._bytes += len(built.task.text) + len(built.task.extra)
        for one in built.task.completions:
            self._bytes += 64 * len(one.spans) + len(one.content.extra)
        if len(self._batch) >= self._batch_tasks or self._bytes >= _BATCH_BYTES:
            await self.flush()

    async def missing(self, labels: Sequence[str]) -> list[str]:
        """Create labels."""
        created = await self.catalog.labels.ensure(self.order.project, labels)
        self.report.created_labels += created
        return created

    async def flush(self) -> None:
        """Store the batch."""
        batch, self._batch, self._bytes = self._batch, [], 0
        documents = [self._document(one) for one in batch]
        transaction = self.transaction
        if transaction is not None:
            await transaction.beat()
        outcomes = await self.resources.create_many(
            self.order.project,
            TASKS,
            documents,
            import_id="" if transaction is None else transaction.id,
        )
        predictions: list[Prediction] = []
        known: list[Built] = []
        for built, stored in zip(batch, outcomes, strict=True):
            if stored is None:
                self.report.unchanged += 1
                known.append(built)
            else:
                self.count(built, len(built.predictions))
                predictions.extend(built.predictions)
        # An import that broke off may have stored a task and not its predictions.
        predictions.extend(await self._of_known(known))
        if predictions:
            await self._predictions.write_checked(self.order.project, predictions)

    def _document(self, built: Built) -> NewDocument:
        import_id = "" if self.transaction is None else self.transaction.id
        return new_task_document(built.task, built.events, import_id)

    async def _of_known(self, known: Sequence[Built]) -> list[Prediction]:
        """Return the predictions of texts that were there already, for the tasks that they are."""
        wanted = [one for one in known if one.predictions]
        if not wanted:
            return []
        ids = await self.catalog.task_ids(
            self.order.project, [one.task.external_id for one in wanted]
        )
        return [
            replace(
                prediction,
                task=ids[one.task.external_id],
                id=prediction_id(ids[one.task.external_id], prediction.generation),
            )
            for one in wanted
            if one.task.external_id in ids
            for prediction in one.predictions
        ]
