"""The benchmark of latency: what follows from its milliseconds, and one small run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.latency import main
from benchmarks.serving.latencies import Measured, figures
from tests.support.benchmarks import write_tiny_trunk


def measured(**levels: float) -> Measured:
    """Return runs whose milliseconds grow by a hundredth with each label."""
    return Measured(
        single={
            level: {n: [base * (1 + n / 100)] * 3 for n in (1, 20, 32)}
            for level, base in levels.items()
        },
        single_cpu={
            level: {n: [2 * base * (1 + n / 50)] * 3 for n in (1, 20, 32)}
            for level, base in levels.items()
            if level != "grpc"
        },
        one_of_many=[5.0],
        parallel_cpu={1: [30.0], 20: [462.0] * 3},
        parallel={1: [20.0], 20: [240.0, 240.0, 900.0]},
        batches={"bare": [100.0], "session": [104.0], "grpc": [125.0], "grpc_at_once": [80.0]},
    )


def test_ratios_follow_from_medians() -> None:
    found = figures(measured(grpc=13.0, session=11.0, bare=10.0), pieces=32)
    assert found["p50_ms"]["1"] == {"grpc": 13.13, "session": 11.11, "bare": 10.1}
    assert found["ratio_32_1"] == round(1.32 / 1.01, 3)
    assert found["cpu_ratio_32_1"] == round(1.64 / 1.02, 3)
    assert found["grpc_over_session"] == 1.3
    assert found["grpc_minus_session_ms"] == 3.03
    assert found["ratio_parallel"] == {"1": 1.8, "20": 18.2}
    assert (found["ratio_parallel_20"], found["cpu_ratio_parallel_20"]) == (18.2, 15.0)
    assert found["batch_32"]["tokens_per_s"]["bare"] == 10240
    assert (found["batch_32"]["share"], found["batch_32"]["share_one_at_a_time"]) == (1.25, 0.8)
    assert found["goals_missed"] == ["ratio_32_1_at_most_1.25"]


def test_goals_that_are_missed_are_named() -> None:
    slow = measured(grpc=30.0, session=25.0, bare=10.0)
    slow.batches["grpc_at_once"] = [120.0]
    found = figures(slow, pieces=32)
    assert found["goals_missed"] == [
        "grpc_within_1.3x_and_2ms",
        "ratio_32_1_at_most_1.25",
        "parallel_20_at_least_10x",
        "batch_32_at_least_90_percent",
    ]


def test_without_the_peer_there_are_no_figures_of_it() -> None:
    alone = measured(grpc=1.0, session=1.0, bare=1.0)
    alone.parallel = {}
    assert not {"ratio_parallel_20", "adapters_parallel_ms"} & set(figures(alone, pieces=32))


@pytest.mark.timeout(300)
def test_a_small_run_measures_real_servers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trunk = write_tiny_trunk(tmp_path)
    small = ["--labels", "1", "3", "--pieces", "12", "--rounds", "2", "--batch-rounds", "1"]
    assert main([*small, "--trunk", str(trunk), "--threads", "1", "--without", "adapters"]) == 0
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert set(found["p50_ms"]) == {"1", "3"}
    assert found["batch_32"]["share"] > 0
    assert found["grpc_over_session"] > 0
