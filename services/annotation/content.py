"""What annotations and predictions say about a task: spans, choices, relations, regions.

Plain values. Offsets are half-open and count code points of the task's text.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, kw_only=True, slots=True)
class Span:
    """A labelled piece of a text.

    Attributes:
        start: First code point.
        end: First code point behind the span.
        label: Value of its label.
        id: Identifies it within its completion; empty until it is stored.
        fragments: For a discontinuous span its pieces (start, end), two or more, in order, neither
            touching nor overlapping; the first begins at `start`, the last ends at `end`. Empty
            for a span in one piece.
        assertion: Its assertion status, e.g. ``absent``, or empty.
        attributes: What else was said about it, as pairs sorted by name, names unique.
    """

    start: int
    end: int
    label: str
    id: str = ""
    fragments: tuple[tuple[int, int], ...] = ()
    assertion: str = ""
    attributes: tuple[tuple[str, str], ...] = ()


class Direction(StrEnum):
    """Which way a relation points."""

    RIGHT = "RIGHT"
    LEFT = "LEFT"
    BOTH = "BOTH"


@dataclass(frozen=True, kw_only=True, slots=True)
class Relation:
    """A relation between two spans or regions of a completion, named by their ids."""

    source: str
    target: str
    labels: tuple[str, ...] = ()
    direction: Direction = Direction.RIGHT
    id: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Region:
    """A labelled rectangle of a page.

    Attributes:
        x: Left edge, in percent of the page's width.
        y: Upper edge, in percent of the page's height.
        width: In percent of the page's width.
        height: In percent of the page's height.
        rotation: Clockwise about the upper left corner, in degrees.
        labels: Values of its labels; may be empty.
        text: What is written there, if somebody said so.
        page: Number of the page, from 1.
        id: Identifies it within its completion.
        attributes: As in `Span`.
    """

    x: float
    y: float
    width: float
    height: float
    rotation: float = 0.0
    labels: tuple[str, ...] = ()
    text: str = ""
    page: int = 1
    id: str = ""
    attributes: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Choices:
    """What was chosen of one `Choices` control of the labelling config."""

    name: str
    values: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Content:
    """What an annotation says about a task.

    Attributes:
        spans: In order of start.
        choices: By name of the control, sorted by it; each name once.
        relations: Between its spans and regions.
        regions: Rectangles on its pages.
        extra: A JSON object of what the file that it was imported from said beyond this, by name
            of the format; empty when there is nothing. Kept, and written back to that format.
    """

    spans: tuple[Span, ...] = ()
    choices: tuple[Choices, ...] = ()
    relations: tuple[Relation, ...] = ()
    regions: tuple[Region, ...] = ()
    extra: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class ScoredSpan:
    """A span that a model proposes, with a score from 0 to 1.

    `assertion` is the status that a model proposes for it, or empty; its own score is 0 then.
    """

    start: int
    end: int
    label: str
    score: float
    assertion: str = ""
    assertion_score: float = 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class ScoredChoice:
    """A choice that a model proposes, with a score from 0 to 1."""

    name: str
    value: str
    score: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Page:
    """One page of a page task. `image` is a reference (URI); sizes are pixels, 0 when unknown."""

    image: str
    width: int = 0
    height: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Word:
    """A word of a page task: where it stands in the text and on its page (percent, from 1)."""

    start: int
    end: int
    x: float
    y: float
    width: float
    height: float
    page: int = 1
