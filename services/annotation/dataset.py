"""Snapshots: what they are made of and how they are divided. Plain values, as in `domain`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from services.annotation.content import Content, Span
from services.annotation.domain import Split
from services.annotation.selection.rules import Selection


@dataclass(frozen=True, kw_only=True)
class Ratios:
    """Divide by ratio after a seeded shuffle; parts of one document stay together.

    `stratify`: keep the share of each label alike in all splits, as far as the documents allow.
    """

    train: float
    dev: float
    test: float
    seed: int
    stratify: bool = False


@dataclass(frozen=True, kw_only=True)
class Given:
    """Divide as the tasks say; a missing dev split is cut off train by the seed."""

    seed: int


@dataclass(frozen=True, kw_only=True)
class ByTags:
    """Divide by the tags of the tasks; a missing dev split is cut off train by the seed.

    A task with a tag of `test` is held out, else one with a tag of `dev` is for development, else
    one with a tag of `train` is trained on; tasks with none of them are left out.
    """

    train: tuple[str, ...]
    dev: tuple[str, ...]
    test: tuple[str, ...]
    seed: int


SplitPolicy: TypeAlias = Ratios | Given | ByTags


@dataclass(frozen=True, kw_only=True, slots=True)
class Example:
    """One example of a snapshot. `task` and `completion` are ids within the project.

    `tags` are those of the task; they only serve to divide and are not kept.
    """

    task: str
    completion: str
    text: str
    content: Content
    split: Split
    group: str = ""
    tags: tuple[str, ...] = ()

    @property
    def spans(self) -> tuple[Span, ...]:
        """The spans of its content."""
        return self.content.spans


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """An immutable selection of completions; its examples are stored apart, in `chunks` pieces.

    `labels` are those that models are trained for; `positives` has for those of them with more
    than one which labels' spans count as theirs. `selection` is None for snapshots that were taken
    before there was a choice.
    """

    project: str
    id: str
    content_hash: str
    policy: SplitPolicy
    labels: tuple[str, ...]
    example_counts: Mapping[str, int]
    span_counts: Mapping[str, int]
    chunks: int
    created: int
    choice_counts: Mapping[str, int] = field(default_factory=dict)
    assertion_counts: Mapping[str, int] = field(default_factory=dict)
    positives: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    selection: Selection | None = None
    description: str = ""
