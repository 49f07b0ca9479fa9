"""Naming the models of a labelling config anew, and keeping everything else byte for byte."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from xml.sax.saxutils import escape

from services.annotation.labeling.elements import exported, inside, is_labels, is_true
from services.annotation.labeling.models import base_name
from services.annotation.labeling.tree import Node, read_tree

_QUOTES = {'"': "&quot;", "'": "&apos;"}
# Unescaped, XML reads each of these as a blank.
_BLANKS = {"\t": "&#9;", "\n": "&#10;", "\r": "&#13;"}


def assign_models(
    xml: str,
    label_models: Mapping[str, str],
    choices_models: Mapping[str, str],
    is_own: Callable[[str], bool],
    assertion_models: Mapping[str, str] | None = None,
) -> str:
    """Return the config with the models of labels and choices set.

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
    edits: list[tuple[int, int, str]] = []
    for node in read_tree(xml).walk():
        if is_labels(node.tag):
            for label in inside(node, "Label"):
                models = (assertion_models or {}) if is_true(label, "assertion") else label_models
                _edit(label, models.get(exported(label), ""), is_own, edits)
        elif node.tag == "Choices":
            name = node.attributes.get("name", "")
            _edit(node, choices_models.get(name, ""), is_own, edits)
    pieces, behind = [], 0
    for start, end, text in sorted(edits):
        pieces += [xml[behind:start], text]
        behind = end
    pieces.append(xml[behind:])
    return "".join(pieces)


def _edit(
    node: Node,
    model: str,
    is_own: Callable[[str], bool],
    edits: list[tuple[int, int, str]],
) -> None:
    current = node.attributes.get("model", "")
    if not model or base_name(current) == base_name(model):
        return
    if current and not is_own(base_name(current)):
        return
    attribute = node.scanned.attribute("model")
    quote = '"' if attribute is None else attribute.quote
    value = escape(model, {quote: _QUOTES[quote], **_BLANKS})
    if attribute is None:
        end = node.scanned.inner_end
        edits.append((end, end, f' model="{value}"'))
    else:
        edits.append((attribute.value_start, attribute.value_end, value))
