"""Training scripts as protobuf messages."""

from __future__ import annotations

from dataclasses import fields

from services.common.times import to_timestamp
from services.trainer.scripts.model import ScriptLimits, TrainingScript
from spanloop.trainer.v1 import training_script_pb2 as pb
from spanloop.trainer.v1 import training_script_service_pb2 as service_pb


def script_in(message: pb.TrainingScript) -> TrainingScript:
    """Return a script with the fields that a caller may set, but for its content."""
    given = {
        field.name: value
        for field in fields(ScriptLimits)
        if (value := getattr(message.limits, field.name))
    }
    return TrainingScript(
        project="",
        id="",
        digest="",
        display_name=message.display_name,
        limits=ScriptLimits(**given),
    )


def fingerprint_in(request: service_pb.CreateTrainingScriptRequest) -> bytes:
    """Return the canonical bytes of what a caller asked for."""
    asked = service_pb.CreateTrainingScriptRequest()
    asked.CopyFrom(request)
    asked.ClearField("request_id")
    return bytes(asked.SerializeToString(deterministic=True))


def script_out(script: TrainingScript, content: bytes = b"") -> pb.TrainingScript:
    """Return a script's message."""
    return pb.TrainingScript(
        name=script.name,
        display_name=script.display_name,
        content=content,
        digest=script.digest,
        limits=pb.ScriptLimits(
            wall_seconds=script.limits.wall_seconds,
            memory_bytes=script.limits.memory_bytes,
            file_bytes=script.limits.file_bytes,
            folder_bytes=script.limits.folder_bytes,
        ),
        create_time=to_timestamp(script.create_time),
    )
