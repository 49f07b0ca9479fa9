"""What a training script is."""

from __future__ import annotations

from dataclasses import dataclass, field

_GIB = 1024**3


@dataclass(frozen=True, kw_only=True)
class ScriptLimits:
    """What a run may use.

    Attributes:
        wall_seconds: Seconds by the clock.
        memory_bytes: Address space of each process.
        file_bytes: Size of any one file that it writes.
        folder_bytes: Size of all files in its folder.
    """

    wall_seconds: int = 3_600
    memory_bytes: int = 8 * _GIB
    file_bytes: int = _GIB
    folder_bytes: int = 4 * _GIB


MAX_WALL_SECONDS = 86_400
MAX_CONTENT_BYTES = 1_000_000


@dataclass(frozen=True, kw_only=True)
class TrainingScript:
    """A program that the engine `script` runs; `create_time` in microseconds."""

    project: str
    id: str
    digest: str
    display_name: str = ""
    limits: ScriptLimits = field(default_factory=ScriptLimits)
    create_time: int = 0

    @property
    def name(self) -> str:
        """``projects/{project}/trainingScripts/{script}``."""
        return script_name(self.project, self.id)


def script_name(project: str, script: str) -> str:
    """Return the resource name of a script."""
    return f"projects/{project}/trainingScripts/{script}"
