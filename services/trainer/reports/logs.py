"""Logs of jobs as files to download."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime

from services.trainer.domain import LogLine, TrainingJob
from services.trainer.job_log import JobLog

CHUNK_BYTES = 64 * 1024
_ODD = re.compile(r"[^\w.-]+", re.ASCII)


async def log_text(log: JobLog, job: TrainingJob) -> AsyncIterator[bytes]:
    """Yield the lines of a job's log that are stored now."""
    part = bytearray()
    async for line in log.read(job.id, 0):
        part += _line(line)
        if len(part) >= CHUNK_BYTES:
            yield bytes(part)
            part.clear()
    if part:
        yield bytes(part)


async def log_archive(log: JobLog, jobs: Sequence[TrainingJob]) -> AsyncIterator[bytes]:
    """Yield a ZIP archive with one file per job; never more of it than a chunk is in memory."""
    sink = _Sink()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        for job in jobs:
            entry = zipfile.ZipInfo(_file_name(job), _time(job.create_time).timetuple()[:6])
            entry.compress_type = zipfile.ZIP_DEFLATED
            with archive.open(entry, "w") as member:
                async for part in log_text(log, job):
                    member.write(part)
                    if len(sink.data) >= CHUNK_BYTES:
                        yield sink.take()
    yield sink.take()


class _Sink(io.RawIOBase):
    """Where the archive goes: written from front to back, and taken away as it grows."""

    def __init__(self) -> None:
        super().__init__()
        self.data = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        part = memoryview(data)  # type: ignore[arg-type]  # whatever has a buffer
        self.data += part
        return part.nbytes

    def take(self) -> bytes:
        taken = bytes(self.data)
        self.data.clear()
        return taken


def _file_name(job: TrainingJob) -> str:
    parts = [job.model_type.value, _ODD.sub("-", job.control), job.id]
    return "_".join(part for part in parts if part) + ".log"


def _line(line: LogLine) -> bytes:
    time = _time(line.time).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return f"{time} {line.level:7} {line.message}\n".encode("utf-8", "replace")


def _time(microseconds: int) -> datetime:
    return datetime.fromtimestamp(microseconds / 1e6, UTC)
