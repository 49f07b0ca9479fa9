"""The content of a completion as the lines of an annotation file."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping

from services.annotation.content import Content, Direction, Relation, Span
from services.common.offsets import OffsetEncoding, from_code_points

_TEXT_ID = re.compile(r"T\d{1,9}", re.ASCII)
_RELATION_ID = re.compile(r"R\d{1,9}", re.ASCII)
_ARGUMENT = re.compile(r"(E\d{1,9})\.(\d{1,9})", re.ASCII)
_CHAIN = re.compile(r"(\*\d{1,9})\.(\d{1,9})", re.ASCII)
_EVENT = re.compile(r"(E\d{1,9})(?::([^ ]+))?", re.ASCII)
_SCOPED = re.compile(r"(E\d{1,9}):(.+)", re.ASCII | re.DOTALL)
_REFERENCE = re.compile(r"normalization:([^\s:#]+)")
_NOTE = re.compile(r"note(?::([^\s#]+))?")
_NUMBERED = re.compile(r"(.+)#([1-9]\d{0,3})", re.ASCII | re.DOTALL)
_BREAKS = re.compile(r"[\t\n\r\v\f\x1c-\x1e\x85\u2028\u2029]")
_BLANKS = re.compile(r"[ \u2028\u2029]")
_BLANK_LABELS = "blanks in labels (written as _)"


class Lines:
    """Writes one annotation file; what has no place is counted in `omitted`."""

    def __init__(
        self,
        text: str,
        content: Content,
        encoding: OffsetEncoding | None,
        omitted: Counter[str],
    ) -> None:
        """Take a text and what is said about it."""
        self._text = text
        self._content = content
        self._encoding = encoding or OffsetEncoding.CODE_POINT
        self._omitted = omitted
        self._extra = _extra_of(content)
        self._counts: Counter[str] = Counter()
        self._ids = self._span_ids()
        self._events, self._types = self._events_of()
        self._taken = {one.id for one in content.relations if _RELATION_ID.fullmatch(one.id)}
        self._taken |= {line.partition("\t")[0] for line in self._extra.lines}
        self._named = {written: own for own, written in self._ids.items()} | self._events
        self._kept: set[str] = set()  # ids of relations that were written as they are

    def text(self) -> str:
        """Return the file."""
        lines = [self._text_bound(span) for span in self._content.spans]
        lines.extend(self._links())
        for span in self._content.spans:
            lines.extend(self._remarks(span))
        lines.extend(self._extra.lines)
        return "".join(f"{line}\n" for line in lines)

    def _span_ids(self) -> dict[str, str]:
        """Return the id of each span in the file: its own if it is of brat's form."""
        kept = {span.id for span in self._content.spans if _TEXT_ID.fullmatch(span.id)}
        ids, number = {}, 0
        for span in self._content.spans:
            if span.id in kept:
                ids[span.id] = span.id
                continue
            number += 1
            while f"T{number}" in kept:
                number += 1
            ids[span.id] = f"T{number}"
        return ids

    def _events_of(self) -> tuple[dict[str, str], dict[str, str]]:
        """Return the trigger span of each event, and the event's type."""
        triggers: dict[str, str] = {}
        types: dict[str, str] = {}
        for span in self._content.spans:
            found = [
                _EVENT.fullmatch(one) for one in dict(span.attributes).get("event", "").split(" ")
            ]
            ids = [one[1] for one in found if one is not None]
            if (
                len(ids) < len(found)
                or len(set(ids)) < len(ids)
                or any(key in triggers for key in ids)
            ):
                continue  # written as an attribute of that name
            for one in found:
                if one is not None:
                    triggers[one[1]] = span.id
                    types[one[1]] = one[2] or _BLANKS.sub("_", span.label)
        return triggers, types

    def _text_bound(self, span: Span) -> str:
        pieces = span.fragments or ((span.start, span.end),)
        counted = from_code_points(
            self._text, [point for piece in pieces for point in piece], self._encoding
        )
        places = ";".join(
            f"{start} {end}" for start, end in zip(counted[::2], counted[1::2], strict=True)
        )
        marked = " ".join(self._text[start:end] for start, end in pieces)
        label = self._word(span.label, _BLANK_LABELS)
        return f"{self._ids[span.id]}\t{label} {places}\t{_BREAKS.sub(' ', marked)}"

    def _links(self) -> Iterator[str]:
        """Yield events, relations and equivalences."""
        arguments: dict[str, list[tuple[int, Relation]]] = {}
        chains: dict[str, list[tuple[int, Relation]]] = {}
        others: dict[str, Relation | None] = {}  # in order; None stands for a chain
        for index, one in enumerate(self._content.relations):
            if one.source not in self._ids or one.target not in self._ids:
                self._omitted["relations of regions"] += 1
                continue
            argument, chain = _ARGUMENT.fullmatch(one.id), _CHAIN.fullmatch(one.id)
            if argument and self._events.get(argument[1]) == one.source and _is_plain(one):
                arguments.setdefault(argument[1], []).append((int(argument[2]), one))
            elif chain and one.direction is Direction.BOTH and len(one.labels) == 1:
                chains.setdefault(chain[1], []).append((int(chain[2]), one))
                others.setdefault(chain[1], None)
            else:
                others[str(index)] = one
        for event, trigger in self._events.items():
            words = [f"{self._types[event]}:{self._ids[trigger]}"]
            for _, one in sorted(arguments.get(event, []), key=lambda pair: pair[0]):
                words.append(f"{self._relation_type(one.labels[0])}:{self._argument(one)}")
            yield f"{event}\t{' '.join(words)}"
        for key, relation in others.items():
            if relation is not None:
                yield from self._relation(relation)
            else:
                links = sorted(chains[key], key=lambda pair: pair[0])
                yield from self._chain(key, [one for _, one in links])

    def _argument(self, one: Relation) -> str:
        """Return the id that an argument of an event names: a span's, or that of its event."""
        given = self._extra.args.get(one.id, "")
        return given if self._events.get(given) == one.target else self._ids[one.target]

    def _chain(self, group: str, links: list[Relation]) -> Iterator[str]:
        members = [links[0].source, *(one.target for one in links)]
        joined = all(
            one.source == before and one.labels == links[0].labels
            for one, before in zip(links, members, strict=False)
        )
        if not joined:
            for one in links:
                yield from self._relation(one)
            return
        ids = [self._ids[member] for member in members]
        given = self._extra.args.get(group, "").split(" ")
        if [self._resolved(one) for one in given] == members:
            ids = given
        yield f"*\t{self._relation_type(links[0].labels[0])} {' '.join(ids)}"

    def _resolved(self, key: str) -> str:
        """Return the span that an id of the file names, or empty."""
        return self._named.get(key, "")

    def _relation(self, one: Relation) -> Iterator[str]:
        source, target = one.source, one.target
        if not one.labels:
            self._omitted["relations without a label (written as Related)"] += 1
        if len(one.labels) > 1:
            self._omitted["several labels of a relation (written as several relations)"] += 1
        if one.direction is Direction.LEFT:
            self._omitted["relations to the left (written to the right, ends swapped)"] += 1
            source, target = target, source
        for number, label in enumerate(one.labels or ("Related",)):
            word = self._relation_type(label)
            if one.direction is Direction.BOTH:
                yield f"*\t{word} {self._ids[source]} {self._ids[target]}"
                continue
            keeps = number == 0 and _RELATION_ID.fullmatch(one.id) and one.id not in self._kept
            key = one.id if keeps else self._new("R")
            self._kept.add(key)
            args = f"Arg1:{self._ids[source]} Arg2:{self._ids[target]}"
            given = self._extra.args.get(one.id, "")
            ends = [self._resolved(word.rpartition(":")[2]) for word in given.split(" ")]
            yield f"{key}\t{word} {given if ends == [source, target] else args}"

    def _remarks(self, span: Span) -> Iterator[str]:
        events = [event for event, trigger in self._events.items() if trigger == span.id]
        usual = events[0] if events else self._ids[span.id]
        if span.assertion:
            name = self._extra.assertions.get(span.id, "assertion")
            value = "" if name == span.assertion else f" {self._value(span.assertion)}"
            yield f"{self._new('A')}\t{name} {usual}{value}"
        for name, value in _in_order(dict(span.attributes)):
            if name == "event" and events:
                continue
            target = usual
            scoped = _SCOPED.fullmatch(name)
            if scoped and scoped[1] in events and len(events) > 1:
                target, name = scoped[1], scoped[2]
            elif len(events) > 1:
                target = self._ids[span.id]
            yield from self._attribute(name, value, target)

    def _attribute(self, name: str, value: str, target: str) -> Iterator[str]:
        value = self._value(value)
        note, reference = _NOTE.fullmatch(name), _REFERENCE.fullmatch(name)
        key, _, text = value.partition(" ")
        if not value:
            self._omitted["attributes without a value"] += 1
        elif note:
            yield f"{self._new('#')}\t{note[1] or 'AnnotatorNotes'} {target}\t{value}"
        elif reference and text == text.strip():
            end = f"\t{text}" if text else ""
            yield f"{self._new('N')}\tReference {target} {reference[1]}:{key}{end}"
        else:
            if name.lower() == "assertion":
                self._omitted["attributes named assertion (written as Assertion_)"] += 1
                name = "Assertion_"
            name = self._word(name, "blanks in names of attributes (written as _)")
            yield f"{self._new('A')}\t{name} {target}" + ("" if value == "true" else f" {value}")

    def _new(self, kind: str) -> str:
        self._counts[kind] += 1
        while f"{kind}{self._counts[kind]}" in self._taken:
            self._counts[kind] += 1
        return f"{kind}{self._counts[kind]}"

    def _relation_type(self, label: str) -> str:
        return self._word(label, _BLANK_LABELS)

    def _word(self, value: str, kind: str) -> str:
        word = _BLANKS.sub("_", value)
        if word != value:
            self._omitted[kind] += 1
        return word

    def _value(self, value: str) -> str:
        line = _BREAKS.sub(" ", value).strip()
        if line != value:
            self._omitted["line breaks and outer blanks in attributes"] += 1
        return line


