"""The trainer's smaller parts."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from pathlib import Path

import pytest

from services.common.clock import ManualClock
from services.common.errors import (
    DeadlineExceededError,
    InvalidArgumentError,
    Reason,
    SpanloopError,
    UnavailableError,
)
from services.common.ids import CountingIds
from services.trainer import child_training
from services.trainer.child_process import ChildDiedError, child_environment, count_oom_kills
from services.trainer.domain import FailureReason, JobFailedError, Parameters, Timings
from services.trainer.engines import interface
from services.trainer.engines.contract import CONTRACT_PARAMETERS
from services.trainer.engines.description import EngineInfo
from services.trainer.housekeeping import job_folders, superfluous, tidy_jobs
from services.trainer.identity import worker_identity
from services.trainer.job_files import JobFolder, JobSpec
from services.trainer.job_state import JobState
from services.trainer.retrying import PeerCalls
from services.trainer.validation import check_parameters, example_warnings
from spanloop.trainer.v1.training_job_pb2 import TrainingParameters
from tests.unit.tiny_trunk import write_trunk


def test_the_server_imports_neither_torch_nor_the_runtime() -> None:
    heavy = "'torch', 'transformers', 'onnxruntime', 'onnx'"
    code = (
        "import sys, services.trainer.bootstrap, services.trainer.__main__\n"
        f"print([m for m in ({heavy}) if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "[]"


def test_the_child_leaves_torch_until_it_is_watched() -> None:
    code = "import sys, services.trainer.worker_main; print('torch' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "False"


def test_a_child_dies_with_its_parent(tmp_path: Path) -> None:
    """The end of standard input ends the child, whatever it is doing."""
    code = (
        "import sys, time, services.trainer.worker_main as w\n"
        "w.run = lambda *a: time.sleep(60)\n"
        "w.main()"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "none")], stdin=subprocess.PIPE
    )
    assert child.stdin is not None
    child.stdin.close()
    assert child.wait(timeout=30) == 3


@pytest.mark.parametrize(
    ("raised", "status", "said"),
    [
        ("MemoryError()", 0, b"OUT_OF_MEMORY"),
        ("RuntimeError('[enforce fail] DefaultCPUAllocator: can\\'t allocate memory')", 0, b"OUT"),
        ("RuntimeError('a bug')", 1, b""),
    ],
)
def test_a_child_tells_memory_from_bugs(
    tmp_path: Path, raised: str, status: int, said: bytes
) -> None:
    code = (
        "import services.trainer.worker_main as w\n"
        "def broken(path):\n"
        f"    raise {raised}\n"
        "w.read_spec = broken\n"
        "w.main()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as child:
        # The pipe stays open: an end of input would be the parent's death.
        assert child.wait(timeout=30) == status
        assert child.stdout is not None
        assert said in child.stdout.read()
        assert child.stderr is not None
        assert (b"a bug" in child.stderr.read()) == (status == 1)


def test_a_child_gets_no_setting_of_ours() -> None:
    given = {"SPANLOOP_TOKEN": "t", "SPANLOOP_TRAINER_DATABASE_URL": "u", "PATH": "p"}
    kept = child_environment(given)
    assert kept["PATH"] == "p"
    assert not [name for name in kept if name.startswith("SPANLOOP")]


def test_kills_for_want_of_memory_are_counted(tmp_path: Path) -> None:
    events = tmp_path / "memory.events"
    events.write_text("low 0\noom 4\noom_kill 3\noom_group_kill 0\n")
    assert count_oom_kills([tmp_path / "none", events]) == 3
    assert count_oom_kills([tmp_path / "none"]) == 0
    assert "SIGKILL" in str(ChildDiedError(-9, out_of_memory=False, errors=[]))
    assert ChildDiedError(1, out_of_memory=False, errors=[]).crashed


@pytest.mark.parametrize(
    ("name", "inside", "outside"),
    [
        ("epochs", (1, 1000), (0, 1001)),
        ("patience", (1, 1000), (0, 1001)),
        ("learning_rate", (1e-6, 0.1), (0.0, 0.11, float("nan"), float("inf"))),
        ("weight_decay", (0.0, 1.0), (-1e-9, 1.1)),
        ("dropout", (0.0, 0.9), (0.91, -0.1)),
        ("tap_dropout", (0.0, 0.9), (0.91, -0.1)),
        ("batch_words", (16, 65_536), (15, 65_537)),
        ("width", (4, 512), (3, 513)),
        ("context", (0, 8), (-1, 9)),
        ("seed", (0, 2**31 - 1), (-1, 2**31)),
        ("max_length", (16, 8192), (15, 8193)),
        ("stride", (0, 4096), (-1, 4097)),
        ("validation_split", (0.0, 0.5), (-0.1, 0.51)),
        ("learning_rate_decay", (0.0, 1.0), (-0.1, 1.1)),
        ("batch_words_start", (16, 65_536), (15, 65_537)),
        ("batch_growth", (1.0, 2.0), (0.99, 2.1)),
        ("weight_averaging", (0.0, 0.9999), (-0.1, 1.0)),
    ],
)
def test_bounds(name: str, inside: tuple[float, ...], outside: tuple[float, ...]) -> None:
    for value in inside:
        check_parameters(Parameters(**{name: value}))  # type: ignore[arg-type]
    for value in outside:
        with pytest.raises(InvalidArgumentError, match=name):
            check_parameters(Parameters(**{name: value}))  # type: ignore[arg-type]


def test_all_parameters_of_the_contract_are_checked() -> None:
    checked = {parameter.name for parameter in CONTRACT_PARAMETERS}
    assert checked | {"engine_options"} == {field.name for field in dataclasses.fields(Parameters)}
    names = set(TrainingParameters.DESCRIPTOR.fields_by_name)
    assert checked | {"engine_options"} == names


def test_few_examples_are_remarked() -> None:
    warnings = example_warnings("Label", {"A": 40, "B": 39, "C": 0})
    assert len(warnings) == 2
    assert "Label 'B' has 39" in warnings[0]
    assert example_warnings("Label", {"A": 40}) == ()


def test_folders_of_ended_jobs_go(tmp_path: Path) -> None:
    states = {
        "done": JobState.DONE,
        "live": JobState.TRAINING,
        "waiting": JobState.WAITING,
        "f1": JobState.FAILED,
        "f2": JobState.FAILED,
        "f3": JobState.FAILED,
    }
    folders = [(name, float(index)) for index, name in enumerate([*states, "unknown"])]
    assert superfluous(folders, states, kept_failed=2) == ["done", "unknown", "f1"]
    for index, name in enumerate([*states, "unknown"]):
        (tmp_path / name / "run").mkdir(parents=True)
        os.utime(tmp_path / name, (index, index))
    listed = job_folders(tmp_path)
    (tmp_path / "begun-meanwhile").mkdir()
    tidy_jobs(tmp_path, listed, states, kept_failed=1)
    left = sorted(path.name for path in tmp_path.iterdir())
    assert left == ["begun-meanwhile", "f3", "live", "waiting"]
    assert job_folders(tmp_path / "none") == []
    tidy_jobs(tmp_path / "none", ["gone"], {}, kept_failed=1)


def test_a_data_directory_has_one_lasting_worker(tmp_path: Path) -> None:
    ids = CountingIds()
    with worker_identity(tmp_path, ids) as first:
        assert first.alone
        with worker_identity(tmp_path, ids) as second:
            assert not second.alone
            assert second.holder.worker != first.holder.worker
    with worker_identity(tmp_path, ids) as again:
        assert again.alone
        assert again.holder.worker == first.holder.worker
        assert again.holder.boot != first.holder.boot


def test_timings_add_up() -> None:
    timings = Timings().plus("training", 2.0).plus("training", 1.0).plus("trunk", -5.0)
    assert (timings.training_seconds, timings.trunk_seconds) == (3.0, 0.0)


@pytest.mark.parametrize(
    ("errors", "patience", "outcome"),
    [
        ([UnavailableError(Reason.PEER_UNAVAILABLE, "away")] * 2, 60.0, "answer"),
        ([DeadlineExceededError(Reason.DEADLINE_EXCEEDED, "slow")], 60.0, "answer"),
        ([UnavailableError(Reason.PEER_UNAVAILABLE, "away")] * 99, 0.0, "PEER_FAILED"),
        ([InvalidArgumentError(Reason.FIELD_INVALID, "no")], 60.0, "PEER_FAILED"),
    ],
)
async def test_absent_peers_are_waited_for(
    errors: list[SpanloopError], patience: float, outcome: str
) -> None:
    notes: list[str] = []
    left = list(errors)

    async def call() -> str:
        if left:
            raise left.pop()
        return "answer"

    peer = PeerCalls(
        ManualClock(), retry_seconds=patience, note=lambda level, text: notes.append(text)
    )
    if outcome == "answer":
        assert await peer("Asking", call) == outcome
        assert len(notes) == 1
        return
    with pytest.raises(JobFailedError, match="Asking failed: ") as caught:
        await peer("Asking", call)
    assert caught.value.failure.reason is FailureReason(outcome)
    assert notes == []


def test_the_child_takes_the_bound_and_tells_a_full_disk_from_wrong_parameters(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trunk = tmp_path / "trunk"
    write_trunk(trunk)
    folder = JobFolder(tmp_path / "job")
    folder.create()
    folder.write_examples([])
    asked: list[interface.TrainRequest] = []

    def full(request: interface.TrainRequest, *_: object) -> interface.TrainResult:
        asked.append(request)
        raise interface.NoRoomError("free space on the trainer's disk")

    monkeypatch.setattr(EngineInfo, "load", lambda _: full)
    spec = JobSpec(
        job="j",
        folder=str(folder.path),
        cache_folder=str(tmp_path / "cache"),
        cache_bytes=7,
        trunks_folder="",
        trunk_folder=str(trunk),
        trunk_source="s",
        labels=("X",),
    )
    with pytest.raises(JobFailedError, match="free space") as raised:
        child_training.train(spec, lambda kind, **fields: None, lambda: False)
    assert raised.value.failure.reason is FailureReason.INTERNAL
    assert (asked[0].cache_dir, asked[0].cache_bytes) == (tmp_path / "cache", 7)
