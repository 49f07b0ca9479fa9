"""What a labelling config says, and what is wrong with it. Plain values."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, kw_only=True, order=True)
class Place:
    """A place in the XML: line and column in code points, both from 1."""

    line: int
    column: int


class Severity(StrEnum):
    """How bad a problem is."""

    ERROR = "ERROR"
    WARNING = "WARNING"


class Code(StrEnum):
    """Which rule a problem breaks."""

    TOO_LARGE = "TOO_LARGE"
    TOO_MANY_PROBLEMS = "TOO_MANY_PROBLEMS"
    MALFORMED_XML = "MALFORMED_XML"
    DTD_FORBIDDEN = "DTD_FORBIDDEN"
    UNKNOWN_TAG = "UNKNOWN_TAG"
    MISPLACED_TAG = "MISPLACED_TAG"
    MISPLACED_ATTRIBUTE = "MISPLACED_ATTRIBUTE"
    NO_NAME = "NO_NAME"
    DUPLICATE_NAME = "DUPLICATE_NAME"
    NO_TO_NAME = "NO_TO_NAME"
    UNKNOWN_TO_NAME = "UNKNOWN_TO_NAME"
    NO_VALUE = "NO_VALUE"
    INVALID_VALUE = "INVALID_VALUE"
    DUPLICATE_VALUE = "DUPLICATE_VALUE"
    EMPTY_CONTROL = "EMPTY_CONTROL"
    UNKNOWN_CHOICE_MODE = "UNKNOWN_CHOICE_MODE"
    SEVERAL_TRAINED = "SEVERAL_TRAINED"
    INVALID_RELATION = "INVALID_RELATION"
    UNKNOWN_RELATION_LABEL = "UNKNOWN_RELATION_LABEL"
    UNKNOWN_MODEL = "UNKNOWN_MODEL"
    MODEL_TYPE_MISMATCH = "MODEL_TYPE_MISMATCH"
    SEVERAL_ASSERTION_MODELS = "SEVERAL_ASSERTION_MODELS"
    LABEL_UNKNOWN_TO_MODEL = "LABEL_UNKNOWN_TO_MODEL"


@dataclass(frozen=True, kw_only=True)
class Problem:
    """Something that is wrong at a place, and what to do about it."""

    place: Place
    severity: Severity
    code: Code
    message: str


class ChoiceMode(StrEnum):
    """How many values of a `Choices` control can be chosen; the value is the XML's."""

    SINGLE = "single"
    SINGLE_RADIO = "single-radio"
    MULTIPLE = "multiple"


@dataclass(frozen=True, kw_only=True)
class ConfigLabel:
    """A `Label`.

    Attributes:
        value: Its `value`.
        alias: What annotations carry instead of the value, or empty.
        hotkey: As given.
        background: As given.
        model: Name of the model that pre-annotates it, or empty.
        assertion: Whether it is an assertion status of spans instead of a label of text.
        control: Name of its control.
        place: Where its tag begins.
    """

    value: str
    alias: str = ""
    hotkey: str = ""
    background: str = ""
    model: str = ""
    assertion: bool = False
    control: str = ""
    place: Place = Place(line=1, column=1)

    @property
    def exported(self) -> str:
        """What annotations carry: the alias if there is one, else the value."""
        return self.alias or self.value


@dataclass(frozen=True, kw_only=True)
class ConfigControl:
    """Something to annotate with other than `Choices`: `Labels`, `Rectangle`, `TextArea` and so on.

    `dynamic`: its values come with each task, so any value is right.
    """

    tag: str
    name: str
    to_names: tuple[str, ...]
    dynamic: bool
    place: Place


@dataclass(frozen=True, kw_only=True)
class ConfigChoice:
    """A `Choice`; see `ConfigLabel`."""

    value: str
    alias: str = ""
    hotkey: str = ""

    @property
    def exported(self) -> str:
        """What annotations carry: the alias if there is one, else the value."""
        return self.alias or self.value


@dataclass(frozen=True, kw_only=True)
class ConfigChoices:
    """A `Choices` control. `dynamic`: its values come with each task, so any value is right."""

    name: str
    to_names: tuple[str, ...]
    mode: ChoiceMode
    train: bool
    choices: tuple[ConfigChoice, ...]
    per_region: bool
    required: bool
    dynamic: bool
    model: str
    place: Place


@dataclass(frozen=True, kw_only=True)
class ConfigRelation:
    """A `Relation`. `allowed`: pairs of labels that it may join; empty: any."""

    value: str
    allowed: tuple[tuple[str, str], ...]
    both_ways: bool
    place: Place


@dataclass(frozen=True, kw_only=True)
class ConfigObject:
    """Something to annotate: `Text`, `Image` and so on; `field` is the name in the task's data."""

    tag: str
    name: str
    field: str
    place: Place


@dataclass(frozen=True, kw_only=True)
class LabelingConfig:
    """A labelling config that was read."""

    source: str
    labels: tuple[ConfigLabel, ...] = ()
    controls: tuple[ConfigControl, ...] = ()
    choices: tuple[ConfigChoices, ...] = ()
    relations: tuple[ConfigRelation, ...] = ()
    objects: tuple[ConfigObject, ...] = ()

    def ner_labels(self) -> tuple[ConfigLabel, ...]:
        """Return the labels of spans and regions."""
        return tuple(label for label in self.labels if not label.assertion)

    def assertion_labels(self) -> tuple[ConfigLabel, ...]:
        """Return the assertion statuses."""
        return tuple(label for label in self.labels if label.assertion)

    def choice(self, name: str) -> ConfigChoices | None:
        """Return the choices of this name, or None."""
        return next((one for one in self.choices if one.name == name), None)

    def classifier_to_train(self) -> ConfigChoices | None:
        """Return the choices that a classifier is trained for when nobody says which.

        Those with ``train="true"``, else the alphabetically first.
        """
        marked = [one for one in self.choices if one.train]
        return min(marked or self.choices, key=lambda one: one.name, default=None)


class ModelType(StrEnum):
    """What a model predicts; the value begins its name."""

    NER = "ner"
    ASSERTION = "assertion"
    CLASSIFICATION = "classification"


@dataclass(frozen=True, kw_only=True)
class KnownModel:
    """A model that a config may name; `type` None: as its name says; `labels` empty: not known."""

    name: str
    type: ModelType | None = None
    labels: tuple[str, ...] = ()
