"""Trials: the state machine, the limits, and which moves of a deployment end one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from services.common.errors import AbortedError, FailedPreconditionError, Reason
from services.common.trial_counts import Counts, Difference
from services.registry import deployment as deploying
from services.registry import trial as decisions
from services.registry.domain import ModelType, ModelVersion, VersionState
from services.registry.pointers import AliasTable, Deployment
from services.registry.trial import Limits, Trial, TrialEvent, TrialMode, TrialState
from services.registry.trial_counts import AnswerKey, exceeded, total
from services.registry.trial_documents import trial_document, trial_of


def version(number: int, model_type: ModelType = ModelType.NER, control: str = "") -> ModelVersion:
    return ModelVersion(
        project="p",
        number=number,
        model_type=model_type,
        control=control,
        adapters={control or "A": f"sha256:{number}"},
        trunk_digest="sha256:t",
        state=VersionState.READY,
        etag="1",
        create_time=0,
    )


def deployed(*versions: ModelVersion) -> Deployment:
    current: Deployment | None = None
    for one in versions:
        current = deploying.deploy(current, one, 0, "alice")
    assert current is not None
    return current


def started(
    current: Deployment,
    candidate: ModelVersion,
    mode: TrialMode = TrialMode.SHADOW,
    last: Trial | None = None,
) -> Trial:
    return decisions.start(
        last, current, candidate, mode=mode, share=0.5, limits=Limits(), now=7, actor="alice"
    )


def test_a_trial_is_numbered_and_remembers_what_it_began_with() -> None:
    first = started(deployed(version(1)), version(2))
    assert (first.name, first.state, first.etag) == ("projects/p/trials/1", TrialState.RUNNING, "1")
    assert (first.deployment_revision, first.candidate.version) == (1, "ner_p_v2")
    over = decisions.end(first, 9, "bob")
    assert (over.state, over.end_time, over.end_actor, over.etag) == (
        TrialState.ENDED,
        9,
        "bob",
        "2",
    )
    assert started(deployed(version(1)), version(2), last=over).number == 2


def test_only_a_canary_has_a_limit_by_itself() -> None:
    current = deployed(version(1))
    assert started(current, version(2)).limits.max_error_rate is None
    canary = started(current, version(2), TrialMode.CANARY)
    assert canary.limits.max_error_rate == decisions.CANARY_ERROR_RATE


def test_trials_that_are_refused() -> None:
    current = deployed(version(1))
    running = started(current, version(2))
    with pytest.raises(FailedPreconditionError) as caught:
        started(current, version(3), last=running)
    assert caught.value.metadata["resource"] == running.name
    with pytest.raises(FailedPreconditionError, match="is what is deployed"):
        started(current, version(1))
    with pytest.raises(FailedPreconditionError) as caught:
        started(current, version(1, ModelType.CLASSIFICATION, "topic"))
    assert caught.value.reason is Reason.NOTHING_DEPLOYED


@pytest.mark.parametrize("event", list(TrialEvent))
@pytest.mark.parametrize("state", list(TrialState))
def test_nothing_follows_the_end(state: TrialState, event: TrialEvent) -> None:
    trial = replace(started(deployed(version(1)), version(2)), state=state, reason="So.")
    if state is TrialState.RUNNING:
        assert decisions.transition(trial, event) is not TrialState.RUNNING
        return
    with pytest.raises(FailedPreconditionError, match=f"is {state.name}: So") as caught:
        decisions.transition(trial, event)
    assert caught.value.reason is Reason.STATE_CONFLICT


def test_the_etag_changes_with_the_end() -> None:
    trial = started(deployed(version(1)), version(2))
    decisions.check_etag(trial, "")
    decisions.check_etag(trial, trial.etag)
    with pytest.raises(AbortedError):
        decisions.check_etag(decisions.roll_back(trial, "Bad.", 9), trial.etag)


def test_deploying_the_candidate_promotes_it() -> None:
    before = deployed(version(1))
    trial = started(before, version(2))
    over = decisions.after_move(trial, before, deploying.deploy(before, version(2), 50, "bob"))
    assert over is not None
    assert (over.state, over.promoted_revision, over.end_actor) == (TrialState.PROMOTED, 2, "bob")


def test_another_version_of_the_line_ends_it() -> None:
    before = deployed(version(1))
    trial = started(before, version(2))
    over = decisions.after_move(trial, before, deploying.deploy(before, version(3), 50, "bob"))
    assert over is not None
    assert (over.state, over.promoted_revision) == (TrialState.ENDED, 0)
    assert "serves ner_p_v3 of ner" in over.reason


def test_moves_of_other_lines_and_pins_do_not() -> None:
    before = deployed(version(1))
    trial = started(before, version(2))
    topic = version(1, ModelType.CLASSIFICATION, "topic")
    assert decisions.after_move(trial, before, deploying.deploy(before, topic, 5, "b")) is None
    pinned = deploying.pin(before, "A", version(3), 5, "b")
    assert decisions.after_move(trial, before, pinned) is None
    assert decisions.after_move(trial, before, deploying.deploy(before, version(1), 5, "b")) is None
    assert decisions.after_move(None, before, pinned) is None
    over = decisions.end(trial, 1, "b")
    assert decisions.after_move(over, before, deploying.deploy(before, version(2), 5, "b")) is None


def test_a_candidate_joins_what_is_deployed_beside_it() -> None:
    topic = version(1, ModelType.CLASSIFICATION, "topic")
    current = deploying.pin(deployed(version(1), topic), "A", version(3), 5, "b")
    found = deploying.with_candidate(current, started(current, version(2)).candidate)
    assert [model.version for model in found.models] == ["classification_topic_p_v1", "ner_p_v2"]
    assert (found.revision, found.pins) == (current.revision, current.pins)


def test_a_candidate_is_not_retired_while_it_is_tried() -> None:
    current = deployed(version(1))
    trial = started(current, version(2))
    none = AliasTable(project="p")
    with pytest.raises(FailedPreconditionError) as caught:
        deploying.check_retirable(version(2), current, none, trial)
    assert caught.value.metadata["trial"] == trial.name
    deploying.check_retirable(version(3), current, none, trial)
    deploying.check_retirable(version(2), current, none, decisions.end(trial, 1, "b"))


LIMITS = Limits(min_requests=10, max_error_rate=0.1, max_disagreement_rate=0.2)


@pytest.mark.parametrize(
    ("counts", "told"),
    [
        (Counts(), ""),
        (Counts(requests=9, errors=9), ""),
        (Counts(requests=10, errors=1), ""),
        (Counts(requests=10, errors=2), "failed 2 of 10 requests"),
        (Counts(requests=99, compared_requests=9, compared_texts=9, differing_texts=9), ""),
        (Counts(requests=99, compared_requests=10, compared_texts=10, differing_texts=2), ""),
        (
            Counts(requests=99, compared_requests=10, compared_texts=10, differing_texts=3),
            "answers 3 of 10 texts otherwise",
        ),
    ],
)
def test_limits_are_judged_once_enough_is_known(counts: Counts[AnswerKey], told: str) -> None:
    assert told in exceeded(LIMITS, counts)
    assert bool(exceeded(LIMITS, counts)) == bool(told)
    assert exceeded(Limits(min_requests=1), counts) == ""


def test_counts_of_servers_add_up() -> None:
    key, other = (ModelType.NER, "A"), (ModelType.NER, "B")
    one = Counts(requests=1, differences={key: Difference(served=2, added=1)})
    two = Counts(
        requests=2, errors=1, differences={key: Difference(served=1), other: Difference(missing=4)}
    )
    assert total([one, two]) == Counts(
        requests=3,
        errors=1,
        differences={key: Difference(served=3, added=1), other: Difference(missing=4)},
    )


def test_documents_keep_all_of_a_trial() -> None:
    trial = decisions.roll_back(started(deployed(version(1)), version(2)), "Bad.", 9)
    assert trial_of(trial_document(trial)) == trial
