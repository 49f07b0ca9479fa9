"""What of a span or relation the columns of WebAnno TSV can say; the rest goes to comments."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from services.annotation.content import Direction, Relation, Span
from services.annotation.formats.columns.webanno.escapes import escape_value
from services.annotation.formats.columns.webanno.layers import (
    NAMED_ENTITY,
    Column,
    ColumnKind,
    Layer,
    LayerKind,
    layer_of,
)
from services.annotation.formats.columns.webanno.marks import EMPTY, NONE
from services.annotation.formats.columns.webanno.reader import KEY, LAYER
from services.common.errors import InvalidArgumentError

_SPANS = f"#T_SP={NAMED_ENTITY}|identifier|value"
_RELATIONS = f"#T_RL=webanno.custom.Relation|label|BT_{NAMED_ENTITY}"


def declared(extra: str) -> list[Layer]:
    """Return the layers of a file: those that a task came with, and ours where they are missing."""
    found: dict[str, Layer] = {}
    for line in _kept(extra):
        try:
            layer = layer_of(line)
        except InvalidArgumentError:
            continue
        if layer is not None and not any(char in line for char in "\r\n\t"):
            found.setdefault(layer.name, layer)
    for line in (_SPANS, _RELATIONS):
        layer = layer_of(line)
        if layer is None:
            raise AssertionError(line)
        known = found.get(layer.name)
        if layer.kind is LayerKind.RELATION:
            related = {one.base for one in found.values() if one.kind is LayerKind.RELATION}
            if NAMED_ENTITY not in related and known is None:
                found[layer.name] = layer
        elif known is None or not _holds_spans(known):
            found[layer.name] = layer
    # Layers of spans come first, as in WebAnno's own files.
    return sorted(found.values(), key=lambda one: list(LayerKind).index(one.kind))


def _kept(extra: str) -> list[str]:
    kept = json.loads(extra).get(KEY, {}) if extra else {}
    lines = kept.get("layers", []) if isinstance(kept, dict) else []
    return [one for one in lines if isinstance(one, str)] if isinstance(lines, list) else []


def _holds_spans(layer: Layer) -> bool:
    kinds = {one.kind for one in layer.columns}
    return layer.kind is LayerKind.SPAN and bool(kinds & {ColumnKind.VALUE, ColumnKind.PLACEHOLDER})


@dataclass(frozen=True, kw_only=True)
class Native:
    """A span in columns: its layer, its values by feature, and what only a comment can hold."""

    layer: Layer
    values: Mapping[str, str]
    beyond: Mapping[str, object]

    def cell(self, column: Column, number: int) -> str:
        """Return what a column of the layer says about the span."""
        if column.kind not in {ColumnKind.VALUE, ColumnKind.PLACEHOLDER}:
            return NONE
        value = self.values.get(column.name, "")
        return f"{escape_value(value) if value else EMPTY}[{number}]"


def native(span: Span, layers: Mapping[str, Layer]) -> Native:
    """Return how a span is written."""
    attributes = dict(span.attributes)
    layer = layers.get(attributes.get(LAYER, NAMED_ENTITY))
    if layer is None or not _holds_spans(layer):
        layer = layers[NAMED_ENTITY]
    features = {one.name for one in layer.columns if one.kind is ColumnKind.VALUE}
    values = {
        name: value
        for name, value in attributes.items()
        if name in features and name not in {LAYER, layer.label} and _is_plain(value)
    }
    beyond: dict[str, object] = {}
    rest = {name: value for name, value in attributes.items() if name not in values}
    if rest != ({} if layer.name == NAMED_ENTITY else {LAYER: layer.name}):
        beyond["attributes"] = rest
    if span.assertion:
        beyond["assertion"] = span.assertion
    if span.label != layer.short:
        if layer.label:
            values[layer.label] = span.label
        else:
            beyond["label"] = span.label
    return Native(layer=layer, values=values, beyond=beyond)


def _is_plain(value: str) -> bool:
    return bool(value) and not any(
        unicodedata.category(char) == "Cc" and char not in "\t\n" for char in value
    )


def relation_layer(
    relation: Relation, ends: Sequence[Layer], layers: Mapping[str, Layer]
) -> Layer | None:
    """Return the layer whose columns can hold a relation between spans of layers, if any can."""
    if relation.direction is not Direction.RIGHT or len(relation.labels) > 1:
        return None
    for layer in layers.values():
        if (
            layer.kind is LayerKind.RELATION
            and all(layer.base == end.name for end in ends)
            and (layer.label or not relation.labels)
        ):
            return layer
    return None
