from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.common.errors import FailedPreconditionError, Reason
from services.registry.domain import VersionState
from services.registry.version_state import TRANSITIONS, is_terminal, sources, transition

STATES = st.sampled_from(list(VersionState))


def test_table_is_the_documented_one() -> None:
    moves = {(old, new) for old, targets in TRANSITIONS.items() for new in targets}
    assert moves == {
        (VersionState.REGISTERED, VersionState.READY),
        (VersionState.REGISTERED, VersionState.FAILED),
        (VersionState.READY, VersionState.RETIRED),
    }
    assert set(TRANSITIONS) == set(VersionState)
    assert {s for s in VersionState if is_terminal(s)} == {
        VersionState.RETIRED,
        VersionState.FAILED,
    }


@given(old=STATES, new=STATES)
def test_transition_guard_and_table_agree(old: VersionState, new: VersionState) -> None:
    assert (old in sources(new)) == (new in TRANSITIONS[old])
    if new in TRANSITIONS[old]:
        assert transition("v", old, new) is new
    else:
        with pytest.raises(FailedPreconditionError) as caught:
            transition("v", old, new)
        assert caught.value.reason is Reason.STATE_CONFLICT
        assert caught.value.metadata["state"] == old.name


@given(wishes=st.lists(STATES, max_size=12))
def test_no_history_leaves_a_terminal_state_or_serves_the_unverified(
    wishes: list[VersionState],
) -> None:
    history = [VersionState.REGISTERED]
    for wish in wishes:
        try:
            history.append(transition("v", history[-1], wish))
        except FailedPreconditionError:
            continue
    assert len(history) <= 3
    assert VersionState.FAILED not in history or VersionState.READY not in history
    assert VersionState.RETIRED not in history or VersionState.READY in history
