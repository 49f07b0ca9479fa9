"""What the columns of a WebAnno document say: marked pieces of text, and links between them."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from services.annotation.formats.columns.webanno.documents import Document, Unit
from services.annotation.formats.columns.webanno.escapes import (
    chained,
    numbered,
    split,
    unescape_value,
)
from services.annotation.formats.columns.webanno.layers import Column, ColumnKind, Layer, LayerKind
from services.common.errors import invalid_field

NONE = "_"
EMPTY = "*"


@dataclass(kw_only=True, eq=False)
class Mark:
    """An annotation: extent in code points, values by feature. `number`: as in the file, or 0."""

    layer: Layer
    begin: int
    end: int
    line: int
    number: int = 0
    values: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, eq=False, slots=True)
class Link:
    """A relation. `label` may be empty; `lost`: features that a relation has no place for."""

    source: Mark
    target: Mark
    label: str
    lost: tuple[str, ...] = ()


class Marks:
    """The marks of one document, found unit by unit; links are resolved behind the last one."""

    def __init__(self, document: Document, extents: list[tuple[int, int]]) -> None:
        """Begin; `extents` are those of all units.

        Raises:
            InvalidArgumentError: FIELD_INVALID: two units have the same number.
        """
        self.found: list[Mark] = []
        self.links: list[Link] = []
        units = [unit for sentence in document.sentences for unit in sentence.units]
        self._extents: dict[str, tuple[int, int]] = {}
        for unit, extent in zip(units, extents, strict=True):
            if self._extents.setdefault(unit.id, extent) is not extent:
                raise invalid_field(
                    f"line {unit.line}", f"{unit.id} is the number of an earlier token too."
                )
        self._at: dict[tuple[str, str, int], Mark] = {}
        self._by_number: dict[int, Mark] = {}
        self._chains: dict[tuple[str, int], dict[int, tuple[Mark, str]]] = {}
        self._slots: set[tuple[Mark, Mark, str]] = set()
        self._later: list[Callable[[], None]] = []

    def span(self, unit: Unit, layer: Layer, index: int, number: int) -> Mark:
        """Return the annotation that stands at this place of a unit, maybe begun in a unit before.

        Raises:
            InvalidArgumentError: FIELD_INVALID: its number is that of another layer's annotation.
        """
        key = (unit.id, layer.name, index)
        mark = self._at.get(key)
        if mark is None and number:
            mark = self._by_number.get(number)
            if mark is not None and mark.layer.name != layer.name:
                raise invalid_field(
                    f"line {unit.line}", f"[{number}] is the number of an annotation of "
                    f"{mark.layer.name} too: export the document again.",
                )  # fmt: skip
        return self._kept(unit, key, mark, layer, number)

    def continued(self, unit: Unit, layer: Layer, index: int, mark: Mark | None) -> Mark:
        """Return an annotation that goes on in a unit; `mark` None: one that begins there."""
        key = (unit.id, layer.name, index)
        while mark is None and key in self._at:
            key = (key[0], key[1], key[2] + 1)
        return self._kept(unit, key, mark, layer, 0)

    def element(self, unit: Unit, layer: Layer, index: int, chain: int, place: int) -> Mark:
        """Return the element of a chain that stands at this place of a unit."""
        key = (unit.id, layer.name, index)
        known = self._chains.get((layer.name, chain), {}).get(place)
        return self._kept(unit, key, self._at.get(key) or (known and known[0]), layer, 0)

    def chain(self, layer: Layer, chain: int, place: int, mark: Mark, label: str) -> None:
        """Put an element into its chain, with what leads from it to the next one."""
        self._chains.setdefault((layer.name, chain), {}).setdefault(place, (mark, label))

    def slot(self, mark: Mark, filler: Mark, label: str) -> None:
        """Link an annotation to what fills a slot; slots stand at each of its units."""
        if (mark, filler, label) not in self._slots:
            self._slots.add((mark, filler, label))
            self.links.append(Link(source=mark, target=filler, label=label))

    def later(self, action: Callable[[], None]) -> None:
        """Do something when all units are read."""
        self._later.append(action)

    def at(self, unit: str, layer: str, number: int, line: int) -> Mark:
        """Return the annotation that a reference names, by number or by unit and layer.

        Relations of tokens, which are no annotations themselves, get one there.

        Raises:
            InvalidArgumentError: FIELD_INVALID: there is none.
        """
        mark = self._by_number.get(number) if number else self._at.get((unit, layer, 0))
        if mark is not None:
            return mark
        extent = self._extents.get(unit)
        if extent is None or number:
            raise invalid_field(
                f"line {line}",
                f"{unit[:40]}{f'[{number}]' if number else ''} is the place of no annotation: "
                "export the document again.",
            )
        mark = Mark(
            layer=Layer(kind=LayerKind.SPAN, name=layer, columns=()),
            begin=extent[0],
            end=extent[1],
            line=line,
        )
        self._at[(unit, layer, 0)] = mark
        self.found.append(mark)
        return mark

    def finish(self) -> None:
        """Resolve what refers to other units."""
        for action in self._later:
            action()
        for elements in self._chains.values():
            ordered = [elements[place] for place in sorted(elements)]
            for (mark, label), (following, _) in itertools.pairwise(ordered):
                self.links.append(Link(source=mark, target=following, label=label))

    def _kept(
        self, unit: Unit, key: tuple[str, str, int], mark: Mark | None, layer: Layer, number: int
    ) -> Mark:
        begin, end = self._extents[unit.id]
        if mark is None:
            mark = Mark(layer=layer, begin=begin, end=end, line=unit.line, number=number)
            self.found.append(mark)
        else:
            mark.begin, mark.end = min(mark.begin, begin), max(mark.end, end)
        self._at[key] = mark
        if number:
            self._by_number[number] = mark
        return mark


def read_units(document: Document, marks: Marks) -> None:
    """Read the columns of all units of a document of version 3.

    Raises:
        InvalidArgumentError: FIELD_INVALID: a column cannot be read; the field names its line.
    """
    for sentence in document.sentences:
        for unit in sentence.units:
            cells = iter(unit.cells)
            for layer in document.layers:
                own = list(zip(layer.columns, cells, strict=False))
                try:
                    _read(marks, unit, layer, own)
                except ValueError:
                    raise invalid_field(
                        f"line {unit.line}", f"the columns of {layer.name} cannot be read."
                    ) from None
    marks.finish()


def _read(marks: Marks, unit: Unit, layer: Layer, cells: list[tuple[Column, str]]) -> None:
    columns = [(column, split(cell, "|")) for column, cell in cells if cell not in {NONE, ""}]
    match layer.kind:
        case LayerKind.SPAN:
            _read_spans(marks, unit, layer, columns)
        case LayerKind.RELATION:
            for index, values in _stacked(columns):
                _read_relation(marks, unit, layer, index, values)
        case LayerKind.CHAIN:
            for index, values in _stacked(columns):
                _read_element(marks, unit, layer, index, values)


def _stacked(
    columns: list[tuple[Column, list[str]]],
) -> Iterator[tuple[int, list[tuple[Column, str]]]]:
    """Yield for each annotation of a unit its values."""
    for index in range(max((len(values) for _, values in columns), default=0)):
        yield (
            index,
            [(column, values[index]) for column, values in columns if index < len(values)],
        )


def _read_spans(
    marks: Marks, unit: Unit, layer: Layer, columns: list[tuple[Column, list[str]]]
) -> None:
    for index, values in _stacked(columns):
        parts = [
            (column, *numbered(value)[:2]) if column.kind is not ColumnKind.TARGET
            else (column, value, 0)
            for column, value in values
        ]  # fmt: skip
        number = max((number for _, _, number in parts), default=0)
        mark = marks.span(unit, layer, index, number)
        roles: dict[str, list[str]] = {}
        for column, value, _ in parts:
            if column.kind is ColumnKind.VALUE and value not in {EMPTY, NONE}:
                mark.values.setdefault(column.name, unescape_value(value))
            elif column.kind is ColumnKind.ROLE:
                roles[column.name] = [] if value == NONE else split(value, ";")
            elif column.kind is ColumnKind.TARGET:
                _read_slots(marks, unit, mark, column, roles.get(column.name, []), value)


def _read_slots(
    marks: Marks, unit: Unit, mark: Mark, column: Column, roles: list[str], value: str
) -> None:
    for place, target in enumerate(split(value, ";")):
        if target in {EMPTY, NONE, ""}:
            continue
        role = roles[place] if place < len(roles) else EMPTY
        label = column.name if role in {EMPTY, NONE} else unescape_value(role)
        name, number, _ = numbered(target)

        def resolve(name: str = name, number: int = number, label: str = label) -> None:
            marks.slot(mark, marks.at(name, column.base, number, unit.line), label)

        marks.later(resolve)


def _read_relation(
    marks: Marks, unit: Unit, layer: Layer, index: int, values: list[tuple[Column, str]]
) -> None:
    found = {
        column.name: unescape_value(value)
        for column, value in values
        if column.kind is ColumnKind.VALUE and value not in {EMPTY, NONE}
    }
    reference = next((v for column, v in values if column.kind is ColumnKind.REFERENCE), "")
    if reference in {"", EMPTY, NONE}:
        raise invalid_field(
            f"line {unit.line}", f"relation {index + 1} of {layer.name} comes from nowhere."
        )
    name, source, target = numbered(reference)

    def resolve() -> None:
        marks.links.append(
            Link(
                source=marks.at(name, layer.base, source, unit.line),
                target=marks.at(unit.id, layer.base, target, unit.line),
                label=found.get(layer.label, ""),
                lost=tuple(one for one in found if one != layer.label),
            )
        )

    marks.later(resolve)


def _read_element(
    marks: Marks, unit: Unit, layer: Layer, index: int, values: list[tuple[Column, str]]
) -> None:
    link = next((v for column, v in values if column.kind is ColumnKind.LINK), "")
    parts = chained(link)
    if parts is None:
        raise invalid_field(
            f"line {unit.line}", f"{link[:60]!r} does not say its chain, as in *->1-2."
        )
    value, chain, place = parts
    mark = marks.element(unit, layer, index, chain, place)
    label = "" if value in {EMPTY, NONE} else unescape_value(value)
    marks.chain(layer, chain, place, mark, label)
    for column, cell in values:
        if column.kind is ColumnKind.ELEMENT:
            kind = numbered(cell)[0]
            if kind not in {EMPTY, NONE}:
                mark.values.setdefault(column.name, unescape_value(kind))
