from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.common.errors import AbortedError, FailedPreconditionError, Reason
from services.registry import deployment as decisions
from services.registry.domain import ModelType, ModelVersion, VersionState
from services.registry.naming import control_id, is_version_id, version_id
from services.registry.pointers import Action, AliasTable, Deployment, ModelAlias


def version(number: int, state: VersionState = VersionState.READY) -> ModelVersion:
    return ModelVersion(
        project="p",
        number=number,
        model_type=ModelType.NER,
        adapters={"A": f"sha256:{number}"},
        trunk_digest="sha256:t",
        state=state,
        etag="1",
        create_time=0,
        failure_message="It differs." if state is VersionState.FAILED else "",
    )


def after(current: Deployment | None, number: int, now: int = 0) -> Deployment:
    return decisions.deploy(current, version(number), now, "alice")


def test_first_deploy_is_revision_one() -> None:
    first = after(None, 4, now=9)
    assert (first.revision, first.action, first.create_time) == (1, Action.DEPLOY, 9)
    assert [(m.version, m.adapters) for m in first.models] == [("ner_p_v4", {"A": "sha256:4"})]


def test_time_never_goes_back() -> None:
    assert after(after(None, 1, now=100), 2, now=50).create_time == 101


@pytest.mark.parametrize("state", [s for s in VersionState if s is not VersionState.READY])
def test_only_ready_versions_can_be_deployed(state: VersionState) -> None:
    with pytest.raises(FailedPreconditionError) as caught:
        decisions.check_deployable(version(1, state), retired=False)
    assert caught.value.reason is Reason.MODEL_VERSION_NOT_READY
    assert caught.value.metadata["state"] == state.name
    assert ("It differs." in caught.value.message) == (state is VersionState.FAILED)


def test_a_decided_retirement_counts_before_the_state_says_so() -> None:
    decisions.check_deployable(version(1), retired=False)
    with pytest.raises(FailedPreconditionError) as caught:
        decisions.check_deployable(version(1), retired=True)
    assert caught.value.metadata["state"] == "RETIRED"


def test_etag_refuses_every_other_revision() -> None:
    first = after(None, 1)
    decisions.check_etag("p", None, "")
    decisions.check_etag("p", first, "")
    decisions.check_etag("p", first, first.etag)
    for current, etag in ((None, "1"), (first, "2"), (after(first, 1), first.etag)):
        with pytest.raises(AbortedError) as caught:
            decisions.check_etag("p", current, etag)
        assert caught.value.reason is Reason.ETAG_MISMATCH


def test_rollback_needs_an_earlier_revision() -> None:
    first = after(None, 1)
    second = after(first, 2)
    for target in (None, second, after(second, 3)):
        with pytest.raises(FailedPreconditionError) as caught:
            decisions.rollback(second, target, (), 0, "alice")
        assert caught.value.reason is Reason.NOTHING_TO_ROLL_BACK


def test_rollback_refuses_retired_versions() -> None:
    first = after(None, 1)
    second = after(first, 2)
    with pytest.raises(FailedPreconditionError) as caught:
        decisions.rollback(second, first, {"ner_p_v1"}, 0, "alice")
    assert caught.value.reason is Reason.MODEL_VERSION_NOT_READY
    assert decisions.rollback(second, first, {"ner_p_v2"}, 0, "alice").restored_revision == 1


def test_nothing_deployed() -> None:
    with pytest.raises(FailedPreconditionError) as caught:
        decisions.require("p", None)
    assert caught.value.reason is Reason.NOTHING_DEPLOYED


def test_retirement_refused_while_deployed() -> None:
    current = after(None, 1)
    none = AliasTable(project="p")
    decisions.check_retirable(version(2), current, none, None)
    decisions.check_retirable(version(1), None, none, None)
    with pytest.raises(FailedPreconditionError):
        decisions.check_retirable(version(1), current, none, None)


def test_retirement_refused_while_pinned_or_named() -> None:
    none = AliasTable(project="p")
    pinned = decisions.pin(after(None, 1), "A", version(2), 0, "alice")
    with pytest.raises(FailedPreconditionError) as caught:
        decisions.check_retirable(version(2), pinned, none, None)
    assert "pinned for A" in caught.value.message
    alias = ModelAlias(project="p", line="ner", alias="gold", version="ner_p_v3", update_time=0)
    with pytest.raises(FailedPreconditionError) as caught:
        decisions.check_retirable(
            version(3), pinned, AliasTable(project="p", aliases={alias.id: alias}), None
        )
    assert caught.value.metadata["alias"] == "projects/p/modelVersions/ner@gold"


