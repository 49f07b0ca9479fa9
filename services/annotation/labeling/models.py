"""What is wrong with the models that a labelling config names."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from services.annotation.labeling.config import Code, KnownModel, ModelType, Problem
from services.annotation.labeling.elements import exported, inside, is_labels, is_true
from services.annotation.labeling.problems import error, shown
from services.annotation.labeling.tree import Node

_SUFFIX = ".model"
_OWN = re.compile(r"(?P<name>.+)_v[1-9][0-9]*(?:_r[1-9][0-9]*)?")
_NOT_PLAIN = re.compile(r"[^\w]+|_+")
_WHAT = {
    ModelType.ASSERTION: "an assertion label",
    ModelType.NER: "a label of text",
    ModelType.CLASSIFICATION: "choices",
}


def base_name(model: str) -> str:
    """Return the name of a model without the file suffix that some tools write."""
    return model.removesuffix(_SUFFIX)


def type_of(model: str, known: KnownModel | None) -> ModelType | None:
    """Return what a model predicts, or None when that is not known.

    A model whose type nobody tells is judged by its name.
    """
    if known is not None and known.type is not None:
        return known.type
    return next((one for one in ModelType if base_name(model).startswith(f"{one}_")), None)


def fits(model: str, wanted: ModelType) -> bool:
    """Whether a model, judged by its name, may predict what is wanted."""
    return type_of(model, None) in {None, wanted}


def is_own(model: str, project: str, controls: Collection[str]) -> bool:
    """Whether a model was trained in a project, judged by its name.

    Such a name is ``<type>_<project>_v<n>``, that of choices
    ``classification_<control>_<project>_v<n>``; ``_r<k>`` stands behind it when it took the place
    of another version.

    Args:
        model: The name.
        project: Id of the project.
        controls: The names of its choices: as ids of projects may hold ``_`` themselves, only they
            tell where a control ends. What else may stand there is a model of another project.
    """
    parts = _OWN.fullmatch(base_name(model))
    if parts is None:
        return False
    name = parts["name"]
    if name in {f"{one}_{project}" for one in ModelType}:
        return True
    begin, end = f"{ModelType.CLASSIFICATION}_", f"_{project}"
    if not (name.startswith(begin) and name.endswith(end)):
        return False
    return _plain(name[len(begin) : -len(end)]) in set(map(_plain, controls))


def _plain(name: str) -> str:
    """Return a name of a control as ids may hold it: in lower case, `_` for all but letters."""
    return _NOT_PLAIN.sub("_", name.lower()).strip("_")


def model_problems(
    nodes: Sequence[Node], known_models: Sequence[KnownModel] | None
) -> Iterator[Problem]:
    """Yield what is wrong with the models of labels and choices.

    Args:
        nodes: All elements of the config.
        known_models: The models that exist; None: whether they do is not looked at.
    """
    known = None if known_models is None else {base_name(one.name): one for one in known_models}
    first: Node | None = None
    for node in nodes:
        if node.tag == "Choices":
            yield from _misfits(node, ModelType.CLASSIFICATION, inside(node, "Choice"), known)
        if not is_labels(node.tag):
            continue
        for label in inside(node, "Label"):
            assertion = is_true(label, "assertion")
            wanted = ModelType.ASSERTION if assertion else ModelType.NER
            yield from _misfits(label, wanted, [label], known)
            model = label.attributes.get("model", "")
            kind = type_of(model, (known or {}).get(base_name(model)))
            if not model or not assertion or kind not in {None, ModelType.ASSERTION}:
                continue
            first = first or label
            if base_name(first.attributes["model"]) != base_name(model):
                message = (
                    f"a project can use one assertion model; line {first.place.line} names "
                    f"{shown(first.attributes['model'])!r}: name the same one."
                )
                yield error(label, Code.SEVERAL_ASSERTION_MODELS, message, "model")


def _misfits(
    node: Node,
    wanted: ModelType,
    values: Iterable[Node],
    known: Mapping[str, KnownModel] | None,
) -> Iterator[Problem]:
    """Yield why the model of a label, or of choices with these values, cannot serve it."""
    model = node.attributes.get("model", "")
    if not model:
        return
    found = (known or {}).get(base_name(model))
    if known is not None and found is None:
        message = f"there is no model {shown(model)!r}: train it, or remove the attribute."
        yield error(node, Code.UNKNOWN_MODEL, message, "model")
    kind = type_of(model, found)
    if kind is not None and kind is not wanted:
        message = (
            f"{shown(model)!r} is a model of the type {kind.value!r}, and this is {_WHAT[wanted]}: "
            f"name a model of the type {wanted.value!r}."
        )
        yield error(node, Code.MODEL_TYPE_MISMATCH, message, "model")
        return
    labels = frozenset(found.labels) if found is not None else frozenset()
    for one in values if labels else ():
        if exported(one) not in labels:
            message = (
                f"the model {shown(model)!r} does not know {shown(exported(one))!r}: train one "
                "that does, or name another."
            )
            attribute = "model" if one is node else "value"
            yield error(one, Code.LABEL_UNKNOWN_TO_MODEL, message, attribute)
