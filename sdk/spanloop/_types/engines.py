"""Engines and what they take."""

from __future__ import annotations

from dataclasses import dataclass

from spanloop._types.text import ModelType
from spanloop._types.training import TrainingResources


@dataclass(frozen=True, kw_only=True)
class ParameterDescription:
    """A parameter that a training job can have.

    Attributes:
        name: Field of `TrainingParameters`, or key of its `engine_options`.
        engine_option: Whether it is an engine option.
        type: `integer`, `number`, `string` or `boolean`.
        default_value: What is used when it is absent; empty: derived from the data.
        minimum: Least value; meaningless for strings.
        maximum: Largest value; meaningless for strings.
        description: What it does.
    """

    name: str
    engine_option: bool
    type: str
    default_value: str
    minimum: float
    maximum: float
    description: str


@dataclass(frozen=True, kw_only=True)
class EngineDescription:
    """What an engine can do, with its parameters' defaults for the model type asked for."""

    engine: str
    description: str
    model_types: tuple[ModelType, ...]
    parameters: tuple[ParameterDescription, ...]
    default_resources: TrainingResources
    transfer: bool
