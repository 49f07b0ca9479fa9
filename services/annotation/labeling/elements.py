"""What the elements of a labelling config are to each other."""

from __future__ import annotations

from collections.abc import Iterator

from services.annotation.labeling.tree import Node

CONTROL_TAGS = frozenset(
    {
        *("Choices", "TextArea", "Rectangle", "Ellipse", "Polygon", "KeyPoint", "Brush", "Rating"),
        *("Number", "DateTime", "Pairwise", "Ranker", "Taxonomy", "VideoRectangle", "Magicwand"),
        *("Vector", "Bitmask"),
    }
)
OBJECT_TAGS = frozenset(
    {
        *("Text", "HyperText", "Paragraphs", "Image", "Audio", "AudioPlus", "Video", "Table"),
        *("List", "TimeSeries", "Pdf", "Chat"),
    }
)
# Neither controls nor objects, whatever attributes they have. The `toName` of a `Filter` names the
# labels that it filters.
_OTHERS = frozenset({"Label", "Choice", "Relation", "Relations", "Header", "Filter", "Shortcut"})
_TRUE = frozenset({"true", "1", "yes"})
_FALSE = frozenset({"", "false", "0", "no"})


def is_labels(tag: str) -> bool:
    """Whether a tag is a control that labels spans or regions."""
    return tag.endswith("Labels")


def is_control(node: Node) -> bool:
    """Whether an element is something to annotate with, by its tag or by its attributes."""
    if is_labels(node.tag) or node.tag in CONTROL_TAGS:
        return True
    has_both = "name" in node.attributes and "toName" in node.attributes
    return has_both and node.tag not in _OTHERS


def is_object(node: Node) -> bool:
    """Whether an element is something to annotate: a name, a value, and nothing it points at."""
    attributes = node.attributes
    return (
        "name" in attributes
        and (node.tag in OBJECT_TAGS or "value" in attributes or "valueList" in attributes)
        and node.tag not in _OTHERS
        and not is_control(node)
    )


def takes(control: Node, tag: str) -> bool:
    """Whether a `Label` or `Choice` belongs into a control."""
    if tag == "Label":
        return is_labels(control.tag)
    return control.tag in {"Choices", "Taxonomy"}


def inside(control: Node, tag: str) -> Iterator[Node]:
    """Yield the elements with a tag anywhere in a control: views may lie between.

    What lies in a control within the control belongs to that one only.
    """
    waiting = list(reversed(control.children))
    while waiting:
        node = waiting.pop()
        if takes(node, tag):
            continue
        if node.tag == tag:
            yield node
        waiting.extend(reversed(node.children))


def siblings(control: Node, tag: str) -> Iterator[list[Node]]:
    """Yield the elements with a tag in a control by what they stand in: choices can be nested."""
    owners = [control]
    while owners:
        owner = owners.pop()
        found = []
        waiting = list(reversed(owner.children))
        while waiting:
            node = waiting.pop()
            if takes(node, tag):
                continue
            if node.tag == tag:
                found.append(node)
            else:
                waiting.extend(reversed(node.children))
        if found:
            yield found
        owners.extend(reversed(found))


def exported(node: Node) -> str:
    """Return what annotations carry for a label or choice: its alias if it has one."""
    return node.attributes.get("alias") or node.attributes.get("value", "")


def to_names(node: Node) -> tuple[str, ...]:
    """Return what a control points at, each once."""
    names = (one.strip() for one in node.attributes.get("toName", "").split(","))
    return tuple(dict.fromkeys(one for one in names if one))


def is_true(node: Node, attribute: str) -> bool:
    """Whether a switch is on."""
    return node.attributes.get(attribute, "").strip().lower() in _TRUE


def is_switch(node: Node, attribute: str) -> bool:
    """Whether an attribute is clearly on or off, or absent."""
    return node.attributes.get(attribute, "").strip().lower() in _TRUE | _FALSE


def is_dynamic(node: Node) -> bool:
    """Whether a control gets its values with each task."""
    return node.attributes.get("value", "").startswith("$")


def pairs_of(allowed: str) -> tuple[tuple[tuple[str, str], ...], bool] | None:
    """Read ``A>B`` or ``A<>B``, several with commas; None when it is neither.

    Returns:
        The pairs of labels, and whether all of them go both ways. Where only some do, those are
        there in both directions.
    """
    pairs: dict[tuple[str, str], bool] = {}
    for part in allowed.split(","):
        arrow = "<>" if "<>" in part else ">"
        source, found, target = (one.strip() for one in part.partition(arrow))
        if not found or not source or not target or {"<", ">"} & {*source, *target}:
            return None
        pairs[source, target] = pairs.get((source, target), False) or arrow == "<>"
    if all(pairs.values()):
        return tuple(pairs), True
    both = ((target, source) for (source, target), ways in pairs.items() if ways)
    return tuple(dict.fromkeys([*pairs, *both])), False
