"""Scripts run within limits, without credentials, and leave nothing behind."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from services.trainer.scripts import landlock, supervisor
from services.trainer.scripts.model import ScriptLimits
from services.trainer.scripts.sandbox import run_script, script_environment
from services.trainer.scripts.supervisor import End, Outcome, folder_bytes

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="limits are those of Linux")

MIB = 1024**2
LIMITS = ScriptLimits(
    wall_seconds=60, memory_bytes=1024 * MIB, file_bytes=4 * MIB, folder_bytes=16 * MIB
)


def never() -> bool:
    return False


class Ran:
    """What became of a script."""

    def __init__(self, outcome: Outcome, lines: list[str], folder: Path) -> None:
        self.outcome = outcome
        self.lines = lines
        self.folder = folder

    @property
    def text(self) -> str:
        return "\n".join(self.lines)


@pytest.fixture
def ran(tmp_path: Path) -> Callable[..., Ran]:
    def run(
        code: str,
        limits: ScriptLimits = LIMITS,
        should_stop: Callable[[], bool] = never,
        readable: tuple[Path, ...] = (),
    ) -> Ran:
        folder = tmp_path / "work"
        (folder / "tmp").mkdir(parents=True)
        script = tmp_path / "script.py"
        script.write_text(textwrap.dedent(code))
        lines: list[str] = []
        outcome = run_script(
            script,
            folder,
            limits,
            readable=readable,
            threads=1,
            on_line=lines.append,
            should_stop=should_stop,
        )
        return Ran(outcome, lines, folder)

    return run


def gone(pid: int) -> bool:
    """Wait until a process is gone."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return True
        if state == "Z":
            return True
        time.sleep(0.02)
    return False


def test_a_script_writes_in_its_folder_and_its_output_is_told(ran: Callable[..., Ran]) -> None:
    done = ran(
        """
        import os, pathlib, sys
        print("begins in", os.getcwd())
        pathlib.Path("made").write_text("x")
        sys.stderr.write("aside\\n")
        sys.stdout.write("no end")
        """
    )
    assert done.outcome == Outcome(end=End.EXITED)
    assert done.lines == [f"begins in {done.folder}", "aside", "no end"]
    made = done.folder / "made"
    assert made.read_text() == "x"
    # Nobody else may read what a script writes.
    assert made.stat().st_mode & 0o077 == 0


def test_an_exit_status_is_told(ran: Callable[..., Ran]) -> None:
    done = ran("raise SystemExit(7)")
    assert done.outcome == Outcome(end=End.EXITED, status=7)


def test_a_signal_is_told(ran: Callable[..., Ran]) -> None:
    done = ran("import os; os.kill(os.getpid(), 11)")
    assert done.outcome == Outcome(end=End.KILLED, status=signal.SIGSEGV)


def test_memory_is_limited(ran: Callable[..., Ran]) -> None:
    done = ran("x = bytearray(2 * 1024**3)")
    assert done.outcome == Outcome(end=End.EXITED, status=1)
    assert "MemoryError" in done.text


def test_the_size_of_a_file_is_limited(ran: Callable[..., Ran]) -> None:
    done = ran(
        """
        with open("big", "wb") as file:
            for _ in range(100):
                file.write(bytes(1024**2))
        """
    )
    assert done.outcome == Outcome(end=End.EXITED, status=1)
    assert "File too large" in done.text
    assert (done.folder / "big").stat().st_size <= LIMITS.file_bytes


def test_the_size_of_the_folder_is_limited(ran: Callable[..., Ran]) -> None:
    done = ran(
        """
        import time
        for number in range(20):
            open(f"part{number}", "wb").write(bytes(2 * 1024**2))
        time.sleep(600)
        """
    )
    assert done.outcome == Outcome(end=End.FOLDER)


def test_a_folder_that_is_too_large_at_the_end_is_seen(ran: Callable[..., Ran]) -> None:
    done = ran(
        """
        for number in range(20):
            open(f"part{number}", "wb").write(bytes(2 * 1024**2))
        """
    )
    assert done.outcome == Outcome(end=End.FOLDER)


def test_time_is_limited(ran: Callable[..., Ran]) -> None:
    done = ran("while True: pass", replace(LIMITS, wall_seconds=1))
    assert done.outcome == Outcome(end=End.TIME)


def test_a_script_that_sleeps_for_ever_is_stopped_at_once(ran: Callable[..., Ran]) -> None:
    asked = [0]

    def should_stop() -> bool:
        asked[0] += 1
        return asked[0] > 3

    done = ran(
        """
        import signal, time
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        time.sleep(600)
        """,
        should_stop=should_stop,
    )
    assert done.outcome == Outcome(end=End.STOPPED)


SURVIVOR = """
    import os, sys, time
    def away():
        if os.fork():
            os._exit(0)
        os.setsid()
        if os.fork():
            os._exit(0)
        os.closerange(0, 3)
        open("pid", "w").write(str(os.getpid()))
        time.sleep(600)
    if not os.fork():
        away()
    os.wait()
    while not os.path.exists("pid") or not open("pid").read():
        time.sleep(0.01)
    print("the daemon runs")
"""


@pytest.mark.parametrize("end", ["", "\n    time.sleep(600)"])
def test_what_breaks_away_is_ended_too(ran: Callable[..., Ran], end: str) -> None:
    done = ran(SURVIVOR + end, replace(LIMITS, wall_seconds=5 if end else 60))
    assert done.outcome.end is (End.TIME if end else End.EXITED)
    assert done.lines == ["the daemon runs"]
    assert gone(int((done.folder / "pid").read_text()))


