"""The benchmark of swaps: which answers it finds wrong, what it compares, and one small run."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from benchmarks.serving.swaps import Answer, Observed, Window
from benchmarks.swap import figures, first_answers, is_wrong, main, met, stale
from tests.support.benchmarks import write_tiny_trunk

GOLDEN = {"v1": [((0, 3, "A", 0.9),)], "v2": [((0, 3, "A", 0.9), (4, 5, "B", 0.7))]}


def answer(
    due: float = 0.0,
    ended: float = 1.0,
    *,
    revision: int = 1,
    version: str = "v1",
    spans: tuple[tuple[int, int, str, float], ...] = GOLDEN["v1"][0],
) -> Answer:
    return Answer(
        text=0,
        due=due,
        sent=due,
        ended=ended,
        revision=revision,
        versions=frozenset({version}),
        spans=spans,
    )


def window(begin: float, served: float, revision: int = 0) -> Window:
    return Window(begin=begin, end=served + 1, served=served, revision=revision)


def observed(*answers: Answer, windows: tuple[Window, ...] = (), failures: int = 0) -> Observed:
    return Observed(
        answers=list(answers),
        failures=["UNAVAILABLE: gone"] * failures,
        windows=list(windows),
        resident=[1000.0 + n for n in range(20)],
        version_of={1: "v1", 2: "v2"},
        golden=GOLDEN,
    )


def test_an_answer_must_be_the_golden_output_of_its_generation() -> None:
    seen = observed()
    assert not is_wrong(answer(), seen, 1e-3)
    near = ((0, 3, "A", 0.9005),)
    assert not is_wrong(answer(spans=near), seen, 1e-3)
    assert is_wrong(answer(spans=near), seen, 1e-4)
    # Another span, another generation's answer, one that names both, one never deployed.
    assert is_wrong(answer(spans=((0, 3, "B", 0.9),)), seen, 1e-3)
    assert is_wrong(answer(spans=GOLDEN["v2"][0]), seen, 1e-3)
    assert is_wrong(answer(version="v2", spans=GOLDEN["v2"][0]), seen, 1e-3)
    assert is_wrong(answer(revision=7), seen, 1e-3)
    assert not is_wrong(answer(revision=2, version="v2", spans=GOLDEN["v2"][0]), seen, 1e-3)


def test_a_request_counts_for_the_first_window_that_it_met() -> None:
    windows = [window(10, 12, revision=2), window(20, 22), window(30, 31, revision=3)]
    inside, before, both = answer(11, 11.5), answer(8, 10.5), answer(12.5, 21)
    sham, between, behind = answer(21, 40), answer(14, 15), answer(50, 51)
    swaps, shams = met([inside, before, both, sham, between, behind], windows)
    assert swaps == [500.0, 2500.0, 8500.0]
    assert shams == [19000.0]


def test_an_answer_of_a_replaced_generation_is_stale() -> None:
    swaps = [window(10, 12, revision=2), window(20, 22, revision=3)]
    answers = [
        answer(11, 13, revision=1),
        answer(13, 14, revision=1),
        answer(13, 25, revision=2),
        answer(23, 24, revision=2),
        answer(21, 24, revision=3),
    ]
    assert stale(answers, swaps) == 2
    assert first_answers(answers) == {1: 13, 2: 24, 3: 24}


def test_figures_compare_swaps_with_shams_and_time_each_swap() -> None:
    windows = (window(10, 10.2, revision=2), window(20, 20.2))
    new = answer(10.1, 10.3, revision=2, version="v2", spans=GOLDEN["v2"][0])
    seen = observed(answer(20.1, 20.2, revision=2), new, windows=windows, failures=1)
    found = figures(seen, tolerance=1e-3)
    assert (found["swaps"], found["requests"], found["failed"]) == (1, 3, 1)
    assert found["wrong_generation"] == 1
    assert found["p99_ratio"] == 2.0
    assert found["deploy_to_served_p50_ms"] == found["deploy_to_served_p99_ms"] == 200.0
    assert found["deploy_to_answer_p50_ms"] == 300.0
    assert found["rss_slope"] == 1.0
    assert found["goals_missed"] == ["none_failed", "none_wrong", "p99_ratio_at_most_1_1"]


@pytest.mark.timeout(300)
def test_a_small_run_swaps_on_real_servers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trunk = write_tiny_trunk(tmp_path)
    small = ["--swaps", "4", "--rate", "40", "--steady", "0.3", "--pieces", "16", "--labels", "4"]
    assert main([*small, "--trunk", str(trunk), "--threads", "1", "--every", "0.3"]) == 0
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (found["swaps"], found["failed"], found["wrong_generation"]) == (4, 0, 0)
    assert found["generations_answered"] >= 4
    assert found["deploy_to_served_p99_ms"] >= found["deploy_to_served_p50_ms"] > 0


@pytest.mark.timeout(300)
def test_a_run_that_is_told_to_end_leaves_no_server_behind(tmp_path: Path) -> None:
    trunk = write_tiny_trunk(tmp_path)
    command = [sys.executable, "-m", "benchmarks.swap", "--trunk", str(trunk), "--pieces", "16"]
    run = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        servers: list[psutil.Process] = []
        end = time.monotonic() + 120
        while len(servers) < 2:
            assert run.poll() is None
            assert time.monotonic() < end, "no servers were started"
            servers = psutil.Process(run.pid).children()
            time.sleep(0.05)
        run.send_signal(signal.SIGTERM)
        assert run.wait(60) == 143
        assert psutil.wait_procs(servers, timeout=10)[1] == []
    finally:
        run.kill()
        run.wait()
