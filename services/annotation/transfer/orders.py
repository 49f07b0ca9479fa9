"""What an import is asked to do, and what it did."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from services.annotation.domain import Split
from services.annotation.formats.records import Refused, TagScheme, TaskFormat
from services.annotation.spans import MAX_LABEL
from services.annotation.tasks import check_tags
from services.common.offsets import OffsetEncoding
from services.common.validate import check_line

MAX_ERRORS = 1_000
# Together with "#" and a number it is an external id.
_MAX_SOURCE_NAME = 180


@dataclass(frozen=True, kw_only=True)
class ImportLimits:
    """Bounds of an import; see `AnnotationSettings`. Large files are kept in `spool_dir`."""

    max_line_bytes: int
    max_bytes: int
    batch_tasks: int
    spool_dir: Path | None = None


@dataclass(frozen=True, kw_only=True)
class ImportOrder:
    """What to import and how; see ``ImportTasksHeader``. `format` None: recognise it."""

    project: str
    format: TaskFormat | None = None
    split: Split = Split.UNSPECIFIED
    author: str = ""
    encoding: OffsetEncoding | None = None
    create_labels: bool = False
    ignore_completions: bool = False
    ignore_predictions: bool = False
    as_drafts: bool = False
    source_name: str = ""
    file_name: str = ""
    atomic: bool = False
    validate_only: bool = False
    tags: tuple[str, ...] = ()
    scheme: TagScheme = TagScheme.AUTO
    repair: bool = False
    separator: str = ""
    text_column: str = ""
    label_column: str = ""
    choices_name: str = ""
    whole_file: bool = False


def check_order(order: ImportOrder) -> ImportOrder:
    """Return an order that can be carried out, or raise FIELD_INVALID."""
    check_line(order.author, "header.author", 0, 200)
    check_line(order.source_name, "header.source_name", 0, _MAX_SOURCE_NAME)
    check_line(order.file_name, "header.file_name", 0, 1_000)
    check_line(order.choices_name, "header.choices_name", 0, MAX_LABEL)
    check_line(order.text_column, "header.text_column", 0, 200)
    check_line(order.label_column, "header.label_column", 0, 200)
    check_tags(order.tags, "header.tags")
    return order


@dataclass(frozen=True, kw_only=True, slots=True)
class Warned:
    """Something about a text that was imported."""

    line: int
    message: str


@dataclass(kw_only=True)
class ImportReport:
    """What an import did, growing while it runs; see ``ImportTasksResponse``."""

    tasks: int = 0
    completions: int = 0
    spans: int = 0
    relations: int = 0
    regions: int = 0
    choices: int = 0
    predictions: int = 0
    unchanged: int = 0
    refused: int = 0
    warned: int = 0
    errors: list[Refused] = field(default_factory=list)
    warnings: list[Warned] = field(default_factory=list)
    created_labels: list[str] = field(default_factory=list)
    format: TaskFormat | None = None

    def refuse(self, refused: Refused) -> None:
        """Count a refused text; the first MAX_ERRORS are kept."""
        self.refused += 1
        if len(self.errors) < MAX_ERRORS:
            self.errors.append(refused)

    def warn(self, line: int, message: str) -> None:
        """Count something that was repaired or could not be kept; the first ones are kept."""
        self.warned += 1
        if len(self.warnings) < MAX_ERRORS:
            self.warnings.append(Warned(line=line, message=message))

    def nothing_stored(self) -> None:
        """Forget what would have been stored: an atomic import was refused."""
        self.tasks = self.completions = self.spans = self.relations = 0
        self.regions = self.choices = self.predictions = 0
        self.created_labels = []

    @property
    def empty(self) -> bool:
        """Whether the file held no text at all."""
        return not (self.tasks or self.unchanged or self.refused)
