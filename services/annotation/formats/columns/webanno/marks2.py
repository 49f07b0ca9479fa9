"""The columns of version 2, which marks spans over several tokens with B- and I-."""

from __future__ import annotations

from services.annotation.formats.columns.webanno.documents import Document, Unit
from services.annotation.formats.columns.webanno.layers import Column, ColumnKind, Layer, LayerKind
from services.annotation.formats.columns.webanno.marks import Link, Mark, Marks
from services.common.errors import InvalidArgumentError, Reason, invalid_field

# What stands where there is nothing; with a prefix it keeps the place of a stacked annotation.
_NOTHING = frozenset(("_", "O", "", "O-_", "B-_", "I-_"))


def read_units(document: Document, marks: Marks, repair: bool) -> list[str]:
    """Read the columns of all units of a document of version 2; return notes of what was repaired.

    Raises:
        InvalidArgumentError: TAGS_INCONSISTENT: an I- continues nothing and is not to be repaired;
            FIELD_INVALID: a relation comes from nowhere.
    """
    notes: list[str] = []
    open_spans: dict[tuple[str, int], tuple[Mark, str]] = {}
    for sentence in document.sentences:
        for unit in sentence.units:
            cells = iter(unit.cells)
            for layer in document.layers:
                own = list(zip(layer.columns, cells, strict=False))
                if layer.kind is LayerKind.RELATION:
                    _relations(marks, unit, layer, own)
                else:
                    notes += _spans(marks, unit, layer, own, open_spans, repair)
    marks.finish()
    return notes


def _spans(
    marks: Marks,
    unit: Unit,
    layer: Layer,
    cells: list[tuple[Column, str]],
    open_spans: dict[tuple[str, int], tuple[Mark, str]],
    repair: bool,
) -> list[str]:
    notes: list[str] = []
    columns = [(column, cell.split("|")) for column, cell in cells]
    for index in range(max((len(values) for _, values in columns), default=0)):
        values = [
            (column.name, values[index])
            for column, values in columns
            if index < len(values) and values[index] not in _NOTHING
        ]
        if not values:
            if not any(_keeps_place(column, index) for _, column in columns):
                open_spans.pop((layer.name, index), None)
            continue
        said = "|".join(f"{name}={value[2:]}" for name, value in values)
        prefix = values[0][1][:2]
        begun = open_spans.get((layer.name, index))
        if prefix == "I-":
            if begun is None or begun[1] != said:
                place = f"line {unit.line}"
                message = f"{values[0][1]} continues no annotation"
                if not repair:
                    raise InvalidArgumentError(
                        Reason.TAGS_INCONSISTENT,
                        f"{place}: {message}: mend the file, or have inconsistent tags repaired.",
                        metadata={"field": place},
                    )
                notes.append(f"{place}: {message}: repaired.")
                begun = None
            mark = marks.continued(unit, layer, index, None if begun is None else begun[0])
        else:
            mark = marks.continued(unit, layer, index, None)
        if prefix in {"B-", "I-"}:
            open_spans[(layer.name, index)] = (mark, said)
        else:
            open_spans.pop((layer.name, index), None)
        for name, value in values:
            plain = value[2:] if prefix in {"B-", "I-"} else value
            # The name of its layer stands where a feature has no value.
            if not plain.startswith(f"{layer.name}_"):
                mark.values.setdefault(name, plain)
    return notes


def _keeps_place(values: list[str], index: int) -> bool:
    return index < len(values) and values[index] == "I-_"


def _relations(marks: Marks, unit: Unit, layer: Layer, cells: list[tuple[Column, str]]) -> None:
    columns = [(column, cell.split("|")) for column, cell in cells]
    sources = next(
        (values for column, values in columns if column.kind is ColumnKind.REFERENCE), []
    )
    for index, source in enumerate(sources):
        if source in _NOTHING:
            continue
        found = {
            column.name: values[index].removeprefix("B-")
            for column, values in columns
            if column.kind is ColumnKind.VALUE
            and index < len(values)
            and values[index] not in _NOTHING
            and not values[index].removeprefix("B-").startswith(f"{layer.name}_")
        }
        _link(marks, unit, layer, source, found)


def _link(marks: Marks, unit: Unit, layer: Layer, source: str, found: dict[str, str]) -> None:
    if not source[:1].isdigit():
        raise invalid_field(f"line {unit.line}", f"{source[:40]!r} is the place of no token.")

    def resolve() -> None:
        marks.links.append(
            Link(
                source=marks.at(source, layer.base, 0, unit.line),
                target=marks.at(unit.id, layer.base, 0, unit.line),
                label=found.get(layer.label, ""),
                lost=tuple(one for one in found if one != layer.label),
            )
        )

    marks.later(resolve)
