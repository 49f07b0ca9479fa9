"""Runs a training script apart from the trainer: limits, no credentials, nothing left behind."""

from __future__ import annotations

import os
import selectors
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from services.trainer.scripts.model import ScriptLimits
from services.trainer.scripts.supervisor import End, Outcome, Plan

_MAX_LINE = 2_000
_MAX_LINES = 10_000
_LOOK_SECONDS = 0.1
_STOP_SECONDS = 15.0
_CHUNK = 65_536
# What programs need of the system. The trainer's own folders are not among it.
_SYSTEM = (
    *("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/opt", "/etc", "/nix", "/proc"),
    *("/sys/devices/system", "/sys/fs/cgroup", "/run/nvidia-persistenced"),
)
_DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty")
_KEPT = ("CUDA_VISIBLE_DEVICES", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "TZ")


def run_script(
    script: Path,
    folder: Path,
    limits: ScriptLimits,
    *,
    readable: Sequence[Path],
    threads: int,
    on_line: Callable[[str], None],
    should_stop: Callable[[], bool],
) -> Outcome:
    """Run a Python program to its end.

    Call it from the main thread: the program ends with the thread that started it.

    Args:
        script: The program.
        folder: Where it runs, and the only place where it may write.
        limits: What it may use.
        readable: Folders that it may read besides the system's and Python's.
        threads: Threads that numeric libraries should use; 0: as many as there are cores.
        on_line: Told each line that it writes, standard error among them.
        should_stop: Asked several times a second; true ends it at once.

    Returns:
        How it ended. What it started has ended too.
    """
    places = [str(path) for path in (script, folder, *readable)]
    plan = Plan(
        command=(sys.executable, "-s", "-P", "-u", str(script)),
        folder=str(folder),
        environment=script_environment(os.environ, folder, threads),
        readable=(*_SYSTEM, *_python_folders(), *places),
        devices=(*_DEVICES, *_gpu_devices(os.environ)),
        wall_seconds=limits.wall_seconds,
        memory_bytes=limits.memory_bytes,
        file_bytes=limits.file_bytes,
        folder_bytes=limits.folder_bytes,
        parent=os.getpid(),
    )
    report_in, report_out = os.pipe()
    command = (sys.executable, "-m", "services.trainer.scripts.supervisor")
    with subprocess.Popen(  # noqa: S603 - our own program
        [*command, plan.to_json(), str(report_out)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        pass_fds=(report_out,),
        start_new_session=True,
        env={"PYTHONPATH": os.pathsep.join(path or str(Path.cwd()) for path in sys.path)},
    ) as process:
        os.close(report_out)
        try:
            _follow(process, on_line, should_stop)
            process.wait()
            with os.fdopen(report_in, "rb", closefd=False) as report:
                told = report.read()
        finally:
            os.close(report_in)
            if process.poll() is None:
                process.terminate()
    if not told:
        return Outcome(end=End.KILLED, status=-process.returncode)
    return Outcome.of_json(told)


def script_environment(
    environment: Mapping[str, str], folder: Path, threads: int
) -> dict[str, str]:
    """Return all of a script's environment: no setting and no credential of the trainer's."""
    count = str(threads or os.cpu_count() or 1)
    return {
        **{name: environment[name] for name in _KEPT if name in environment},
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), "/usr/bin", "/bin"]),
        "HOME": str(folder),
        "TMPDIR": str(folder / "tmp"),
        "OMP_NUM_THREADS": count,
        "OPENBLAS_NUM_THREADS": count,
        "TOKENIZERS_PARALLELISM": "false",
    }


def _follow(
    process: subprocess.Popen[bytes],
    on_line: Callable[[str], None],
    should_stop: Callable[[], bool],
) -> None:
    """Tell what is written until the end of the stream; ends the process when asked to."""
    stream = process.stdout
    if stream is None:
        raise ValueError("the supervisor's output is no pipe")
    lines = _Lines(on_line)
    with selectors.DefaultSelector() as selector:
        selector.register(stream, selectors.EVENT_READ)
        asked = False
        while True:
            if not asked and should_stop():
                asked = True
                process.terminate()
            if not selector.select(_LOOK_SECONDS):
                continue
            data = os.read(stream.fileno(), _CHUNK)
            if not data:
                break
            lines.feed(data)
    lines.finish()


class _Lines:
    """Cuts a stream into lines, within bounds: logs are kept in a database."""

    def __init__(self, on_line: Callable[[str], None]) -> None:
        self._on_line = on_line
        self._rest = b""
        self._count = 0

    def feed(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._tell(line)
        # An endless line is told in parts.
        while len(self._rest) > _MAX_LINE:
            self._tell(self._rest[:_MAX_LINE])
            self._rest = self._rest[_MAX_LINE:]

    def finish(self) -> None:
        if self._rest:
            self._tell(self._rest)

    def _tell(self, line: bytes) -> None:
        text = line.decode("utf-8", "replace").rstrip().replace("\0", "�")
        self._count += 1
        if self._count == _MAX_LINES:
            self._on_line(f"The script wrote {_MAX_LINES:,} lines: further ones are left out.")
        elif text and self._count < _MAX_LINES:
            self._on_line(text[:_MAX_LINE])


def _python_folders() -> set[str]:
    """Return where Python and its packages lie, but not a checkout with the trainer's data."""
    homes = {sys.prefix, sys.base_prefix, sys.exec_prefix, sys.base_exec_prefix}
    packages = {path for path in sys.path if Path(path).name in ("site-packages", "dist-packages")}
    return homes | packages


def _gpu_devices(environment: Mapping[str, str]) -> list[str]:
    if not environment.get("CUDA_VISIBLE_DEVICES"):
        return []
    return ["/dev/shm", *(str(path) for path in Path("/dev").glob("nvidia*"))]  # noqa: S108
