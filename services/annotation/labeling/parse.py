"""Reading what a labelling config says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from services.annotation.labeling.config import (
    ChoiceMode,
    ConfigChoice,
    ConfigChoices,
    ConfigControl,
    ConfigLabel,
    ConfigObject,
    ConfigRelation,
    LabelingConfig,
    Problem,
)
from services.annotation.labeling.elements import (
    inside,
    is_control,
    is_dynamic,
    is_labels,
    is_object,
    is_true,
    pairs_of,
    to_names,
)
from services.annotation.labeling.tree import Node, XmlError, read_tree


def parse(xml: str) -> tuple[LabelingConfig | None, list[Problem]]:
    """Return what a config says, or None with the problem that keeps it from being read."""
    try:
        root = read_tree(xml)
    except XmlError as error:
        return None, [error.problem]
    return _config(xml, root), []


def _config(xml: str, root: Node) -> LabelingConfig:
    labels: list[ConfigLabel] = []
    controls: list[ConfigControl] = []
    choices: list[ConfigChoices] = []
    relations: list[ConfigRelation] = []
    objects: list[ConfigObject] = []
    for node in root.walk():
        if is_labels(node.tag):
            labels.extend(_label(one, node) for one in inside(node, "Label"))
        if node.tag == "Choices":
            choices.append(_choices(node))
        elif is_control(node):
            controls.append(_control(node))
        elif node.tag == "Relation":
            relations.append(_relation(node))
        elif is_object(node):
            objects.append(_object(node))
    carried = {label.exported for label in labels}
    aliases = {label.value: label.exported for label in labels if label.value not in carried}
    return LabelingConfig(
        source=xml,
        labels=tuple(labels),
        controls=tuple(controls),
        choices=tuple(choices),
        relations=tuple(_by_alias(relation, aliases) for relation in relations),
        objects=tuple(objects),
    )


def _control(node: Node) -> ConfigControl:
    return ConfigControl(
        tag=node.tag,
        name=node.attributes.get("name", ""),
        to_names=to_names(node),
        dynamic=is_dynamic(node),
        place=node.place,
    )


def _label(node: Node, control: Node) -> ConfigLabel:
    get = node.attributes.get
    return ConfigLabel(
        value=get("value", ""),
        alias=get("alias", ""),
        hotkey=get("hotkey", ""),
        background=get("background", ""),
        model=get("model", ""),
        assertion=is_true(node, "assertion"),
        control=control.attributes.get("name", ""),
        place=node.place,
    )


def _choices(node: Node) -> ConfigChoices:
    get = node.attributes.get
    mode = get("choice", ChoiceMode.SINGLE.value)
    return ConfigChoices(
        name=get("name", ""),
        to_names=to_names(node),
        mode=ChoiceMode(mode) if mode in set(ChoiceMode) else ChoiceMode.SINGLE,
        train=is_true(node, "train"),
        choices=tuple(
            ConfigChoice(
                value=one.attributes.get("value", ""),
                alias=one.attributes.get("alias", ""),
                hotkey=one.attributes.get("hotkey", ""),
            )
            for one in inside(node, "Choice")
        ),
        per_region=is_true(node, "perRegion"),
        required=is_true(node, "required"),
        dynamic=is_dynamic(node),
        model=get("model", ""),
        place=node.place,
    )


def _relation(node: Node) -> ConfigRelation:
    allowed = node.attributes.get("allowed", "")
    pairs, both = (pairs_of(allowed) if allowed else None) or ((), False)
    return ConfigRelation(
        value=node.attributes.get("value", ""), allowed=pairs, both_ways=both, place=node.place
    )


def _by_alias(relation: ConfigRelation, aliases: Mapping[str, str]) -> ConfigRelation:
    """Return a relation between the labels as annotations carry them."""
    pairs = tuple(
        (aliases.get(source, source), aliases.get(target, target))
        for source, target in relation.allowed
    )
    return replace(relation, allowed=pairs)


def _object(node: Node) -> ConfigObject:
    value = node.attributes.get("value") or node.attributes.get("valueList", "")
    return ConfigObject(
        tag=node.tag,
        name=node.attributes["name"],
        field=value.removeprefix("$"),
        place=node.place,
    )
