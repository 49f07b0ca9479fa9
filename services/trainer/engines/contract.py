"""The parameters that every engine has, in the contract's words. Free of torch."""

from __future__ import annotations

from dataclasses import dataclass

from services.trainer.engines.description import Kind
from services.trainer.engines.params import LIMITS


@dataclass(frozen=True, kw_only=True)
class ContractParameter:
    """A field of the contract's TrainingParameters.

    Attributes:
        name: The field.
        field: The field of `LadderParams` that it sets.
        kind: Its type.
        minimum: Least value.
        maximum: Largest value.
        description: What it does.
        derived: What an engine derives when it is absent and its default is 0; empty: 0 is 0.
    """

    name: str
    field: str
    kind: Kind
    minimum: float
    maximum: float
    description: str
    derived: str = ""


def _parameter(
    name: str,
    description: str,
    *,
    kind: Kind = Kind.NUMBER,
    field: str = "",
    minimum: float | None = None,
    derived: str = "",
) -> ContractParameter:
    low, high = LIMITS[field or name]
    return ContractParameter(
        name=name,
        field=field or name,
        kind=kind,
        minimum=low if minimum is None else minimum,
        maximum=high,
        description=description if not derived else f"{description} Absent: {derived}.",
        derived=derived,
    )


CONTRACT_PARAMETERS = (
    _parameter(
        "epochs",
        "Most passes over the train split.",
        kind=Kind.INTEGER,
        # For an engine 0 means "derive it"; in the contract that is an absent value.
        minimum=1,
        derived="at least 3, more for little data",
    ),
    _parameter(
        "patience",
        "Passes without a better dev F1 after which training stops.",
        kind=Kind.INTEGER,
        minimum=1,
        derived="a fifteenth of the longest run, at least 3",
    ),
    _parameter("learning_rate", "Step size of the optimiser for the adapters."),
    _parameter(
        "learning_rate_decay",
        "Factor by which the step size has fallen, evenly, at the end of the run; 1: constant.",
    ),
    _parameter("weight_decay", "Decoupled weight decay."),
    _parameter("dropout", "Share of an adapter's activations dropped while training."),
    _parameter("tap_dropout", "Share of the trunk's activations dropped while training."),
    _parameter(
        "batch_words",
        "Words per optimiser step. Halved, and the step tried again, when memory runs out.",
        kind=Kind.INTEGER,
    ),
    _parameter(
        "batch_words_start",
        "Words of the first optimiser step; they grow with every step up to batch_words.",
        kind=Kind.INTEGER,
        minimum=LIMITS["batch_words"][0],
        derived="every step has batch_words",
    ),
    _parameter("batch_growth", "Factor by which each step's words grow from batch_words_start."),
    _parameter("width", "Width of an adapter's running state.", kind=Kind.INTEGER),
    _parameter(
        "context", "Neighbours on each side that an adapter's block sees.", kind=Kind.INTEGER
    ),
    _parameter("seed", "Seed of everything random.", kind=Kind.INTEGER),
    _parameter(
        "max_length", "Longest window in trunk tokens, up to the trunk's limit.", kind=Kind.INTEGER
    ),
    _parameter(
        "stride",
        "Tokens that neighbouring windows of a long text share, up to half of max_length.",
        kind=Kind.INTEGER,
    ),
    _parameter(
        "validation_split",
        "Share of the train texts held out when the snapshot has no dev split.",
        field="held_out",
    ),
    _parameter(
        "weight_averaging",
        "Decay of the averaged weights, which are kept then; 0: no averaging.",
        field="ema",
    ),
)
"""All of them but `engine_options`."""

CONTRACT_FIELDS = {parameter.field: parameter.name for parameter in CONTRACT_PARAMETERS}
"""From fields of `LadderParams` to names in the contract."""
