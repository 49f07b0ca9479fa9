"""What is wrong with the relations of a labelling config."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from services.annotation.labeling.config import Code, Problem
from services.annotation.labeling.elements import inside, is_dynamic, is_labels, pairs_of
from services.annotation.labeling.problems import error, shown
from services.annotation.labeling.tree import Node


def relation_problems(nodes: Sequence[Node]) -> Iterator[Problem]:
    """Yield what is wrong with `Relation` elements."""
    labels = {
        name
        for node in nodes
        if is_labels(node.tag)
        for one in inside(node, "Label")
        for name in (one.attributes.get("value", ""), one.attributes.get("alias", ""))
        if name
    }
    dynamic = any(is_labels(node.tag) and is_dynamic(node) for node in nodes)
    seen: set[str] = set()
    for node in nodes:
        if node.tag != "Relation":
            continue
        value = node.attributes.get("value", "")
        if not value:
            yield error(node, Code.NO_VALUE, "<Relation> needs a `value`.")
        elif value in seen:
            message = f"the relation {shown(value)!r} is there already: remove one."
            yield error(node, Code.DUPLICATE_VALUE, message, "value")
        seen.add(value)
        allowed = node.attributes.get("allowed", "")
        pairs = pairs_of(allowed)
        if allowed and pairs is None:
            message = (
                f"{shown(allowed)!r}: write A>B, or A<>B for both directions, and commas between "
                "several of them."
            )
            yield error(node, Code.INVALID_RELATION, message, "allowed")
        named = [] if pairs is None or dynamic else [one for pair in pairs[0] for one in pair]
        for label in dict.fromkeys(named):
            if label not in labels:
                message = f"no label of text has the value {shown(label)!r}: add it, or mend this."
                yield error(node, Code.UNKNOWN_RELATION_LABEL, message, "allowed")
