"""The registry's side of trials, over a real server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest

from services.common.errors import Reason
from spanloop.common.v1 import evaluation_pb2
from spanloop.registry.v1 import audit_pb2, trial_pb2
from spanloop.registry.v1 import governance_service_pb2 as governance_pb
from spanloop.registry.v1 import registry_service_pb2 as registry_pb
from spanloop.registry.v1 import trial_service_pb2 as pb
from spanloop.registry.v1.registry_policy_pb2 import DeployGate, RetentionPolicy
from spanloop.registry.v1.trial_pb2 import TrialCounts
from tests.support.registry import RegistryClient, refused, registry

INVALID = grpc.StatusCode.INVALID_ARGUMENT
PRECONDITION = grpc.StatusCode.FAILED_PRECONDITION
NOT_FOUND = grpc.StatusCode.NOT_FOUND
SHADOW, CANARY = trial_pb2.TRIAL_MODE_SHADOW, trial_pb2.TRIAL_MODE_CANARY
RUNNING = trial_pb2.TRIAL_STATE_RUNNING
PROMOTED = trial_pb2.TRIAL_STATE_PROMOTED
ENDED = trial_pb2.TRIAL_STATE_ENDED
ROLLED_BACK = trial_pb2.TRIAL_STATE_ROLLED_BACK


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[RegistryClient]:
    async with registry(tmp_path, watch_heartbeat_seconds=0.2) as found:
        yield found


async def deployed(client: RegistryClient, count: int = 2) -> list[str]:
    """Make versions and deploy the first."""
    versions = await client.ready("p", count=count)
    await client.deploy(versions[0])
    return versions


async def test_a_trial_begins_and_ends(client: RegistryClient) -> None:
    _, candidate = await deployed(client)
    trial = await client.start_trial(candidate, share=0.25, request_id="r1")
    assert (trial.name, trial.state, trial.mode) == ("projects/p/trials/1", RUNNING, SHADOW)
    assert (trial.model_version, trial.share, trial.deployment_revision) == (candidate, 0.25, 1)
    assert trial.limits.min_requests == 100
    assert not trial.limits.HasField("max_error_rate")
    assert trial.actor == "system"
    assert await client.start_trial(candidate, share=0.25, request_id="r1") == trial
    with refused(INVALID, Reason.REQUEST_ID_REUSED):
        await client.start_trial(candidate, share=0.5, request_id="r1")
    with refused(PRECONDITION, Reason.STATE_CONFLICT, resource=trial.name):
        await client.start_trial(candidate)
    with refused(grpc.StatusCode.ABORTED, Reason.ETAG_MISMATCH):
        await client.end_trial(trial.name, etag="2")
    over = (await client.end_trial(trial.name, etag=trial.etag, request_id="e")).trial
    assert (over.state, over.reason) == (ENDED, "It was ended.")
    assert over.HasField("end_time")
    assert (await client.end_trial(trial.name, etag=trial.etag, request_id="e")).trial == over
    with refused(PRECONDITION, Reason.STATE_CONFLICT, state="ENDED"):
        await client.end_trial(trial.name)
    second = await client.start_trial(candidate, mode=CANARY)
    assert (second.name, second.limits.max_error_rate) == ("projects/p/trials/2", 0.01)
    assert [one.name for one in await client.trials()] == [second.name, trial.name]
    assert [one.state for one in await client.trials()] == [RUNNING, ENDED]
    assert (await client.deployment("p")).revision == 1


async def test_pages_of_trials(client: RegistryClient) -> None:
    _, candidate = await deployed(client)
    for _ in range(3):
        await client.end_trial((await client.start_trial(candidate)).name)
    first = await client.trial_stub.ListTrials(
        pb.ListTrialsRequest(parent="projects/p", page_size=2)
    )
    assert [one.name[-1] for one in first.trials] == ["3", "2"]
    rest = await client.trial_stub.ListTrials(
        pb.ListTrialsRequest(parent="projects/p", page_size=2, page_token=first.next_page_token)
    )
    assert [(one.name[-1], one.state) for one in rest.trials] == [("1", ENDED)]
    assert not rest.next_page_token
    none = await client.trial_stub.ListTrials(pb.ListTrialsRequest(parent="projects/q"))
    assert not none.trials


async def test_trials_that_are_refused(client: RegistryClient) -> None:
    one, two = await client.ready("p", count=2)
    with refused(PRECONDITION, Reason.NOTHING_DEPLOYED):
        await client.start_trial(two)
    await client.deploy(one)
    with refused(PRECONDITION, Reason.STATE_CONFLICT, resource=one):
        await client.start_trial("projects/p/modelVersions/ner@champion")
    made = (await client.version("p", {"PARTY": await client.adapter("PARTY")})).name
    with refused(PRECONDITION, Reason.MODEL_VERSION_NOT_READY):
        await client.start_trial(made)
    for share in (0.0, -1.0, 1.1):
        with refused(INVALID, Reason.FIELD_INVALID, field="trial.share"):
            await client.start_trial(two, share=share)
    with refused(INVALID, Reason.FIELD_INVALID, field="trial.mode"):
        await client.start_trial(two, mode=trial_pb2.TRIAL_MODE_UNSPECIFIED)
    with refused(INVALID, Reason.FIELD_INVALID, field="trial.limits.max_error_rate"):
        await client.start_trial(two, limits=trial_pb2.TrialLimits(max_error_rate=2))
    with refused(NOT_FOUND, Reason.RESOURCE_NOT_FOUND):
        await client.get_trial("projects/p/trials/1")
    with refused(NOT_FOUND, Reason.RESOURCE_NOT_FOUND):
        await client.end_trial("projects/p/trials/1", promote=True)
    with refused(INVALID, Reason.FIELD_INVALID, field="name"):
        await client.get_trial("projects/p/trials/x")
    assert await client.trials() == []


async def test_a_candidate_is_promoted_by_a_deployment(client: RegistryClient) -> None:
    _, candidate = await deployed(client)
    trial = await client.start_trial(candidate)
    answer = await client.end_trial(trial.name, promote=True, request_id="p")
    assert (answer.trial.state, answer.trial.promoted_revision) == (PROMOTED, 2)
    assert [model.model_version for model in answer.deployment.models] == [candidate]
    assert await client.deployment("p") == answer.deployment
    assert await client.end_trial(trial.name, promote=True, request_id="p") == answer
    with refused(PRECONDITION, Reason.STATE_CONFLICT, state="PROMOTED"):
        await client.end_trial(trial.name, promote=True)


async def test_the_gate_holds_promotions_and_canaries(client: RegistryClient) -> None:
    _, candidate = await deployed(client)
    gate = DeployGate(split=evaluation_pb2.SPLIT_TEST, min_micro_f1=0.99)
    await client.set_policy("p", gate=gate)
    with refused(PRECONDITION, Reason.GATE_FAILED):
        await client.start_trial(candidate, mode=CANARY)
    trial = await client.start_trial(candidate)
    with refused(PRECONDITION, Reason.GATE_FAILED):
        await client.end_trial(trial.name, promote=True)
    assert (await client.get_trial(trial.name)).state == RUNNING
    assert (await client.deployment("p")).revision == 1
    await client.end_trial(trial.name)
    forced = await client.start_trial(candidate, mode=CANARY, force=True)
    events = await client.governance.ListAuditEvents(
        governance_pb.ListAuditEventsRequest(parent="projects/p", page_size=1)
    )
    assert "MIN_MICRO_F1" in events.audit_events[0].details["violated"]
    answer = await client.end_trial(forced.name, promote=True, force=True)
    assert (answer.trial.state, answer.deployment.revision) == (PROMOTED, 2)


async def test_other_moves_of_the_line_end_it(client: RegistryClient) -> None:
    one, two, three = await deployed(client, 3)
    trial = await client.start_trial(two)
    await client.deploy(three)
    over = await client.get_trial(trial.name)
    assert over.state == ENDED
    assert "serves ner_p_v3" in over.reason
    trial = await client.start_trial(two)
    await client.pin("p", "PARTY", one)
    assert (await client.get_trial(trial.name)).state == RUNNING
    await client.deploy(two)
    over = await client.get_trial(trial.name)
    assert (over.state, over.promoted_revision) == (PROMOTED, 4)
    trial = await client.start_trial(one)
    await client.rollback("p", revision=1)
    assert (await client.get_trial(trial.name)).state == PROMOTED


async def test_reports_count_once_and_are_judged(client: RegistryClient) -> None:
    _, candidate = await deployed(client)
    limits = trial_pb2.TrialLimits(min_requests=10, max_disagreement_rate=0.5)
    trial = await client.start_trial(candidate, limits=limits)
    difference = trial_pb2.AnswerDifference(
        model_type=evaluation_pb2.MODEL_TYPE_NER, name="PARTY", served=5, added=1, missing=2
    )
    counts = TrialCounts(
        requests=6,
        compared_requests=6,
        compared_texts=6,
        differing_texts=3,
        differences=[difference],
    )
    for _ in range(2):  # the second is a repeat whose first answer was lost
        told = await client.report(trial.name, "a", 1, counts)
        assert (told.counts.requests, told.state) == (6, RUNNING)
    # Of a reporter its last report counts, whatever arrives late.
    counts.requests = counts.compared_requests = counts.compared_texts = 8
    await client.report(trial.name, "a", 3, counts)
    counts.requests = counts.compared_requests = counts.compared_texts = 7
    assert (await client.report(trial.name, "a", 2, counts)).counts.requests == 8
    found = await client.get_trial(trial.name)
    assert list(found.counts.differences) == [difference]
    assert [one.reporter for one in found.reporters] == ["a"]
    other = TrialCounts(requests=4, compared_requests=4, compared_texts=4, differing_texts=4)
    told = await client.report(trial.name, "b", 1, other)
    assert told.state == ROLLED_BACK
    assert "answers 7 of 12 texts otherwise (58.33%); 50.00% are allowed" in told.reason
    over = await client.get_trial(trial.name)
    assert (over.state, over.end_actor, len(over.reporters)) == (ROLLED_BACK, "system", 2)
    # What comes after the end counts nothing.
    assert (await client.report(trial.name, "b", 2, counts)).counts == over.counts
    with refused(PRECONDITION, Reason.STATE_CONFLICT, state="ROLLED_BACK"):
        await client.end_trial(trial.name, promote=True)
    assert (await client.deployment("p")).revision == 1


async def test_reports_that_are_refused(client: RegistryClient) -> None:
    _, candidate = await deployed(client)
    name = (await client.start_trial(candidate)).name
    with refused(INVALID, Reason.FIELD_INVALID, field="counts.errors"):
        await client.report(name, "a", 1, TrialCounts(requests=1, errors=2))
    with refused(INVALID, Reason.FIELD_INVALID, field="counts.requests"):
        await client.report(name, "a", 1, TrialCounts(requests=-1))
    with refused(INVALID, Reason.FIELD_INVALID, field="reporter"):
        await client.report(name, "", 1)
    with refused(INVALID, Reason.FIELD_INVALID, field="sequence"):
        await client.report(name, "a", 0)
    with refused(NOT_FOUND, Reason.RESOURCE_NOT_FOUND):
        await client.report("projects/p/trials/2", "a", 1)
    for number in range(200):
        await client.report(name, f"a{number}", 1)
    with refused(grpc.StatusCode.RESOURCE_EXHAUSTED, Reason.REQUEST_TOO_LARGE):
        await client.report(name, "b", 1)
    await client.report(name, "a0", 2)


async def test_a_candidate_that_cannot_be_loaded_is_told(client: RegistryClient) -> None:
    _, candidate = await deployed(client)
    name = (await client.start_trial(candidate)).name
    await client.trial_stub.ReportTrial(
        pb.ReportTrialRequest(
            name=name,
            reporter="a",
            sequence=1,
            candidate_state=trial_pb2.CANDIDATE_STATE_ERROR,
            error_message="x" * 2000,
        )
    )
    (reporter,) = (await client.get_trial(name)).reporters
    assert reporter.candidate_state == trial_pb2.CANDIDATE_STATE_ERROR
    assert reporter.error_message == "x" * 1000


async def test_what_is_tried_is_kept(client: RegistryClient) -> None:
    _, candidate, _ = await deployed(client, 3)
    trial = await client.start_trial(candidate)
    with refused(PRECONDITION, Reason.STATE_CONFLICT, trial=trial.name):
        await client.retire(candidate)
    await client.set_policy("p", retention=RetentionPolicy(keep_last=1, keep_revisions=1))
    items, _ = await client.retention(apply=False)
    assert f"tried by {trial.name}" in items["ner_p_v2"].reasons
    await client.end_trial(trial.name)
    items, _ = await client.retention(apply=False)
    assert f"tried by {trial.name}" not in items["ner_p_v2"].reasons
    await client.retire(candidate)


async def test_trials_are_audited(client: RegistryClient) -> None:
    _, candidate = await deployed(client)
    limits = trial_pb2.TrialLimits(min_requests=1, max_error_rate=0.0)
    await client.end_trial((await client.start_trial(candidate)).name)
    rolled = await client.start_trial(candidate, limits=limits)
    await client.report(rolled.name, "a", 1, TrialCounts(requests=1, errors=1))
    promoted = await client.start_trial(candidate)
    await client.end_trial(promoted.name, promote=True)
    events = (
        await client.governance.ListAuditEvents(
            governance_pb.ListAuditEventsRequest(parent="projects/p", page_size=6)
        )
    ).audit_events
    assert [(one.action, one.resource.rpartition("/")[2]) for one in events] == [
        (audit_pb2.AUDIT_ACTION_DEPLOY, "deployment"),
        (audit_pb2.AUDIT_ACTION_START_TRIAL, "3"),
        (audit_pb2.AUDIT_ACTION_ROLL_BACK_TRIAL, "2"),
        (audit_pb2.AUDIT_ACTION_START_TRIAL, "2"),
        (audit_pb2.AUDIT_ACTION_END_TRIAL, "1"),
        (audit_pb2.AUDIT_ACTION_START_TRIAL, "1"),
    ]
    assert events[0].details["trial"] == promoted.name
    assert events[0].details["trial_state"] == "PROMOTED"
    assert "failed 1 of 1" in events[2].details["reason"]
    assert dict(events[3].details) == {"mode": "shadow", "share": "0.5"}
    assert {one.model_version for one in events[1:]} == {candidate}


async def test_watchers_are_told_of_trials_if_they_ask(client: RegistryClient) -> None:
    one, two = await deployed(client)
    name = "projects/p/deployment"
    deaf = client.stub.WatchDeployment(registry_pb.WatchDeploymentRequest(name=name))
    watch = client.stub.WatchDeployment(registry_pb.WatchDeploymentRequest(name=name, trials=True))

    async def told() -> registry_pb.WatchDeploymentResponse:
        while True:
            message = await watch.read()
            if message.WhichOneof("payload") != "heartbeat":
                return message

    assert (await told()).deployment.revision == 1
    trial = await client.start_trial(two)
    update = (await told()).trial
    assert (update.trial.name, update.trial.state) == (trial.name, RUNNING)
    assert [model.model_version for model in update.candidate.models] == [two]
    # A move that it survives changes what the candidate would be.
    await client.pin("p", "PARTY", one)
    assert (await told()).deployment.revision == 2
    update = (await told()).trial
    assert (update.candidate.revision, update.candidate.pins[0].model_version) == (2, one)
    late = client.stub.WatchDeployment(registry_pb.WatchDeploymentRequest(name=name, trials=True))
    assert (await late.read()).deployment.revision == 2
    assert (await late.read()).trial == update
    await client.end_trial(trial.name, promote=True)
    assert (await told()).deployment.revision == 3
    update = (await told()).trial
    assert (update.trial.state, update.HasField("candidate")) == (PROMOTED, False)
    watch.cancel()
    late.cancel()
    for _ in range(4):
        message = await deaf.read()
        assert message.WhichOneof("payload") != "trial"
    deaf.cancel()
