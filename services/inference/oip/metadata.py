"""What a model takes and gives: the same for every project."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

PLATFORM = "spanloop"
"""What runs the models: a trunk with a bank of adapters, by onnxruntime."""

EXTENSIONS = ("model_repository", "model_configuration")
"""Triton's extensions of the protocol that the server has."""


class Datatype(StrEnum):
    """The datatypes in use, as the protocol writes them."""

    BOOL = "BOOL"
    BYTES = "BYTES"
    FP64 = "FP64"
    INT64 = "INT64"


@dataclass(frozen=True, kw_only=True)
class TensorSpec:
    """A tensor of one dimension.

    Attributes:
        name: Its name.
        datatype: Its datatype.
        optional: Whether a request may leave it out.
    """

    name: str
    datatype: Datatype
    optional: bool = False


TEXT = "text"
LABELS = "labels"
CONTROLS = "controls"

INPUTS = (
    TensorSpec(name=TEXT, datatype=Datatype.BYTES),
    TensorSpec(name=LABELS, datatype=Datatype.BYTES, optional=True),
    TensorSpec(name=CONTROLS, datatype=Datatype.BYTES, optional=True),
)

OUTPUTS = tuple(
    TensorSpec(name=name, datatype=datatype)
    for name, datatype in {
        # One element per span.
        "row": Datatype.INT64,
        "start": Datatype.INT64,
        "end": Datatype.INT64,
        "label": Datatype.BYTES,
        "score": Datatype.FP64,
        "model_version": Datatype.BYTES,
        "assertion": Datatype.BYTES,
        "assertion_score": Datatype.FP64,
        # One element per value of a control.
        "choice_row": Datatype.INT64,
        "choice_control": Datatype.BYTES,
        "choice_value": Datatype.BYTES,
        "choice_score": Datatype.FP64,
        "choice_chosen": Datatype.BOOL,
        "choice_model_version": Datatype.BYTES,
    }.items()
)

OUTPUT_NAMES = tuple(spec.name for spec in OUTPUTS)
