"""The layers that the header of a WebAnno TSV file declares: what its columns hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from services.common.errors import InvalidArgumentError, Reason

NAMED_ENTITY = "de.tudarmstadt.ukp.dkpro.core.api.ner.type.NamedEntity"
# Features that hold what annotators call the label, the likeliest first.
_LABELS = (
    "value",
    "label",
    "posvalue",
    "dependencytype",
    "category",
    "class",
    "type",
    "tag",
    "entity",
    "name",
)


class LayerKind(StrEnum):
    """What a layer holds; the value is its prefix in headers of version 3."""

    SPAN = "#T_SP="
    RELATION = "#T_RL="
    CHAIN = "#T_CH="


class ColumnKind(StrEnum):
    """What a column of a layer holds."""

    VALUE = "VALUE"
    """The value of a feature."""
    PLACEHOLDER = "PLACEHOLDER"
    """That there is an annotation; its layer has no feature."""
    REFERENCE = "REFERENCE"
    """Where a relation comes from."""
    ROLE = "ROLE"
    """The roles of an annotation's slots."""
    TARGET = "TARGET"
    """What fills them."""
    LINK = "LINK"
    """Place in a chain, and what leads from there to the next."""
    ELEMENT = "ELEMENT"
    """The label of an element of a chain."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Column:
    """A column. `name`: of its feature; `base`: the layer that a reference or slot leads to."""

    kind: ColumnKind
    name: str = ""
    base: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Layer:
    """A layer with its columns in the order of the file; `declared`: its header line."""

    kind: LayerKind
    name: str
    columns: tuple[Column, ...]
    declared: str = ""

    @property
    def short(self) -> str:
        """Its name without the package."""
        return self.name.rpartition(".")[2]

    @property
    def label(self) -> str:
        """The feature that is taken as the label: a well-known one, else the first; or none."""
        kinds = (ColumnKind.VALUE, ColumnKind.ELEMENT, ColumnKind.LINK)
        names = [one.name for one in self.columns if one.kind in kinds]
        if self.kind is LayerKind.CHAIN:
            names = [one.name for one in self.columns if one.kind is ColumnKind.ELEMENT]
        lower = [name.lower() for name in names]
        for wanted in _LABELS:
            if wanted in lower:
                return names[lower.index(wanted)]
        return names[0] if names else ""

    @property
    def base(self) -> str:
        """The layer that a relation layer is attached to."""
        return next((one.base for one in self.columns if one.kind is ColumnKind.REFERENCE), "")


def layer_of(line: str) -> Layer | None:
    """Return the layer that a header line of version 3 declares; None for another line."""
    kind = next((one for one in LayerKind if line.startswith(one.value)), None)
    if kind is None:
        return None
    name, *fields = [one for one in line.removeprefix(kind.value).split("|") if one.strip()] or [""]
    if not name:
        raise _bad(line)
    columns: list[Column] = []
    for field in fields:
        columns.append(_column(kind, field, columns[-1] if columns else None))
    if not columns:
        columns.append(Column(kind=ColumnKind.PLACEHOLDER))
    return Layer(kind=kind, name=name, columns=tuple(columns), declared=line)


def _column(kind: LayerKind, field: str, before: Column | None) -> Column:
    if kind is LayerKind.SPAN and field.startswith("ROLE_"):
        # ROLE_<layer>:<feature>_<type of the link>
        name = field.removeprefix("ROLE_").partition(":")[2].partition("_")[0]
        return Column(kind=ColumnKind.ROLE, name=name)
    if kind is LayerKind.SPAN and before is not None and before.kind is ColumnKind.ROLE:
        return Column(kind=ColumnKind.TARGET, name=before.name, base=field)
    if kind is LayerKind.RELATION and field.startswith("BT_"):
        return Column(kind=ColumnKind.REFERENCE, base=field.removeprefix("BT_"))
    if kind is LayerKind.CHAIN and field == "referenceRelation":
        return Column(kind=ColumnKind.LINK, name=field)
    if kind is LayerKind.CHAIN and field == "referenceType":
        return Column(kind=ColumnKind.ELEMENT, name=field)
    return Column(kind=ColumnKind.VALUE, name=field)


def layers_of(line: str) -> list[Layer]:
    """Return the layers that the header line of version 2 declares: `` # layer | feature # …``."""
    found = []
    for part in line.split("#")[1:]:
        name, *fields = [field.strip() for field in part.split("|")]
        if not name:
            raise _bad(line)
        columns = tuple(
            Column(kind=ColumnKind.REFERENCE, base=field.removeprefix("AttachTo="))
            if field.startswith("AttachTo=")
            else Column(kind=ColumnKind.VALUE, name=field)
            for field in fields
        )
        related = any(one.kind is ColumnKind.REFERENCE for one in columns)
        kind = LayerKind.RELATION if related else LayerKind.SPAN
        found.append(Layer(kind=kind, name=name, columns=columns))
    return found


def width(layers: Sequence[Layer]) -> int:
    """Return how many columns layers have."""
    return sum(len(layer.columns) for layer in layers)


def _bad(line: str) -> InvalidArgumentError:
    return InvalidArgumentError(
        Reason.REQUEST_MALFORMED,
        f"The header line {line[:100]!r} names no layer: export the document again.",
    )
