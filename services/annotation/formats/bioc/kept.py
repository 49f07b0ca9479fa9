"""What an import from BioC left in `extra`, read back with care: anybody may have changed it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from services.annotation.content import Content
from services.annotation.domain import Task

Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """A piece of a task's text, in code points, and what is said about it."""

    start: int
    end: int
    infons: Pairs = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class PassagePart(Part):
    """A passage; `sentences` is None where it is not divided."""

    sentences: tuple[Part, ...] | None = None

    @property
    def pieces(self) -> Sequence[Part]:
        """The parts that have a text: its sentences, or itself."""
        return (self,) if self.sentences is None else self.sentences


@dataclass(frozen=True, kw_only=True)
class KeptTask:
    """What came with a task beside its text."""

    collection: dict[str, Any] = field(default_factory=dict)
    infons: Pairs = ()
    passages: tuple[PassagePart, ...] = ()

    @classmethod
    def of(cls, task: Task) -> KeptTask:
        """Return what a task has, empty where it came from elsewhere."""
        fields = _fields(task.extra)
        collection = fields.get("collection")
        return cls(
            collection=collection if isinstance(collection, dict) else {},
            infons=_pairs(fields.get("infons")),
            passages=tuple(_passages(fields.get("passages"))),
        )

    @property
    def collection_infons(self) -> Pairs:
        """The infons of the collection."""
        return _pairs(self.collection.get("infons"))

    def passages_of(self, text: str) -> list[PassagePart]:
        """Return the passages of a text: those kept if they fit it, else the text as one."""
        behind = 0
        for passage in self.passages:
            if not behind <= passage.start <= passage.end <= len(text):
                break
            behind = passage.start
            for part in passage.pieces:
                if not behind <= part.start <= part.end <= passage.end:
                    break
                behind = part.end
            else:
                continue
            break
        else:
            covered = sum(
                part.end - part.start for passage in self.passages for part in passage.pieces
            )
            if self.passages and covered >= len("".join(text.split())):
                return list(self.passages)
        return [PassagePart(start=0, end=len(text))]


@dataclass(frozen=True, kw_only=True, slots=True)
class KeptAnnotation:
    """An annotation that is no span here."""

    id: str
    infons: Pairs
    text: str
    places: tuple[tuple[int, int], ...]

    def extents(self, text: str) -> Iterable[tuple[int, int]]:
        """Return where it stands in the text, as far as that is within it."""
        return [(start, end) for start, end in self.places if 0 <= start < end <= len(text)]


@dataclass(frozen=True, kw_only=True, slots=True)
class KeptLink:
    """A relation that is none here; `nodes` are ids and roles."""

    id: str
    infons: Pairs
    nodes: Pairs


@dataclass(frozen=True, kw_only=True)
class KeptContent:
    """What came with a completion beside its spans and relations; the maps are by id."""

    annotations: tuple[KeptAnnotation, ...] = ()
    relations: tuple[KeptLink, ...] = ()
    infons: dict[str, Pairs] = field(default_factory=dict)
    relation_infons: dict[str, Pairs] = field(default_factory=dict)
    roles: dict[str, tuple[str, str]] = field(default_factory=dict)

    @classmethod
    def of(cls, content: Content) -> KeptContent:
        """Return what a content has, empty where it came from elsewhere."""
        fields = _fields(content.extra)
        roles = fields.get("roles")
        return cls(
            annotations=tuple(
                KeptAnnotation(
                    id=str(one.get("id", "")),
                    infons=_pairs(one.get("infons")),
                    text=str(one.get("text", "")),
                    places=tuple(_extents(one.get("extents"))),
                )
                for one in _objects(fields.get("annotations"))
            ),
            relations=tuple(
                KeptLink(
                    id=str(one.get("id", "")),
                    infons=_pairs(one.get("infons")),
                    nodes=_pairs(one.get("nodes")),
                )
                for one in _objects(fields.get("relations"))
            ),
            infons=_by_id(fields.get("infons")),
            relation_infons=_by_id(fields.get("relation_infons")),
            roles={
                name: (pair[0], pair[1])
                for name, pair in (roles.items() if isinstance(roles, dict) else ())
                if isinstance(pair, list)
                and len(pair) == 2
                and all(isinstance(role, str) for role in pair)
            },
        )


def _fields(extra: str) -> dict[str, Any]:
    kept = json.loads(extra).get("bioc") if extra else None
    return kept if isinstance(kept, dict) else {}


def _objects(value: Any) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _pairs(value: Any) -> Pairs:
    return tuple(
        (one[0], one[1])
        for one in (value if isinstance(value, list) else ())
        if isinstance(one, list) and len(one) == 2 and all(isinstance(part, str) for part in one)
    )


def _by_id(value: Any) -> dict[str, Pairs]:
    return {name: _pairs(pairs) for name, pairs in value.items()} if isinstance(value, dict) else {}


def _extents(value: Any) -> Iterable[tuple[int, int]]:
    for one in value if isinstance(value, list) else ():
        if isinstance(one, list) and len(one) == 2 and all(type(part) is int for part in one):
            yield one[0], one[1]


def _part(value: dict[str, Any]) -> Part | None:
    start, end = value.get("start"), value.get("end")
    if type(start) is not int or type(end) is not int:
        return None
    return Part(start=start, end=end, infons=_pairs(value.get("infons")))


def _passages(value: Any) -> Iterable[PassagePart]:
    for one in _objects(value):
        part = _part(one)
        if part is None:
            continue
        sentences = one.get("sentences")
        parts = tuple(found for found in map(_part, _objects(sentences)) if found is not None)
        yield PassagePart(
            start=part.start,
            end=part.end,
            infons=part.infons,
            sentences=parts if isinstance(sentences, list) else None,
        )