def test_two_controls_are_two_models_when_rolling_back() -> None:
    def choices(control: str, number: int) -> ModelVersion:
        return dataclasses.replace(
            version(number),
            model_type=ModelType.CLASSIFICATION,
            control=control,
            adapters={control: f"sha256:{number}"},
        )

    first = decisions.deploy(None, choices("a", 1), 0, "")
    second = decisions.deploy(first, choices("b", 1), 0, "")
    third = decisions.deploy(second, choices("a", 2), 0, "")
    assert decisions.is_target(third, second)
    assert not decisions.is_target(dataclasses.replace(third, revision=4), third)


@given(steps=st.lists(st.integers(-5, 5), min_size=1, max_size=20), now=st.integers(0, 1000))
def test_histories_count_up_and_rollbacks_restore(steps: list[int], now: int) -> None:
    """Steps: positive deploys that version, 0 rolls back, negative rolls back to that revision."""
    history: list[Deployment] = []
    for step in steps:
        current = history[-1] if history else None
        if step > 0:
            history.append(after(current, step, now))
            continue
        if current is None:
            continue
        if step == 0:
            target = next(
                (old for old in reversed(history) if decisions.is_target(current, old)), None
            )
        else:
            target = next((old for old in history if old.revision == -step), None)
        try:
            new = decisions.rollback(current, target, (), now, "alice")
        except FailedPreconditionError:
            assert target is None or target.revision >= current.revision
            continue
        assert target is not None
        assert new.models == target.models
        assert new.restored_revision == target.revision
        if step == 0:
            between = history[target.revision : current.revision - 1]
            assert new.models != current.models
            assert all(old.models == current.models for old in between)
        history.append(new)
    assert [d.revision for d in history] == list(range(1, len(history) + 1))
    times = [d.create_time for d in history]
    assert times == sorted(set(times))


@pytest.mark.parametrize(
    ("project", "id", "fits"),
    [
        ("p", "ner_p_v1", True),
        ("a_v1", "ner_a_v1_v2", True),
        ("a", "ner_a_v1_v2", False),
        ("p", "ner_p_v0", False),
        ("p", "ner_p_v01", False),
        ("p", "ner_p_v", False),
        ("p", "seq_p_v1", False),
        ("p", "ner_p_v٣", False),
        ("p", "ner_p_v1\n", False),
        ("p", "ner_p_v1_r2", True),
        ("p", "assertion_p_v3", True),
        ("p", "assertion_x_p_v3", False),
        ("p", "classification_p_v1", False),
        ("p", "classification_smoking_status_p_v1_r1", True),
        ("p", "classification_a_v1_p_v2", True),
        ("p", "classification_a_v1_q_v2", False),
        ("p", "classification_A_p_v1", False),
    ],
)
def test_version_ids(project: str, id: str, fits: bool) -> None:
    assert is_version_id(project, id) is fits


@given(st.lists(st.text(min_size=1, max_size=100), min_size=2, max_size=5, unique=True))
def test_every_control_has_an_id_of_its_own(controls: list[str]) -> None:
    ids = {control_id(control) for control in controls}
    assert len(ids) == len(controls)
    for control in controls:
        assert is_version_id("p-1_x", version_id("classification", control, "p-1_x", 12))
        assert is_version_id("p-1_x", version_id("classification", control, "p-1_x", 12, 3))
        # An id is no other control's name in disguise.
        assert control_id(control_id(control)) != control_id(control) or control in ids


def test_ids_of_controls_are_readable() -> None:
    assert control_id("smoking_status-2") == "smoking_status-2"
    assert control_id("Smoking Status").startswith("smoking-status-")
    assert control_id("Smoking Status") != control_id("smoking status")
    assert control_id("吸烟").startswith("choices-")
    assert len(control_id("x" * 100)) < 80
    hashed = control_id("Smoking Status")
    assert control_id(hashed) != hashed
    assert version_id("classification", "tone", "p", 2, 1) == "classification_tone_p_v2_r1"
    assert version_id("assertion", "", "p", 2) == "assertion_p_v2"


def test_a_deployment_holds_one_model_per_type_and_control() -> None:
    def typed(number: int, model_type: ModelType, control: str = "") -> ModelVersion:
        return dataclasses.replace(version(number), model_type=model_type, control=control)

    current: Deployment | None = None
    for one in (
        typed(1, ModelType.NER),
        typed(1, ModelType.CLASSIFICATION, "tone"),
        typed(1, ModelType.ASSERTION),
        typed(1, ModelType.CLASSIFICATION, "length"),
        typed(2, ModelType.CLASSIFICATION, "tone"),
        typed(2, ModelType.NER),
    ):
        current = decisions.deploy(current, one, 0, "")
    assert current is not None
    assert [model.version for model in current.models] == [
        "assertion_p_v1",
        "classification_length_p_v1",
        "classification_tone_p_v2",
        "ner_p_v2",
    ]