class _Extra:
    """What an import from brat kept beside the content; anything else is disregarded."""

    def __init__(self, value: object) -> None:
        fields = value if isinstance(value, dict) else {}
        lines, args, statuses = (fields.get(key) for key in ("lines", "args", "assertions"))
        self.lines = [
            one
            for one in (lines if isinstance(lines, list) else [])
            if isinstance(one, str) and "\n" not in one
        ]
        self.args = _strings(args)
        self.assertions = {
            key: one for key, one in _strings(statuses).items() if one.split() == [one]
        }


def _strings(value: object) -> dict[str, str]:
    if not isinstance(value, dict):
        return {}
    return {key: one for key, one in value.items() if isinstance(one, str)}


def _extra_of(content: Content) -> _Extra:
    if not content.extra:
        return _Extra({})
    kept = json.loads(content.extra)
    return _Extra(kept.get("brat") if isinstance(kept, dict) else {})


def _in_order(attributes: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return attributes with notes and normalisations in order of their numbers.

    The first of several has no number; the others are ``note#2``, ``note#3``, and lose it here, as
    reading numbers them anew. A number that does not count on stays a part of the name.
    """
    found = []
    for name, value in attributes.items():
        match = _NUMBERED.fullmatch(name)
        base, number = (match[1], int(match[2])) if match else (name, 1)
        plain = base.partition(":")[2] if _SCOPED.fullmatch(base) else base
        counts_on = number > 1 and (_NOTE.fullmatch(plain) or _REFERENCE.fullmatch(plain))
        if counts_on and all(
            (base if one == 1 else f"{base}#{one}") in attributes for one in range(1, number)
        ):
            found.append((base, number, base, value))
        else:
            found.append((name, 1, name, value))
    return [(name, value) for _, _, name, value in sorted(found)]


def _is_plain(one: Relation) -> bool:
    return one.direction is Direction.RIGHT and len(one.labels) == 1
