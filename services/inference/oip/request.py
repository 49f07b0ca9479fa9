"""From tensors and parameters to what is asked, or to a refusal that names the fault."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from services.common.errors import InvalidArgumentError, Reason, invalid_field
from services.common.offsets import OffsetEncoding
from services.common.validate import check_range
from services.inference.answers import Wish
from services.inference.domain import MAX_TEXTS
from services.inference.handlers.predict import check_texts
from services.inference.oip.metadata import (
    CONTROLS,
    INPUTS,
    LABELS,
    OUTPUT_NAMES,
    TEXT,
    Datatype,
)
from services.inference.oip.tensors import TornTensorError, unpack_bytes

MAX_NAMES = 10_000
"""Most labels or controls that one request names."""

Parameter: TypeAlias = bool | int | float | str

_INPUT_NAMES = tuple(spec.name for spec in INPUTS)
_PARAMETERS = ("min_score", "top_n", "offset_encoding")
_ENCODINGS = {
    "code_point": OffsetEncoding.CODE_POINT,
    "utf8": OffsetEncoding.UTF8,
    "utf16": OffsetEncoding.UTF16,
}
_MOST = {TEXT: MAX_TEXTS, LABELS: MAX_NAMES, CONTROLS: MAX_NAMES}


@dataclass(frozen=True, kw_only=True)
class InputTensor:
    """A tensor as it was sent.

    Attributes:
        name: Its name.
        datatype: What it says that it is.
        shape: What it says that its shape is.
        raw: All elements in one piece; None: they came one by one.
        elements: Its elements when they came one by one.
        parameters: Names of its settings.
    """

    name: str
    datatype: str
    shape: tuple[int, ...]
    raw: bytes | None = None
    elements: Sequence[bytes] = ()
    parameters: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class InferRequest:
    """A request as it was sent.

    Attributes:
        model: Name of the model.
        version: Its version; empty: the one that answers.
        inputs: The tensors.
        parameters: Settings of the request; None for one without a value.
        outputs: Names of the tensors that are wanted, each with the names of its settings.
    """

    model: str
    version: str = ""
    inputs: Sequence[InputTensor] = ()
    parameters: Mapping[str, Parameter | None] = field(default_factory=dict)
    outputs: Sequence[tuple[str, Sequence[str]]] = ()


@dataclass(frozen=True, kw_only=True)
class Question:
    """What is asked.

    Attributes:
        texts: The texts.
        labels: Labels wanted; none: all.
        controls: Controls wanted; none: all, unless labels are named.
        wish: What is wanted of each text.
        outputs: Names of the tensors to answer, in their order.
    """

    texts: Sequence[str]
    labels: Sequence[str]
    controls: Sequence[str]
    wish: Wish
    outputs: Sequence[str]


def question_of(request: InferRequest) -> Question:
    """Return what a request asks.

    Raises:
        InvalidArgumentError: A tensor or parameter is unknown or unusable; the message names it.
    """
    found: dict[str, list[str]] = {}
    for tensor in request.inputs:
        if tensor.name not in _MOST:
            raise invalid_field(
                "inputs", f"{tensor.name[:100]!r} is unknown; there are: {', '.join(_INPUT_NAMES)}."
            )
        if tensor.name in found:
            raise invalid_field(tensor.name, "is there twice; send it once.")
        found[tensor.name] = _strings(tensor)
    if TEXT not in found:
        raise invalid_field(TEXT, "is required: a tensor of BYTES with shape [n].")
    check_texts(found[TEXT], TEXT)
    return Question(
        texts=found[TEXT],
        labels=list(dict.fromkeys(found.get(LABELS, ()))),
        controls=list(dict.fromkeys(found.get(CONTROLS, ()))),
        wish=_wish(request.parameters),
        outputs=_outputs(request.outputs),
    )


def _strings(tensor: InputTensor) -> list[str]:
    name = tensor.name
    if tensor.parameters:
        raise invalid_field(
            name,
            f"the parameter {tensor.parameters[0][:100]!r} is not taken: send the elements with "
            "the request, not in shared memory.",
        )
    if tensor.datatype != Datatype.BYTES:
        raise invalid_field(
            name, f"has datatype {tensor.datatype[:20]!r}; send BYTES, each element in UTF-8."
        )
    if len(tensor.shape) != 1 or tensor.shape[0] < 0:
        raise invalid_field(name, f"has shape {list(tensor.shape)[:8]}; send one dimension, [n].")
    count, most = tensor.shape[0], _MOST[name]
    if count > most:
        raise invalid_field(
            name,
            f"has {count} elements; at most {most} are taken.",
            reason=Reason.REQUEST_TOO_LARGE,
        )
    elements = tensor.elements
    if tensor.raw is not None:
        try:
            elements = unpack_bytes(tensor.raw, count)
        except TornTensorError as error:
            raise invalid_field(
                name,
                f"its raw content {error}; write each element behind its length in 4 bytes, "
                "little-endian.",
            ) from error
    if len(elements) != count:
        held = f"more than {count}" if len(elements) > count else str(len(elements))
        raise invalid_field(
            name, f"has shape [{count}] and {held} elements; shape and content must agree."
        )
    return [_string(f"{name}[{index}]", element) for index, element in enumerate(elements)]


def _string(place: str, element: bytes) -> str:
    try:
        return element.decode()
    except UnicodeDecodeError as error:
        raise invalid_field(
            place, f"is not UTF-8 at byte {error.start}; encode texts in UTF-8."
        ) from error


def _wish(parameters: Mapping[str, Parameter | None]) -> Wish:
    for name in parameters:
        if name not in _PARAMETERS:
            raise invalid_field(
                "parameters",
                f"{name[:100]!r} is not taken; there are: {', '.join(_PARAMETERS)}. A deadline is "
                "that of the call.",
            )
    min_score = parameters.get("min_score", 0.0)
    if isinstance(min_score, bool) or not isinstance(min_score, int | float):
        raise _parameter("min_score", "must be a number (double_param).")
    top_n = parameters.get("top_n", 0)
    if isinstance(top_n, bool) or not isinstance(top_n, int):
        raise _parameter("top_n", "must be a whole number (int64_param).")
    encoding = parameters.get("offset_encoding", "code_point")
    if encoding not in _ENCODINGS:
        raise _parameter("offset_encoding", f"must be one of: {', '.join(_ENCODINGS)}.")
    return Wish(
        min_score=check_range(float(min_score), _path("min_score"), 0.0, 1.0),
        top_n=check_range(top_n, _path("top_n"), 0),
        encoding=_ENCODINGS[str(encoding)],
    )


def _path(name: str) -> str:
    return f'parameters["{name}"]'


def _parameter(name: str, description: str) -> InvalidArgumentError:
    return invalid_field(_path(name), description)


def _outputs(wanted: Sequence[tuple[str, Sequence[str]]]) -> Sequence[str]:
    names: list[str] = []
    for name, parameters in wanted:
        if name not in OUTPUT_NAMES:
            raise invalid_field(
                "outputs", f"{name[:100]!r} is unknown; there are: {', '.join(OUTPUT_NAMES)}."
            )
        if parameters:
            raise invalid_field(
                f'outputs["{name}"]',
                f"the parameter {parameters[0][:100]!r} is not taken: elements are answered raw.",
            )
        if name in names:
            raise invalid_field(f'outputs["{name}"]', "is wanted twice; ask for it once.")
        names.append(name)
    return names or OUTPUT_NAMES
