"""What this machine has."""

from __future__ import annotations

import asyncio
import json
import math
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from services.common.logs import get_logger
from services.trainer.child_process import child_environment

PROBE_COMMAND = (sys.executable, "-m", "services.trainer.resources.probe")
MEMORY_SHARE = 0.8
"""Of the machine's memory that jobs may take; the services live on the rest."""

_log = get_logger(__name__)
_PROBE_SECONDS = 60.0
_CGROUP = Path("/sys/fs/cgroup")


@dataclass(frozen=True, kw_only=True)
class Accelerators:
    """Names of the graphics processors that work, and onnxruntime's providers, best first."""

    gpus: tuple[str, ...] = ()
    providers: tuple[str, ...] = ("CPUExecutionProvider",)


class Probe(Protocol):
    """Looks for accelerators."""

    async def __call__(self) -> Accelerators:
        """Return what works here; nothing when that cannot be found out."""
        ...


def cores(cgroup: Path = _CGROUP) -> int:
    """Return the processor cores that this process may use, in a container too."""
    found = len(os.sched_getaffinity(0))
    limit, _, period = _first_line(cgroup / "cpu.max").partition(" ")
    if limit.isdigit() and period.isdigit() and int(period):
        found = min(found, math.ceil(int(limit) / int(period)))
    return max(found, 1)


def memory_bytes(cgroup: Path = _CGROUP) -> int:
    """Return the memory that this machine, or container, has."""
    found = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limit = _first_line(cgroup / "memory.max")
    return min(found, int(limit)) if limit.isdigit() else found


class ProbeProcess:
    """Looks for accelerators in a process of its own: the runtimes stay out of the server."""

    def __init__(self, command: Sequence[str] = PROBE_COMMAND) -> None:
        """Ask a command that prints what `services.trainer.resources.probe` prints."""
        self._command = command

    async def __call__(self) -> Accelerators:
        """Return what works here; nothing when that cannot be found out."""
        try:
            process = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                env=child_environment(os.environ),
            )
        except OSError as error:
            _log.warning("probe_failed", error=str(error))
            return Accelerators()
        try:
            async with asyncio.timeout(_PROBE_SECONDS):
                said, errors = await process.communicate()
            found = json.loads(said)
            return Accelerators(gpus=tuple(found["gpus"]), providers=tuple(found["providers"]))
        except TimeoutError:
            _log.warning("probe_failed", error="it took too long")
        except (ValueError, KeyError, TypeError):
            _log.warning("probe_failed", error=errors.decode("utf-8", "replace")[-2000:])
        finally:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()
        return Accelerators()


def _first_line(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return ""
