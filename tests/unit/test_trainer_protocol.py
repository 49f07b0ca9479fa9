"""What parent and child say to each other, and the files between them."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.trainer.domain import EpochMetrics, Failure, FailureReason, Progress
from services.trainer.job_files import (
    Example,
    JobFilesError,
    JobFolder,
    JobResult,
    JobSpec,
    Parity,
    read_spec,
)
from services.trainer.protocol import (
    EpochMessage,
    EvaluatingMessage,
    FailedMessage,
    LogMessage,
    Message,
    ProgressMessage,
    ProtocolError,
    ResultMessage,
    StoppedMessage,
    TimingMessage,
    WarningMessage,
    message_line,
    parse_message,
)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (message_line("log", level="info", message="ä\n"), LogMessage(level="info", message="ä\n")),
        (message_line("warning", message="w"), WarningMessage(message="w")),
        (
            message_line("progress", phase="x", fraction=1.5, epoch=1, epochs=2),
            ProgressMessage(progress=Progress(phase="x", fraction=1.0, epoch=1, epochs=2)),
        ),
        (
            message_line(
                "epoch",
                epoch=1,
                loss=float("nan"),
                dev_micro_f1=0.5,
                dev_f1={"a.b$": float("inf")},
                seconds=1,
            ),
            EpochMessage(
                metrics=EpochMetrics(
                    epoch=1, loss=0.0, dev_micro_f1=0.5, dev_f1={"a.b$": 0.0}, seconds=1.0
                )
            ),
        ),
        (message_line("evaluating"), EvaluatingMessage()),
        (
            message_line("timing", part="trunk", seconds=2),
            TimingMessage(part="trunk", seconds=2.0),
        ),
        (message_line("result"), ResultMessage()),
        (message_line("stopped"), StoppedMessage()),
        (
            message_line("failed", reason="OUT_OF_MEMORY", message="m"),
            FailedMessage(failure=Failure(reason=FailureReason.OUT_OF_MEMORY, message="m")),
        ),
    ],
)
def test_messages_arrive_as_sent(line: bytes, message: Message) -> None:
    assert line.count(b"\n") == 1
    assert parse_message(line) == message


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"Downloading: 100%",
        b"[]",
        b"\xff\xfe",
        b"{}",
        b'{"type": "party"}',
        b'{"type": "log", "level": 1, "message": "m"}',
        b'{"type": "progress", "phase": "", "fraction": NaN, "epoch": 0, "epochs": 0}',
        b'{"type": "progress", "phase": "", "fraction": 0, "epoch": -1, "epochs": 0}',
        b'{"type": "epoch", "epoch": true, "loss": 0, "dev_micro_f1": 0, "dev_f1": {}}',
        b'{"type": "timing", "part": "lunch", "seconds": 1}',
        b'{"type": "failed", "reason": "MOOD", "message": "m"}',
        b'{"type": "failed", "reason": ["INTERNAL"], "message": "m"}',
        b"[" * 100_000,
    ],
)
def test_anything_else_is_refused(line: bytes) -> None:
    with pytest.raises(ProtocolError):
        parse_message(line)


@given(st.binary(max_size=60))
def test_noise_never_breaks_the_parser(line: bytes) -> None:
    with pytest.raises(ProtocolError):
        parse_message(line)


def test_files_come_back_as_written(tmp_path: Path) -> None:
    folder = JobFolder(tmp_path / "job")
    folder.create()
    examples = [
        Example(text="a\u2028b\n😀", spans=((0, 1, "X"),), split="train"),
        Example(text="", spans=(), split="dev"),
    ]
    folder.write_examples(examples)
    assert list(folder.read_examples()) == examples
    spec = JobSpec(
        job="j",
        folder=str(folder.path),
        cache_folder="c",
        cache_bytes=1,
        trunks_folder="t",
        trunk_source="s",
        labels=("X",),
        parameters={"epochs": 2},
        lineage={"a": 1},
    )
    folder.write_spec(spec)
    assert read_spec(folder.spec_path) == spec
    assert folder.read_result() is None
    parity = Parity(texts=1, max_abs_diff=0.0, span_mismatches=0, passed=True)
    result = JobResult(trunk_folder="t", adapters=(), evaluation=(), parity=parity)
    folder.write_result(result)
    assert folder.read_result() == result
    assert folder.path.stat().st_mode & 0o077 == 0
    assert not list(folder.path.glob(".*"))


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b'{"adapters": []}'])
def test_damaged_files_are_refused(tmp_path: Path, content: bytes) -> None:
    folder = JobFolder(tmp_path)
    folder.result_path.write_bytes(content)
    folder.spec_path.write_bytes(content)
    with pytest.raises(JobFilesError):
        folder.read_result()
    with pytest.raises(JobFilesError):
        read_spec(folder.spec_path)
    with pytest.raises(JobFilesError):
        read_spec(tmp_path / "none")
