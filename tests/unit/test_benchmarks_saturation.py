"""The benchmark of saturation: what follows from its steps, and one small run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.saturation import Step, figures, main
from tests.support.benchmarks import write_tiny_trunk


def step(factor: float, answered: int, *, shed: int = 0, queue: float = 10, ms: float = 5) -> Step:
    return Step(
        factor=factor,
        rate=100 * factor,
        seconds=1,
        answered=[ms] * answered,
        shed=[40.0] * shed,
        queue_tokens=queue,
        lasted=1.0,
        cpu_seconds=answered / (100 if shed else 125),
    )


def test_throughput_is_flat_where_more_is_offered_than_was_ever_answered() -> None:
    steps = [step(0.5, 50), step(1.2, 120), step(2, 117, shed=80, queue=90), step(4, 114, shed=9)]
    found = figures([*steps, step(0.5, 50, ms=6)], texts=4, bound=100)
    assert found["capacity_texts_per_s"] == 400
    assert (found["flat_ratio"], found["cpu_flat_ratio"]) == (0.95, 0.8)
    assert (found["shed"], found["shed_p99_ms"], found["queue_tokens_max"]) == (89, 40.0, 90)
    assert found["recovered_p99_ratio"] == 1.2
    assert found["steps"][1]["goodput_texts_per_s"] == 480
    assert found["goals_missed"] == []


def test_what_goes_wrong_past_saturation_is_named() -> None:
    steps = [step(0.5, 50), step(2, 100, queue=101), step(4, 60)]
    steps[2].failures.append("DEADLINE_EXCEEDED: late")
    steps[1].shed, steps[1].without_retry = [70.0], 1
    found = figures([*steps, step(0.5, 0)], texts=1, bound=100)
    assert found["flat_ratio"] == 0.6
    assert found["recovered_p99_ratio"] is None
    assert found["goals_missed"] == [
        "flat_past_saturation",
        "queue_within_bound",
        "shed_within_50_ms",
        "shed_says_when_to_come_back",
        "nothing_failed_otherwise",
    ]


def test_a_run_that_never_saturated_meets_no_goal_of_it() -> None:
    found = figures([step(0.5, 50), step(0.9, 90), step(0.5, 50)], texts=1, bound=100)
    assert found["flat_ratio"] is None
    assert {"flat_past_saturation", "something_was_shed"} <= set(found["goals_missed"])


@pytest.mark.timeout(300)
def test_a_small_run_loads_a_real_server(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trunk = write_tiny_trunk(tmp_path)
    small = ["--factors", "0.5", "6", "--seconds", "1", "--capacity-seconds", "0.5"]
    small += ["--pause", "0", "--texts", "8", "--pieces", "20", "--labels", "2"]
    small += ["--queue-tokens", "1500", "--threads", "1"]
    assert main([*small, "--trunk", str(trunk)]) == 0
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert [s["factor"] for s in found["steps"]] == [0.5, 6, 0.5]
    assert found["failed"] == found["shed_without_retry_info"] == 0
    assert all(s["p50_ms"] > 0 for s in found["steps"])
    assert found["queue_tokens_bound"] == 1500
