"""How far background work stands back."""

from __future__ import annotations

import pytest

from services.inference.courtesy import ABOUT_SECONDS, BATCH_SECONDS, REST, Courtesy


def test_alone_it_has_the_device() -> None:
    courtesy = Courtesy()
    courtesy.worked(0.0, 5.0)
    assert courtesy.rest(5.0) == 0
    assert courtesy.tokens(5.0, 1000.0) is None


def test_while_callers_are_about_it_works_shortly_and_rests() -> None:
    courtesy = Courtesy()
    courtesy.called(10.0)
    assert courtesy.tokens(10.1, 1000.0) == 1000 * BATCH_SECONDS
    assert courtesy.tokens(10.1, 1.0) == 1
    assert courtesy.rest(10.1) == 0
    courtesy.worked(10.1, 10.2)
    assert courtesy.rest(10.2) == pytest.approx(0.1 * REST)
    assert courtesy.rest(10.2 + 0.1 * REST) == 0
    # When nobody has come for a moment, there is nobody to stand back for.
    courtesy.worked(10.0, 10.0 + ABOUT_SECONDS)
    assert courtesy.rest(10.0 + ABOUT_SECONDS) == 0
