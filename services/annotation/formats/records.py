"""What reading a file yields and what writing one takes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import BinaryIO, Protocol, TypeAlias

from services.annotation.content import Content, Page, ScoredChoice, ScoredSpan, Word
from services.annotation.domain import Completion, CompletionState, Prediction, Split, Task
from services.annotation.labeling.config import LabelingConfig
from services.common.errors import Reason, SpanloopError
from services.common.offsets import OffsetEncoding


class TaskFormat(StrEnum):
    """Formats of task files; names as in ``spanloop.annotation.v1.TaskFormat``."""

    JSONL = "JSONL"
    CONLL = "CONLL"
    GERMEVAL = "GERMEVAL"
    WEBANNO_TSV = "WEBANNO_TSV"
    BRAT = "BRAT"
    LABEL_STUDIO = "LABEL_STUDIO"
    LABEL_STUDIO_MIN = "LABEL_STUDIO_MIN"
    GENERATIVE_AI_LAB = "GENERATIVE_AI_LAB"
    DOCCANO = "DOCCANO"
    PRODIGY = "PRODIGY"
    SPACY_JSON = "SPACY_JSON"
    SPACY_TUPLES = "SPACY_TUPLES"
    SPACY_DOCBIN = "SPACY_DOCBIN"
    SPACY_IOB = "SPACY_IOB"
    BIOC = "BIOC"
    TEXT = "TEXT"
    CSV = "CSV"
    FASTTEXT = "FASTTEXT"


class TagScheme(StrEnum):
    """How tags of a column file mark spans; AUTO: recognised (reading), IOB2 (writing)."""

    AUTO = "AUTO"
    IOB1 = "IOB1"
    IOB2 = "IOB2"
    IOBES = "IOBES"
    IO = "IO"


@dataclass(frozen=True, kw_only=True)
class ReadOptions:
    """How to read a file.

    Attributes:
        encoding: Units of the offsets in the file; None: what the format uses.
        scheme: Tag scheme of column files.
        repair: Read inconsistent tags as the span that they most likely mean (and note it),
            instead of refusing the text.
        separator: Between columns; empty: recognised.
        text_column: Column of the text in CSV; empty: recognised.
        label_column: Column of the choice in CSV; empty: recognised.
        choices_name: Name of the choices control that classes without a name go to.
        whole_file: TEXT: the file is one text, instead of one text per line.
        file_name: Name of the file, or empty; formats without ids use it.
        config: The project's labelling config, if it has one.
        max_line_bytes: Longest line of a line format.
    """

    encoding: OffsetEncoding | None = None
    scheme: TagScheme = TagScheme.AUTO
    repair: bool = False
    separator: str = ""
    text_column: str = ""
    label_column: str = ""
    choices_name: str = "label"
    whole_file: bool = False
    file_name: str = ""
    config: LabelingConfig | None = None
    max_line_bytes: int = 4 * 1024 * 1024


@dataclass(frozen=True, kw_only=True, slots=True)
class ParsedCompletion:
    """An annotation in a file. Times are microseconds, None where the file has none.

    `author`, `created` and `submitted` left open are filled in by the import. `reviewer` and
    `comment` go with the states ACCEPTED and REJECTED. `prediction`: place of the prediction (in
    the task's list) that it was copied from.
    """

    content: Content
    author: str = ""
    state: CompletionState = CompletionState.SUBMITTED
    ground_truth: bool = False
    lead_time: float = 0.0
    created: int | None = None
    updated: int | None = None
    submitted: int | None = None
    reviewer: str = ""
    comment: str = ""
    prediction: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ParsedPrediction:
    """A prediction in a file. Whatever has no place in spans or choices goes to `extra`."""

    model_version: str
    spans: tuple[ScoredSpan, ...] = ()
    choices: tuple[ScoredChoice, ...] = ()
    extra: str = ""
    created: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ParsedTask:
    """One text of a file.

    Attributes:
        line: Line on which it begins, from 1; in formats without lines its number, from 1.
        ordinal: Its place among the texts of the file, refused ones included, from 1.
        text: The text.
        completions: Its annotations; empty: an open task.
        predictions: What models said about it.
        labels: The labels of all its spans and regions, each with the place that first names it:
            line and field.
        external_id: Its id in the file, or empty.
        split: Its split in the file.
        tags: Its tags.
        group: The document that it is a part of.
        metadata: Its notes, within the bounds of `services.annotation.tasks.check_metadata`.
        pages: Its pages.
        words: The words of its pages.
        extra: As in `services.annotation.domain.Task`.
        tokenised: Whether it is made of tokens joined by single blanks.
        notes: What the file said about it that could not be kept, or was repaired: one sentence
            each, beginning with the field.
    """

    line: int
    ordinal: int
    text: str
    completions: tuple[ParsedCompletion, ...] = ()
    predictions: tuple[ParsedPrediction, ...] = ()
    labels: Mapping[str, tuple[int, str]] = field(default_factory=dict)
    external_id: str = ""
    split: Split = Split.UNSPECIFIED
    tags: tuple[str, ...] = ()
    group: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)
    pages: tuple[Page, ...] = ()
    words: tuple[Word, ...] = ()
    extra: str = ""
    tokenised: bool = False
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Refused:
    """One text of a file that cannot be used, and why."""

    line: int
    reason: Reason
    field: str
    message: str


Record: TypeAlias = ParsedTask | Refused


def refusal(line: int, error: SpanloopError) -> Refused:
    """Return the refusal of a line for what a check raised about it."""
    return Refused(
        line=line,
        reason=error.reason,
        field=error.violations[0].field if error.violations else error.metadata.get("field", ""),
        message=error.message,
    )


class Reader(Protocol):
    """Reads a file of one format in bounded memory, as it is iterated; runs on a thread."""

    def __call__(self, file: BinaryIO, options: ReadOptions) -> Iterator[Record]:
        """Yield the texts of a file that is open at its start and can be sought in.

        Raises:
            InvalidArgumentError: The file as a whole is not of the format; nothing was yielded
                that could be relied on. What concerns one text only is yielded as `Refused`.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class WriteOptions:
    """How to write a file; see `ReadOptions`."""

    encoding: OffsetEncoding | None = None
    scheme: TagScheme = TagScheme.AUTO
    separator: str = ""
    choices_name: str = "label"
    config: LabelingConfig | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ExportItem:
    """A task to write.

    Attributes:
        task: The task, with those of its completions that are not deleted.
        chosen: The one completion that formats with one annotation per text write, or None.
        predictions: Its predictions; only formats that hold predictions get them.
    """

    task: Task
    chosen: Completion | None
    predictions: tuple[Prediction, ...] = ()


class Writer(Protocol):
    """Writes tasks as a file of one format. Made anew for each file.

    Attributes:
        omitted: How much of what was given the format could not hold, by what it is, e.g.
            ``overlapping spans``, ``relations``, ``tasks without a completion``.
        wants_predictions: Whether predictions are written.
    """

    omitted: Counter[str]
    wants_predictions: bool

    def begin(self) -> bytes:
        """Return what comes before the first task."""
        ...

    def add(self, item: ExportItem) -> bytes:
        """Return a task; empty when the format has no place for it (counted in `omitted`)."""
        ...

    def end(self) -> bytes:
        """Return what comes behind the last task."""
        ...
