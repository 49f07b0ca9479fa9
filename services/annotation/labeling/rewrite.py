"""Naming the models of a labelling config anew, and keeping everything else byte for byte."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple
from xml.sax.saxutils import escape

from services.annotation.labeling.config import ModelType
from services.annotation.labeling.elements import exported, inside, is_labels, is_true
from services.annotation.labeling.models import base_name, fits
from services.annotation.labeling.tree import MAX_ATTRIBUTES, Node, read_tree

_QUOTES = {'"': "&quot;", "'": "&apos;"}
# Unescaped, XML reads each of these as a blank.
_BLANKS = {"\t": "&#9;", "\n": "&#10;", "\r": "&#13;"}


class _Edit(NamedTuple):
    """What stands from `start` to `end` of the text gives way to `text`, which names `model`."""

    start: int
    end: int
    text: str
    model: str


def assign_models(
    xml: str,
    label_models: Mapping[str, str],
    choices_models: Mapping[str, str],
    is_own: Callable[[str], bool],
    assertion_models: Mapping[str, str] | None = None,
) -> str:
    """Return the config with the models of labels and choices set.

    A model is written where it fits by its type and nowhere else: one of spans on no assertion
    status, for instance, and no assertion model where the config would then name two of them.

    Args:
        xml: A config that can be read.
        label_models: By label, as annotations carry it: the model that serves it.
        choices_models: By name of the choices: the model that serves them.
        is_own: Whether a model is the project's own. Labels and choices that name another model
            are tied to it and left as they are.
        assertion_models: By assertion status: the model that serves it.

    Raises:
        XmlError: The config cannot be read.
    """
    edits: list[_Edit] = []
    statuses: list[tuple[Node, str]] = []
    for node in read_tree(xml).walk():
        if is_labels(node.tag):
            for label in inside(node, "Label"):
                if is_true(label, "assertion"):
                    statuses.append((label, (assertion_models or {}).get(exported(label), "")))
                else:
                    model = label_models.get(exported(label), "")
                    edits += _edits(label, model, ModelType.NER, is_own)
        elif node.tag == "Choices":
            model = choices_models.get(node.attributes.get("name", ""), "")
            edits += _edits(node, model, ModelType.CLASSIFICATION, is_own)
    edits += _of_statuses(statuses, is_own)
    pieces, behind = [], 0
    for start, end, text, _ in sorted(edits):
        pieces += [xml[behind:start], text]
        behind = end
    pieces.append(xml[behind:])
    return "".join(pieces)


def _of_statuses(
    statuses: Sequence[tuple[Node, str]], is_own: Callable[[str], bool]
) -> list[_Edit]:
    """Return the edits of the assertion statuses: none where they would name several models."""
    edits: list[_Edit] = []
    named: set[str] = set()
    for label, model in statuses:
        found = _edits(label, model, ModelType.ASSERTION, is_own)
        edits += found
        after = base_name(found[0].model if found else label.attributes.get("model", ""))
        if after:
            named.add(after)
    return edits if len(named) < 2 else []


def _edits(node: Node, model: str, wanted: ModelType, is_own: Callable[[str], bool]) -> list[_Edit]:
    """Return the edit that names a model on a label or choices, if there is one to make."""
    current = node.attributes.get("model", "")
    if not model or base_name(current) == base_name(model) or not fits(model, wanted):
        return []
    if current and not is_own(base_name(current)):
        return []
    attribute = node.scanned.attribute("model")
    if attribute is None and len(node.attributes) >= MAX_ATTRIBUTES:
        return []
    quote = '"' if attribute is None else attribute.quote
    value = escape(model, {quote: _QUOTES[quote], **_BLANKS})
    if attribute is None:
        end = node.scanned.inner_end
        return [_Edit(end, end, f' model="{value}"', model)]
    return [_Edit(attribute.value_start, attribute.value_end, value, model)]
