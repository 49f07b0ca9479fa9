"""Every problem of a labelling config, each at its place."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

from services.annotation.labeling.choices import choices_problems, values_problems
from services.annotation.labeling.config import Code, KnownModel, Problem
from services.annotation.labeling.elements import (
    CONTROL_TAGS,
    OBJECT_TAGS,
    inside,
    is_control,
    is_labels,
    is_object,
    is_switch,
    takes,
    to_names,
)
from services.annotation.labeling.models import model_problems
from services.annotation.labeling.problems import error, shown, warning
from services.annotation.labeling.relations import relation_problems
from services.annotation.labeling.tree import Node, XmlError, read_tree
from services.annotation.spans import MAX_LABEL

MAX_PROBLEMS = 10_000
_KNOWN_TAGS = (
    CONTROL_TAGS
    | OBJECT_TAGS
    | {
        *("View", "Header", "Style", "Markdown", "Collapse", "Panel", "Section", "Sections"),
        *("Channel", "Repeater", "Bucket", "Filter", "Shortcut", "ReactCode"),
        *("Label", "Choice", "Relations", "Relation"),
    }
)
# Attributes that name models and what is trained, and the tags on which they mean something.
_OWN_ATTRIBUTES = {"model": {"Label", "Choices"}, "assertion": {"Label"}, "train": {"Choices"}}


def validate(xml: str, known_models: Sequence[KnownModel] | None = None) -> list[Problem]:
    """Return every problem of a config, in order of place.

    Args:
        xml: The config.
        known_models: The models that exist; None: whether they do is not looked at.

    Returns:
        The problems. Of more than MAX_PROBLEMS that many, and one more that says so.
    """
    try:
        root = read_tree(xml)
    except XmlError as refusal:
        return [refusal.problem]
    nodes = list(root.walk())
    every = itertools.chain(
        _tags(nodes),
        _switches(nodes),
        _names(nodes),
        _labels(nodes),
        choices_problems(nodes),
        relation_problems(nodes),
        model_problems(nodes, known_models),
    )
    problems = list(itertools.islice(every, MAX_PROBLEMS))
    if next(every, None) is not None:
        message = f"There are more than {MAX_PROBLEMS} problems: mend these and check again."
        problems.append(error(root, Code.TOO_MANY_PROBLEMS, message))
    return sorted(problems, key=lambda one: (one.place, one.code, one.message))


def _tags(nodes: Sequence[Node]) -> Iterator[Problem]:
    owned = {
        id(child)
        for node in nodes
        for tag in ("Label", "Choice")
        if takes(node, tag)
        for child in inside(node, tag)
    }
    for node in nodes:
        if node.tag not in _KNOWN_TAGS and not is_labels(node.tag):
            message = f"<{shown(node.tag)}> is not known: it is kept, and means nothing here."
            yield warning(node, Code.UNKNOWN_TAG, message)
        if node.tag in {"Label", "Choice"} and id(node) not in owned:
            message = f"<{node.tag}> means nothing here: put it into <{node.tag}s>."
            yield warning(node, Code.MISPLACED_TAG, message)


def _switches(nodes: Sequence[Node]) -> Iterator[Problem]:
    for node in nodes:
        if node.tag not in _KNOWN_TAGS and not is_labels(node.tag):
            continue
        for attribute, tags in _OWN_ATTRIBUTES.items():
            if attribute not in node.attributes:
                continue
            if node.tag not in tags:
                where = " or ".join(f"<{tag}>" for tag in sorted(tags))
                message = f"means nothing on <{node.tag}>: put it on {where}."
                yield warning(node, Code.MISPLACED_ATTRIBUTE, message, attribute)
            elif attribute != "model" and not is_switch(node, attribute):
                value = shown(node.attributes[attribute])
                message = f"{value!r} is neither true nor false, and counts as false."
                yield warning(node, Code.INVALID_VALUE, message, attribute)


def _names(nodes: Sequence[Node]) -> Iterator[Problem]:
    seen: dict[str, int] = {}
    objects = {node.attributes["name"] for node in nodes if is_object(node)}
    named = {node.attributes["name"] for node in nodes if node.attributes.get("name")}
    known = ", ".join(repr(shown(name)) for name in sorted(objects)[:10])
    advice = f"use one of {known}." if objects else 'add e.g. <Text name="text" value="$text"/>.'
    for node in nodes:
        control = is_control(node)
        name = node.attributes.get("name", "")
        if control and not name:
            message = f"<{shown(node.tag)}> needs a `name`: annotations refer to it."
            yield error(node, Code.NO_NAME, message)
        if is_object(node):
            yield from _object(node)
        if name and (control or is_object(node)):
            if name in seen:
                message = f"the name {shown(name)!r} is taken by line {seen[name]}: choose another."
                yield error(node, Code.DUPLICATE_NAME, message, "name")
            seen.setdefault(name, node.place.line)
        targets = to_names(node)
        if control and not targets:
            message = f"<{shown(node.tag)}> needs a `toName`: the name of what it annotates."
            yield error(node, Code.NO_TO_NAME, message)
        # A filter points at the control whose labels it filters.
        there = named if node.tag == "Filter" else objects
        for target in targets:
            if target not in there:
                message = f"there is nothing to annotate with the name {shown(target)!r}: {advice}"
                if node.tag == "Filter":
                    message = f"there is no control with the name {shown(target)!r}."
                yield error(node, Code.UNKNOWN_TO_NAME, message, "toName")


def _object(node: Node) -> Iterator[Problem]:
    if not node.attributes["name"]:
        yield error(node, Code.NO_NAME, f"<{shown(node.tag)}> needs a `name`.", "name")
    if not (node.attributes.get("value") or node.attributes.get("valueList")):
        message = f'<{shown(node.tag)}> needs a `value`: the field of the task, e.g. "$text".'
        yield error(node, Code.NO_VALUE, message)


def _labels(nodes: Sequence[Node]) -> Iterator[Problem]:
    for node in nodes:
        if is_labels(node.tag):
            yield from values_problems(node, "Label", MAX_LABEL)
