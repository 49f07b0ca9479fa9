"""Training scripts."""

from __future__ import annotations

from dataclasses import asdict

from spanloop._convert import basic
from spanloop._types import scripts as types
from spanloop.trainer.v1 import training_script_pb2 as pb


def script(message: pb.TrainingScript) -> types.TrainingScript:
    """Return a script."""
    return types.TrainingScript(
        name=message.name,
        display_name=message.display_name,
        content=message.content,
        digest=message.digest,
        limits=types.ScriptLimits(
            wall_seconds=message.limits.wall_seconds,
            memory_bytes=message.limits.memory_bytes,
            file_bytes=message.limits.file_bytes,
            folder_bytes=message.limits.folder_bytes,
        ),
        create_time=basic.time_from(message.create_time, message.HasField("create_time")),
    )


def limits_to(limits: types.ScriptLimits | None) -> pb.ScriptLimits:
    """Return limits as a message; None: the defaults."""
    return pb.ScriptLimits(**asdict(limits)) if limits else pb.ScriptLimits()
