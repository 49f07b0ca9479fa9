from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.registry.domain import ParityReport, VersionState
from services.registry.gate import judge


def report(diff: float, texts: int = 1, mismatches: int = 0) -> ParityReport:
    return ParityReport(max_abs_diff=diff, texts=texts, span_mismatches=mismatches)


@pytest.mark.parametrize("diff", [0.0, 1e-5, 1e-3])
def test_passes_up_to_the_bound(diff: float) -> None:
    verdict = judge(report(diff))
    assert verdict.state is VersionState.READY
    assert verdict.failure_message == ""


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (report(math.nextafter(1e-3, 1)), "differ by up to 0.001"),
        (report(math.nan), "not finite"),
        (report(math.inf), "not finite"),
        (report(-1.0), "differ by up to -1"),
        (report(0.0, texts=0), "no text was compared"),
        (report(0.0, texts=9, mismatches=1), "spans of 1 of 9 texts"),
    ],
)
def test_fails_and_says_why(found: ParityReport, words: str) -> None:
    verdict = judge(found)
    assert verdict.state is VersionState.FAILED
    assert words in verdict.failure_message


@given(
    diff=st.floats(),
    texts=st.integers(0, 5),
    mismatches=st.integers(0, 5),
)
def test_ready_exactly_when_everything_holds(diff: float, texts: int, mismatches: int) -> None:
    verdict = judge(report(diff, texts, mismatches))
    good = 0 <= diff <= 1e-3 and texts >= 1 and mismatches == 0
    assert verdict.state is (VersionState.READY if good else VersionState.FAILED)
    assert bool(verdict.failure_message) == (not good)
