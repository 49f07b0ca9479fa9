"""Training scripts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, kw_only=True)
class ScriptLimits:
    """What a run of a script may use; 0: the default.

    Attributes:
        wall_seconds: Seconds by the clock, at most 86,400. Default: 3,600.
        memory_bytes: Address space of each process. Default: 8 GiB.
        file_bytes: Size of any one file that it writes. Default: 1 GiB.
        folder_bytes: Size of all files in its folder. Default: 4 GiB.
    """

    wall_seconds: int = 0
    memory_bytes: int = 0
    file_bytes: int = 0
    folder_bytes: int = 0


@dataclass(frozen=True, kw_only=True)
class TrainingScript:
    """A program that the engine `script` runs; `content` is empty in lists."""

    name: str
    display_name: str
    content: bytes
    digest: str
    limits: ScriptLimits
    create_time: datetime | None
