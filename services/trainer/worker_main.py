"""The child process of one attempt: ``python -m services.trainer.worker_main <spec file>``.

It computes from files to files and speaks `services.trainer.protocol` on its standard streams. It
holds no token and opens no connection to any service.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import traceback
from pathlib import Path
from typing import BinaryIO

from services.trainer.domain import FailureReason, JobFailedError
from services.trainer.engines.memory import is_out_of_memory
from services.trainer.job_files import JobFilesError, read_spec
from services.trainer.protocol import STOP, message_line

_PARENT_GONE = 3


class Reporter:
    """Writes messages to the parent; safe to use from several threads."""

    def __init__(self, stream: BinaryIO) -> None:
        """Write to an unbuffered stream."""
        self._stream = stream
        self._lock = threading.Lock()

    def send(self, kind: str, **fields: object) -> None:
        """Write one message; a parent that is gone ends the process."""
        line = message_line(kind, **fields)
        with self._lock:
            try:
                self._stream.write(line)
                self._stream.flush()
            except OSError:
                os._exit(_PARENT_GONE)


def _take_over_stdout() -> BinaryIO:
    """Return the protocol's stream; what libraries print goes to standard error from now on."""
    stream = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)
    return stream


def _watch_parent(stop: threading.Event) -> None:
    """Set `stop` when asked to, and die with the parent: an orphan would compute for nobody."""
    # Unbuffered: a thread inside a buffered read would abort the interpreter at its end.
    rest = b""
    while data := os.read(0, 1024):
        *lines, rest = (rest + data).split(b"\n")
        if STOP.rstrip(b"\n") in lines:
            stop.set()
    os._exit(_PARENT_GONE)


def run(spec_path: Path, reporter: Reporter, stop: threading.Event) -> None:
    """Do what the spec says and report how it ended; returns after the final message."""
    try:
        spec = read_spec(spec_path)
        # torch is loaded here, after the parent is being watched: it takes seconds.
        from services.trainer.child_training import train

        finished = train(spec, reporter.send, stop.is_set)
    except JobFailedError as error:
        failure = error.failure
        reporter.send("failed", reason=failure.reason.value, message=failure.message)
    except JobFilesError as error:
        reporter.send("failed", reason=FailureReason.INTERNAL.value, message=str(error))
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        reporter.send(
            "failed",
            reason=FailureReason.OUT_OF_MEMORY.value,
            message="Memory did not suffice: lower batch_words or max_length, or add memory.",
        )
    else:
        reporter.send("result" if finished else "stopped")


def main() -> None:
    """Run one attempt; the exit status is 0 when a final message was sent."""
    # The parent stops children in its own time; a Ctrl-C at the terminal is meant for the parent.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    reporter = Reporter(_take_over_stdout())
    stop = threading.Event()
    threading.Thread(target=_watch_parent, args=(stop,), name="parent", daemon=True).start()
    status = 0
    try:
        run(Path(sys.argv[1]), reporter, stop)
    except Exception:  # noqa: BLE001  # the parent puts the traceback into the job's log
        traceback.print_exc()
        status = 1
    # Threads of the libraries may linger; everything that matters is on disk.
    sys.stderr.flush()
    os._exit(status)


if __name__ == "__main__":
    main()
