"""What is wrong with the values of a control, and with `Choices`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from services.annotation.labeling.config import ChoiceMode, Code, Problem
from services.annotation.labeling.elements import (
    exported,
    inside,
    is_dynamic,
    is_true,
    siblings,
)
from services.annotation.labeling.problems import error, shown
from services.annotation.labeling.tree import Node
from services.common.errors import InvalidArgumentError
from services.common.validate import check_line

_MAX_CHOICE = 1_000


def choices_problems(nodes: Sequence[Node]) -> Iterator[Problem]:
    """Yield what is wrong with `Choices`: their values, their mode, and which is trained."""
    trained: Node | None = None
    modes = ", ".join(one.value for one in ChoiceMode)
    for node in nodes:
        if node.tag != "Choices":
            continue
        yield from values_problems(node, "Choice", _MAX_CHOICE)
        mode = node.attributes.get("choice", ChoiceMode.SINGLE.value)
        if mode not in set(ChoiceMode):
            message = f"{shown(mode)!r} is none of {modes}: use one of these."
            yield error(node, Code.UNKNOWN_CHOICE_MODE, message, "choice")
        if is_true(node, "train"):
            if trained is not None:
                message = f'line {trained.place.line} has train="true" already: only one can.'
                yield error(node, Code.SEVERAL_TRAINED, message, "train")
            trained = trained or node


def values_problems(control: Node, tag: str, longest: int) -> Iterator[Problem]:
    """Yield what is wrong with the values of labels or choices in a control.

    Args:
        control: The control.
        tag: `Label` or `Choice`.
        longest: How many characters a value may have.
    """
    if not is_dynamic(control) and next(inside(control, tag), None) is None:
        message = f'<{shown(control.tag)}> needs at least one <{tag}>, or value="$field".'
        yield error(control, Code.EMPTY_CONTROL, message)
    for group in siblings(control, tag):
        first: dict[str, Node] = {}
        for child in group:
            value = exported(child)
            attribute = "alias" if child.attributes.get("alias") else "value"
            if not child.attributes.get("value"):
                yield error(child, Code.NO_VALUE, f"<{tag}> needs a `value`.")
                continue
            try:
                check_line(value, attribute, 1, longest)
            except InvalidArgumentError as refusal:
                message = f"{shown(value)!r} {refusal.violations[0].description}"
                yield error(child, Code.INVALID_VALUE, message, attribute)
            if value in first:
                place = first[value].place
                message = (
                    f"{shown(value)!r} is there already, in line {place.line}, column "
                    f"{place.column}: remove one, or give it another alias."
                )
                yield error(child, Code.DUPLICATE_VALUE, message, attribute)
            first.setdefault(value, child)
