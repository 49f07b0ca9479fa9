"""Projects, labels, tasks, completions, predictions, snapshots and events."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from spanloop._types.choice import Choice
from spanloop._types.text import ScoredSpan, Span, Split


class TaskStatus(Choice):
    """How far the annotation of a task is."""

    UNSPECIFIED = "unspecified"
    INCOMPLETE = "incomplete"
    IN_PROGRESS = "in_progress"
    SUBMITTED = "submitted"
    REVIEWED = "reviewed"
    TO_CORRECT = "to_correct"


class CompletionState(Choice):
    """Where a completion stands; only submitted and accepted ones are trained on."""

    UNSPECIFIED = "unspecified"
    DRAFT = "draft"
    SUBMITTED = "submitted"
    ACCEPTED = "accepted"
    REJECTED = "rejected"


class TieBreak(Choice):
    """Which of several submitted completions is trained on when none is accepted."""

    UNSPECIFIED = "unspecified"
    MOST_RECENT = "most_recent"
    HIGHEST_PRIORITY = "highest_priority"


class RelationDirection(Choice):
    """Which way a relation points."""

    UNSPECIFIED = "unspecified"
    RIGHT = "right"
    LEFT = "left"
    BOTH = "both"


class TagScheme(Choice):
    """How the tags of a column file mark spans."""

    UNSPECIFIED = "unspecified"
    IOB1 = "iob1"
    IOB2 = "iob2"
    IOBES = "iobes"
    IO = "io"


class TaskFormat(Choice):
    """Formats of task files."""

    UNSPECIFIED = "unspecified"
    JSONL = "jsonl"
    CONLL = "conll"
    GERMEVAL = "germeval"
    WEBANNO_TSV = "webanno_tsv"
    BRAT = "brat"
    LABEL_STUDIO = "label_studio"
    LABEL_STUDIO_MIN = "label_studio_min"
    GENERATIVE_AI_LAB = "generative_ai_lab"
    DOCCANO = "doccano"
    PRODIGY = "prodigy"
    SPACY_JSON = "spacy_json"
    SPACY_TUPLES = "spacy_tuples"
    SPACY_DOCBIN = "spacy_docbin"
    SPACY_IOB = "spacy_iob"
    BIOC = "bioc"
    TEXT = "text"
    CSV = "csv"
    FASTTEXT = "fasttext"


class EventType(Choice):
    """What happened in a project."""

    UNSPECIFIED = "unspecified"
    PROJECT_CREATED = "project_created"
    PROJECT_UPDATED = "project_updated"
    LABEL_CREATED = "label_created"
    LABEL_UPDATED = "label_updated"
    TASK_CREATED = "task_created"
    COMPLETION_CREATED = "completion_created"
    COMPLETION_UPDATED = "completion_updated"
    COMPLETION_SUBMITTED = "completion_submitted"
    SNAPSHOT_CREATED = "snapshot_created"
    PREDICTION_WRITTEN = "prediction_written"
    TASK_UPDATED = "task_updated"
    TASK_DELETED = "task_deleted"
    TASK_RESTORED = "task_restored"
    TASK_PURGED = "task_purged"
    COMPLETION_ACCEPTED = "completion_accepted"
    COMPLETION_REJECTED = "completion_rejected"
    COMPLETION_REVIEW_WITHDRAWN = "completion_review_withdrawn"
    COMPLETION_STARRED = "completion_starred"
    COMPLETION_UNSTARRED = "completion_unstarred"
    COMPLETION_DELETED = "completion_deleted"
    COMPLETION_RESTORED = "completion_restored"
    MEMBER_ADDED = "member_added"
    MEMBER_UPDATED = "member_updated"
    MEMBER_REMOVED = "member_removed"
    RULE_SET_CREATED = "rule_set_created"
    RULE_SET_UPDATED = "rule_set_updated"
    RULE_SET_DELETED = "rule_set_deleted"


@dataclass(frozen=True, kw_only=True)
class Project:
    """A body of tasks with one set of labels and one deployment.

    `task_count`, `submitted_task_count` and `status_counts` are filled by `get_project` only.
    """

    name: str
    display_name: str
    etag: str
    create_time: datetime | None
    update_time: datetime | None
    task_count: int
    submitted_task_count: int
    labeling_config: str = ""
    tie_break: TieBreak = TieBreak.UNSPECIFIED
    status_counts: Mapping[str, int] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """The last part of the name."""
        return self.name.rpartition("/")[2]


@dataclass(frozen=True, kw_only=True)
class Label:
    """Something that spans can be labelled as; `value` is what spans carry.

    `positives` are the labels whose spans count as this one's, through `inherits` and `alias_as`;
    the counts are filled by `count_labels` only.
    """

    name: str
    value: str
    description: str
    etag: str
    create_time: datetime | None
    update_time: datetime | None
    inherits: tuple[str, ...] = ()
    alias_as: str = ""
    positives: tuple[str, ...] = ()
    former_values: tuple[str, ...] = ()
    span_count: int = 0
    task_count: int = 0


@dataclass(frozen=True, kw_only=True)
class Page:
    """One page of a page task; sizes are pixels, 0 when unknown."""

    image: str
    width: int = 0
    height: int = 0


@dataclass(frozen=True, kw_only=True)
class PageWord:
    """A word of a page task: its place in the text, and on its page in percent."""

    start: int
    end: int
    x: float
    y: float
    width: float
    height: float
    page: int = 1


@dataclass(frozen=True, kw_only=True)
class Task:
    """One text, or some pages, to annotate."""

    name: str
    text: str
    external_id: str
    split: Split
    metadata: Mapping[str, str]
    status: TaskStatus
    completion_count: int
    etag: str
    create_time: datetime | None
    update_time: datetime | None
    tags: tuple[str, ...] = ()
    group: str = ""
    pages: tuple[Page, ...] = ()
    words: tuple[PageWord, ...] = ()
    extra: str = ""
    delete_time: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Relation:
    """A relation between two spans or regions, named by their ids."""

    source: str
    target: str
    labels: tuple[str, ...] = ()
    direction: RelationDirection = RelationDirection.RIGHT
    id: str = ""


@dataclass(frozen=True, kw_only=True)
class Region:
    """A labelled rectangle on a page, in percent of the page's size."""

    x: float
    y: float
    width: float
    height: float
    rotation: float = 0.0
    labels: tuple[str, ...] = ()
    text: str = ""
    page: int = 1
    id: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Review:
    """What a reviewer said."""

    reviewer: str
    comment: str
    review_time: datetime | None


