"""Engines and their parameters."""

from __future__ import annotations

from spanloop._convert import basic, training
from spanloop._types import engines as types
from spanloop.trainer.v1 import engine_pb2 as pb


def engine(message: pb.EngineDescription) -> types.EngineDescription:
    """Return what an engine can do."""
    return types.EngineDescription(
        engine=message.engine,
        description=message.description,
        model_types=tuple(basic.model_type_from(kind) for kind in message.model_types),
        parameters=tuple(
            types.ParameterDescription(
                name=parameter.name,
                engine_option=parameter.engine_option,
                type=parameter.type,
                default_value=parameter.default_value,
                minimum=parameter.minimum,
                maximum=parameter.maximum,
                description=parameter.description,
            )
            for parameter in message.parameters
        ),
        default_resources=training.resources(message.default_resources),
        transfer=message.transfer,
    )