def test_a_fork_bomb_ends(ran: Callable[..., Ran]) -> None:
    done = ran(
        """
        import os, time
        for _ in range(6):
            os.fork()
        time.sleep(600)
        """,
        replace(LIMITS, wall_seconds=1),
    )
    assert done.outcome == Outcome(end=End.TIME)
    assert done.text == ""


def test_the_script_dies_with_the_process_that_started_it(tmp_path: Path) -> None:
    (tmp_path / "work" / "tmp").mkdir(parents=True)
    (tmp_path / "script.py").write_text(
        "import os, time\nopen('pid', 'w').write(str(os.getpid()))\ntime.sleep(600)\n"
    )
    code = f"""
from pathlib import Path
from services.trainer.scripts.model import ScriptLimits
from services.trainer.scripts.sandbox import run_script
home = Path({str(tmp_path)!r})
run_script(home / "script.py", home / "work", ScriptLimits(), readable=(), threads=1,
           on_line=print, should_stop=lambda: False)
"""
    parent = subprocess.Popen([sys.executable, "-c", code])
    written = tmp_path / "work" / "pid"
    deadline = time.monotonic() + 60
    while not (written.exists() and written.read_text()):
        assert time.monotonic() < deadline
        assert parent.poll() is None
        time.sleep(0.02)
    parent.kill()
    parent.wait()
    assert gone(int(written.read_text()))


def test_no_setting_and_no_credential_is_in_the_environment(
    ran: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("SPANLOOP_TOKEN", "AWS_SECRET_ACCESS_KEY", "MONGODB_URI", "PYTHONPATH", "HOME"):
        monkeypatch.setenv(name, "the-secret")
    done = ran("import os; print(dict(os.environ))")
    assert "the-secret" not in done.text
    assert "SPANLOOP" not in done.text
    kept = script_environment({"LANG": "C.UTF-8", "SPANLOOP_TOKEN": "t"}, Path("/w"), 2)
    assert kept["HOME"] == "/w"
    assert kept["OMP_NUM_THREADS"] == "2"
    assert set(kept) == {
        *("LANG", "PATH", "HOME", "TMPDIR", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"),
        "TOKENIZERS_PARALLELISM",
    }


@pytest.mark.skipif(not landlock.version(), reason="the kernel has no Landlock")
def test_other_files_cannot_be_read_and_none_written_outside(
    ran: Callable[..., Ran], tmp_path: Path
) -> None:
    (tmp_path / "token").write_text("the-secret")
    given = tmp_path / "given"
    given.mkdir()
    (given / "part").write_text("for the script")
    done = ran(
        f"""
        import numpy, os
        print(open({str(given / "part")!r}).read())
        def fails(path, mode):
            try:
                print("opened", path, open(path, mode).read(5))
            except PermissionError:
                print("refused")
        fails({str(tmp_path / "token")!r}, "rb")
        fails(f"/proc/{{os.getppid()}}/environ", "rb")
        fails({str(given / "part")!r}, "wb")
        fails({str(tmp_path / "new")!r}, "wb")
        """,
        replace(LIMITS, memory_bytes=4096 * MIB),
        readable=(given,),
    )
    assert done.lines == ["for the script", *["refused"] * 4]
    assert (given / "part").read_text() == "for the script"


@pytest.mark.skipif(landlock.version() < 6, reason="the kernel does not confine signals")
def test_other_processes_cannot_be_killed(ran: Callable[..., Ran]) -> None:
    with subprocess.Popen(["/bin/sleep", "600"]) as other:
        done = ran(
            f"""
            import os
            try:
                os.kill({other.pid}, 9)
            except PermissionError:
                print("refused")
            """
        )
        assert done.lines == ["refused"]
        assert other.poll() is None
        other.kill()


def test_output_is_bounded(ran: Callable[..., Ran]) -> None:
    done = ran("print('x' * 10_000_000); [print(i) for i in range(30_000)]")
    assert done.outcome.end is End.EXITED
    assert len(done.lines) == 10_000
    assert max(map(len, done.lines)) <= 2_000
    assert "left out" in done.lines[-1]


def test_bytes_that_are_no_text_are_told_as_signs(ran: Callable[..., Ran]) -> None:
    done = ran("import os; os.write(1, b'a\\xff\\x00b\\n')")
    assert done.lines == ["a��b"]


def test_what_cannot_be_started_is_told(tmp_path: Path) -> None:
    outcome = run_script(
        tmp_path / "script.py",
        tmp_path / "gone",
        LIMITS,
        readable=(),
        threads=1,
        on_line=print,
        should_stop=never,
    )
    assert outcome.end is End.NOT_STARTED
    assert "FileNotFoundError" in outcome.message


def test_a_folder_counts_with_all_below_it_but_not_what_links_point_at(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "c").write_bytes(bytes(10_000))
    (tmp_path / "d").write_bytes(bytes(10))
    (tmp_path / "usr").symlink_to("/usr")
    # Two folders, a small file and a link are a block each.
    assert folder_bytes(tmp_path, 10**9) == 10_000 + 4 * 512


def test_files_cannot_be_hidden_deeper_than_a_path_can_name(ran: Callable[..., Ran]) -> None:
    done = ran(
        """
        import os, time
        for _ in range(3000):
            os.mkdir("d")
            os.chdir("d")
        time.sleep(600)
        """
    )
    # Deeper than Python removes.
    subprocess.run(["/bin/rm", "-rf", done.folder], check=True)
    assert done.outcome == Outcome(end=End.FOLDER)


def test_a_number_that_another_process_got_is_spared(monkeypatch: pytest.MonkeyPatch) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as stranger:
        # It was below when the numbers were listed, and is not when the handles are there.
        monkeypatch.setattr(supervisor, "_descendants", lambda: iter(()))
        supervisor._kill([stranger.pid])
        assert stranger.poll() is None
        stranger.communicate(b"\n")
    assert stranger.returncode == 0