@dataclass(frozen=True, kw_only=True)
class Completion:
    """One author's annotation of a task."""

    name: str
    author: str
    state: CompletionState
    spans: tuple[Span, ...]
    copied_from: str
    etag: str
    create_time: datetime | None
    update_time: datetime | None
    submit_time: datetime | None
    choices: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    relations: tuple[Relation, ...] = ()
    regions: tuple[Region, ...] = ()
    extra: str = ""
    review: Review | None = None
    ground_truth: bool = False
    lead_time_seconds: float = 0.0
    delete_time: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class ScoredChoice:
    """A choice that a model proposes, with a score from 0 to 1."""

    name: str
    value: str
    score: float


@dataclass(frozen=True, kw_only=True)
class PredictionSignals:
    """How sure models were of a text, each measure from 0, sure, to 1; tasks are suggested by it.

    `embedding` holds little-endian 16-bit floats of unit length of the trunk with `trunk_digest`;
    both are empty when it is not known.
    """

    least_confidence: float
    margin: float
    entropy: float
    embedding: bytes = field(default=b"", repr=False)
    trunk_digest: str = ""


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """What a model said about a task, with the adapter and version of each label and control.

    `name` and `create_time` are given by the server; leave them out when writing predictions.
    """

    task: str
    generation: str
    adapters: Mapping[str, str]
    model_versions: Mapping[str, str]
    spans: tuple[ScoredSpan, ...]
    name: str = ""
    create_time: datetime | None = None
    choices: tuple[ScoredChoice, ...] = ()
    extra: str = ""
    choice_adapters: Mapping[str, str] = field(default_factory=dict)
    choice_model_versions: Mapping[str, str] = field(default_factory=dict)
    assertion_adapter: str = ""
    assertion_model_version: str = ""
    signals: PredictionSignals | None = None


@dataclass(frozen=True, kw_only=True)
class WriteReport:
    """Predictions stored by a call, and those that were there already."""

    written: int
    unchanged: int


@dataclass(frozen=True, kw_only=True)
class ImportProblem:
    """A place in an imported file that was refused; `line` counts from 1."""

    line: int
    reason: str
    field: str
    message: str


@dataclass(frozen=True, kw_only=True)
class ImportNotice:
    """Something about an imported text that was repaired or could not be kept."""

    line: int
    message: str


@dataclass(frozen=True, kw_only=True)
class ImportReport:
    """What an import stored, left as it was, and refused (the first 1,000 refusals in `errors`)."""

    imported_tasks: int
    imported_completions: int
    imported_spans: int
    unchanged_tasks: int
    refused_tasks: int
    errors: tuple[ImportProblem, ...]
    created_labels: tuple[str, ...]
    format: TaskFormat
    imported_predictions: int = 0
    imported_relations: int = 0
    imported_regions: int = 0
    imported_choices: int = 0
    warnings: tuple[ImportNotice, ...] = ()
    warning_count: int = 0


@dataclass(frozen=True, kw_only=True)
class ExportReport:
    """What an export wrote; `omitted` is what the format cannot hold, by what it is."""

    exported_tasks: int
    omitted_spans: int
    size_bytes: int
    omitted: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class RatioSplits:
    """Divides a snapshot by shares that add up to 1, after a shuffle by `seed`.

    Parts of one document stay together; `stratify` keeps the shares of labels alike.
    """

    train: float = 0.8
    dev: float = 0.1
    test: float = 0.1
    seed: int = 0
    stratify: bool = False


@dataclass(frozen=True, kw_only=True)
class GivenSplits:
    """Uses the splits given with the tasks; `seed` cuts a missing dev split off train."""

    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class TagSplits:
    """Divides by the tags of the tasks; tasks with none of them are left out."""

    train: tuple[str, ...] = ("Train",)
    dev: tuple[str, ...] = ()
    test: tuple[str, ...] = ("Test",)
    seed: int = 0


SplitPolicy = RatioSplits | GivenSplits | TagSplits


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """An immutable, content-hashed selection of completions."""

    name: str
    content_hash: str
    split_policy: SplitPolicy | None
    labels: tuple[str, ...]
    example_counts: Mapping[str, int]
    span_counts: Mapping[str, int]
    create_time: datetime | None
    choice_counts: Mapping[str, int] = field(default_factory=dict)
    positives: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    description: str = ""


@dataclass(frozen=True, kw_only=True)
class SnapshotExample:
    """One example of a snapshot, offsets in code points."""

    task: str
    completion: str
    text: str
    spans: tuple[Span, ...]
    split: Split
    choices: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    relations: tuple[Relation, ...] = ()
    group: str = ""


@dataclass(frozen=True, kw_only=True)
class Event:
    """One change in a project; `resume_token` continues the stream behind it."""

    sequence: int
    resume_token: str
    type: EventType
    resource: str
    time: datetime | None
    actor: str = ""
    version: int = 0
