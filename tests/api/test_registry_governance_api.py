"""Gate, audit, lineage and model cards over a real server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest
import yaml
from grpc import aio
from huggingface_hub import ModelCard

from services.common.clock import ManualClock
from services.common.errors import Reason
from services.common.grpc_status import received_error
from services.common.modeling.manifest import Head
from services.common.times import to_timestamp
from spanloop.common.v1 import evaluation_pb2
from spanloop.registry.v1 import audit_pb2
from spanloop.registry.v1 import governance_service_pb2 as pb
from spanloop.registry.v1 import registry_service_pb2 as registry_pb
from spanloop.registry.v1.model_version_pb2 import Baseline, Lineage, ModelVersion
from spanloop.registry.v1.registry_policy_pb2 import DeployGate, RetentionPolicy
from tests.support.registry import GOOD, RegistryClient, refused, registry, trunk_manifest

INVALID = grpc.StatusCode.INVALID_ARGUMENT
NOT_FOUND = grpc.StatusCode.NOT_FOUND
PRECONDITION = grpc.StatusCode.FAILED_PRECONDITION
DEV, TEST = evaluation_pb2.SPLIT_DEV, evaluation_pb2.SPLIT_TEST


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def client(tmp_path: Path, clock: ManualClock) -> AsyncIterator[RegistryClient]:
    async with registry(tmp_path, clock) as found:
        yield found


def figures(split: int, **labels: float) -> evaluation_pb2.SplitEvaluation:
    found = evaluation_pb2.SplitEvaluation(split=split, texts=5)  # type: ignore[arg-type]
    for label, f1 in labels.items():
        found.labels[label].CopyFrom(evaluation_pb2.SpanMetrics(f1=f1, support=40))
    found.micro.f1 = found.macro.f1 = sum(labels.values()) / len(labels)
    return found


async def version(
    client: RegistryClient,
    weights: dict[str, bytes],
    *splits: evaluation_pb2.SplitEvaluation,
    lineage: Lineage | None = None,
    baseline: Baseline | None = None,
) -> str:
    """Make a READY version and return its name."""
    message = ModelVersion(model_type=evaluation_pb2.MODEL_TYPE_NER)
    for label, data in weights.items():
        message.adapters[label] = await client.adapter(label, data)
    message.evaluation.splits.extend(splits)
    if lineage is not None:
        message.lineage.CopyFrom(lineage)
    if baseline is not None:
        message.baseline.CopyFrom(baseline)
    made = await client.stub.CreateModelVersion(
        registry_pb.CreateModelVersionRequest(parent="projects/p", model_version=message)
    )
    return (await client.verify(made.model_version.name)).name


async def test_a_gate_refuses_with_each_rule_unless_forced(client: RegistryClient) -> None:
    first = await version(client, {"A": b"1"}, figures(DEV, A=0.8))
    await client.deploy(first)
    policy = await client.set_policy(
        "p", gate=DeployGate(min_micro_f1=0.7, min_label_f1=0.6, max_label_regression=0.05)
    )
    assert policy.gate.split == DEV
    baseline = Baseline(model_version=first, evaluation=figures(DEV, A=0.8))
    worse = await version(client, {"A": b"2"}, figures(DEV, A=0.5), baseline=baseline)
    with pytest.raises(aio.AioRpcError) as caught:
        await client.deploy(worse)
    error = received_error(caught.value)
    assert (error.code, error.reason) == (PRECONDITION, Reason.GATE_FAILED)
    assert [(one.type, one.subject) for one in error.preconditions] == [
        ("MIN_MICRO_F1", worse),
        ("MIN_LABEL_F1", "A"),
        ("MAX_LABEL_REGRESSION", "A"),
    ]
    assert (await client.get_version(worse)).baseline == baseline
    better = await version(client, {"A": b"3"}, figures(DEV, A=0.76), baseline=baseline)
    assert (await client.deploy(better)).revision == 2
    request = registry_pb.DeployRequest(model_version=worse, force=True, request_id="r")
    forced = (await client.stub.Deploy(request)).deployment
    assert forced.revision == 3
    assert (await client.stub.Deploy(request)).deployment == forced
    with refused(INVALID, Reason.REQUEST_ID_REUSED):
        await client.deploy(worse, request_id="r")
    events = await audit(client, actions=[audit_pb2.AUDIT_ACTION_DEPLOY])
    assert [(e.model_version, "violated" in e.details) for e in events] == [
        (worse, True),
        (better, False),
        (first, False),
    ]
    assert "MIN_LABEL_F1 (A)" in events[0].details["violated"]
    await client.set_policy("p", gate=DeployGate())
    assert (await client.deploy(worse)).revision == 4
    await client.rollback("p", revision=1)  # what was served before passes no gate again


async def test_gates_out_of_range(client: RegistryClient) -> None:
    for gate, field in (
        (DeployGate(min_micro_f1=1.5), "min_micro_f1"),
        (DeployGate(min_label_f1=-0.1), "min_label_f1"),
        (DeployGate(max_label_regression=float("nan")), "max_label_regression"),
        (DeployGate(split=9), "split"),  # type: ignore[arg-type]
    ):
        with refused(INVALID, Reason.FIELD_INVALID, field=f"registry_policy.gate.{field}"):
            await client.set_policy("p", gate=gate)


async def audit(
    client: RegistryClient, parent: str = "projects/p", page_size: int = 0, **fields: object
) -> list[audit_pb2.AuditEvent]:
    found: list[audit_pb2.AuditEvent] = []
    token = ""
    while True:
        answer = await client.governance.ListAuditEvents(
            pb.ListAuditEventsRequest(
                parent=parent,
                page_size=page_size,
                page_token=token,
                **fields,  # type: ignore[arg-type]
            )
        )
        found += answer.audit_events
        token = answer.next_page_token
        if not token:
            return found


async def everything(client: RegistryClient, clock: ManualClock) -> None:
    """Do one of each, a second apart."""
    one = await version(client, {"A": b"1"}, figures(DEV, A=0.8))
    clock.advance(1)
    two = await version(client, {"A": b"2"}, figures(DEV, A=0.8))
    for step in (
        client.deploy(one),
        client.deploy(two),
        client.pin("p", "A", one),
        client.unpin("p", "A"),
        client.rollback("p", revision=1),
        client.set_alias("projects/p/modelVersions/ner@gold", two),
        client.delete_alias("projects/p/modelVersions/ner@gold"),
        client.retire(two),
        client.set_policy("p", retention=RetentionPolicy(keep_last=1, keep_revisions=1)),
    ):
        clock.advance(1)
        await step
    clock.advance(1)
    await version(client, {"A": b"3"}, figures(DEV, A=0.8))
    clock.advance(30 * 86_400)
    await client.retention()


async def test_every_change_is_audited(client: RegistryClient, clock: ManualClock) -> None:
    began = clock.now()
    await everything(client, clock)
    events = await audit(client)
    names = [audit_pb2.AuditAction.Name(e.action).removeprefix("AUDIT_ACTION_") for e in events]
    created = ["VERIFY_MODEL_VERSION", "CREATE_MODEL_VERSION"]
    # ner_p_v2 was served before champion, so retention lets nothing go
    assert names == [
        *created, "UPDATE_REGISTRY_POLICY", "RETIRE_MODEL_VERSION", "DELETE_MODEL_ALIAS",
        "SET_MODEL_ALIAS", "ROLLBACK", "UNPIN_LABEL", "PIN_LABEL", "DEPLOY", "DEPLOY",
        *created, *created,
    ]  # fmt: skip
    times = [event.time.ToMicroseconds() for event in events]
    assert times == sorted(times, reverse=True)
    assert {event.actor for event in events} == {"system"}
    by_action = dict(zip(reversed(names), reversed(events), strict=True))
    pin = by_action["PIN_LABEL"]
    assert (pin.resource, pin.model_version) == (
        "projects/p/deployment", "projects/p/modelVersions/ner_p_v1"
    )  # fmt: skip
    assert dict(pin.details) == {"revision": "3", "label": "A"}
    assert by_action["ROLLBACK"].details["restored_revision"] == "1"
    assert by_action["VERIFY_MODEL_VERSION"].details["state"] == "READY"
    assert by_action["SET_MODEL_ALIAS"].resource == "projects/p/modelVersions/ner@gold"
    # with what belongs to no project
    of_all = await audit(client, "projects/-")
    kinds = {event.action for event in of_all} - {event.action for event in events}
    assert kinds == {
        audit_pb2.AUDIT_ACTION_REGISTER_TRUNK,
        audit_pb2.AUDIT_ACTION_REGISTER_ADAPTER,
    }
    for size in (1, 2, 3, 7):  # changes at one time are neither lost nor told twice
        assert await audit(client, "projects/-", size) == of_all
    one = "projects/p/modelVersions/ner_p_v1"
    assert await audit(client, resource=one) == [e for e in events if e.model_version == one]
    deploys = [audit_pb2.AUDIT_ACTION_DEPLOY, audit_pb2.AUDIT_ACTION_ROLLBACK]
    assert await audit(client, actions=deploys) == [e for e in events if e.action in deploys]
    start, end = to_timestamp(began + 3_000_000), to_timestamp(began + 6_000_000)
    window = await audit(client, start_time=start, end_time=end)
    assert [e.action for e in window] == [
        audit_pb2.AUDIT_ACTION_UNPIN_LABEL,
        audit_pb2.AUDIT_ACTION_PIN_LABEL,
        audit_pb2.AUDIT_ACTION_DEPLOY,
    ]
    assert await audit(client, "projects/q") == []


async def test_purges_and_runs_are_audited(client: RegistryClient, clock: ManualClock) -> None:
    await version(client, {"A": b"1"})
    await version(client, {"A": b"2"})
    await client.set_policy("p", retention=RetentionPolicy(keep_last=1))
    clock.advance(400 * 86_400 * 10)  # files have the times of the machine
    await client.retention(apply=False)
    assert not await audit(client, actions=[audit_pb2.AUDIT_ACTION_PURGE_MODEL_VERSION])
    await client.retention()
    (purge,) = await audit(client, actions=[audit_pb2.AUDIT_ACTION_PURGE_MODEL_VERSION])
    assert purge.model_version == "projects/p/modelVersions/ner_p_v1"
    (run,) = await audit(client, "projects/-", actions=[audit_pb2.AUDIT_ACTION_RUN_RETENTION])
    assert dict(run.details) == {"adapters": "1", "files": "1", "bytes": "1"}


async def test_users_are_named(tmp_path: Path) -> None:
    async with registry(tmp_path) as client:
        (name,) = await client.ready("p")
        await client.stub.Deploy(
            registry_pb.DeployRequest(model_version=name), metadata=(("spanloop-user", "alice"),)
        )
        assert (await client.deployment("p")).actor == "alice"
        events = await audit(client)
        assert [event.actor for event in events] == ["alice", "system", "system"]


async def test_audit_requests_that_are_refused(client: RegistryClient) -> None:
    with refused(INVALID, Reason.FIELD_INVALID, field="parent"):
        await audit(client, "p")
    with refused(INVALID, Reason.FIELD_INVALID, field="actions"):
        await audit(client, actions=[99])
    with refused(INVALID, Reason.PAGE_TOKEN_INVALID):
        await client.governance.ListAuditEvents(
            pb.ListAuditEventsRequest(parent="projects/p", page_token="nonsense")
        )


async def lineage(client: RegistryClient, name: str, label: str = "") -> list[tuple[str, ...]]:
    """Return label, version, origin and snapshot of each step by their ids."""
    answer = await client.governance.GetLineage(pb.GetLineageRequest(name=name, label=label))
    return [
        tuple(
            value.rpartition("/")[2]
            for value in (step.label, step.model_version, step.origin, step.lineage.snapshot)
        )
        for step in answer.steps
    ]


async def test_lineage_leads_to_the_training_that_made_an_adapter(client: RegistryClient) -> None:
    def of(snapshot: str, *bases: str) -> Lineage:
        return Lineage(
            snapshot=f"projects/p/snapshots/{snapshot}",
            training_job=f"projects/p/trainingJobs/{snapshot}",
            base_model_versions=bases,
        )

    first = await version(client, {"A": b"a1", "B": b"b1"}, lineage=of("s1"))
    # B was trained again, A taken over
    second = await version(client, {"A": b"a1", "B": b"b2"}, lineage=of("s2", first))
    assert (await client.get_version(second)).lineage.base_model_versions == [first]
    assert await lineage(client, second) == [
        ("A", "ner_p_v2", "ner_p_v1", "s1"),
        ("B", "ner_p_v2", "ner_p_v2", "s2"),
    ]
    assert await lineage(client, second, "B") == [("B", "ner_p_v2", "ner_p_v2", "s2")]
    with refused(PRECONDITION, Reason.NOTHING_DEPLOYED):
        await lineage(client, "projects/p/deployment")
    await client.deploy(second)
    await client.pin("p", "B", first)
    pinned = [("A", "ner_p_v2", "ner_p_v1", "s1"), ("B", "ner_p_v1", "ner_p_v1", "s1")]
    assert await lineage(client, "projects/p/deployment") == pinned
    assert await lineage(client, "projects/p/deployment/revisions/2") == pinned
    assert (await lineage(client, "projects/p/deployment/revisions/1"))[1][3] == "s2"
    assert await lineage(client, "projects/p/modelVersions/ner@champion", "A") == pinned[:1]
    digest = (await client.get_version(second)).adapters["A"]
    assert await lineage(client, f"adapters/{digest[7:]}") == [("A", "", "ner_p_v1", "s1")]
    lonely = await client.adapter("C", b"c")
    assert await lineage(client, f"adapters/{lonely[7:]}") == [("C", "", "", "")]
    for name in (
        "projects/p/deployment/revisions/9",
        f"adapters/{'0' * 64}",
        "projects/p/modelVersions/ner_p_v9",
    ):
        with pytest.raises(aio.AioRpcError) as caught:
            await lineage(client, name)
        assert caught.value.code() is NOT_FOUND
    for name in ("", "adapters/x", "projects/p/deployment/revisions/x", "projects/p"):
        with refused(INVALID, Reason.FIELD_INVALID, field="name"):
            await lineage(client, name)


async def test_bases_and_baselines_are_versions_of_the_project(client: RegistryClient) -> None:
    foreign = "projects/q/modelVersions/ner_q_v1"
    with refused(
        INVALID, Reason.FIELD_INVALID, field="model_version.lineage.base_model_versions[0]"
    ):
        await version(client, {"A": b"1"}, lineage=Lineage(base_model_versions=[foreign]))
    with refused(INVALID, Reason.FIELD_INVALID, field="model_version.baseline.model_version"):
        await version(client, {"A": b"1"}, baseline=Baseline(model_version=foreign))


async def card(client: RegistryClient, name: str) -> str:
    answer = await client.governance.GetModelCard(pb.GetModelCardRequest(name=name))
    return answer.markdown


async def test_a_card_says_what_is_known_and_the_hub_reads_it(client: RegistryClient) -> None:
    odd = 'A: "#|x" [y]'
    name = await version(
        client,
        {odd: b"1", "B": b"2"},
        figures(DEV, **{odd: 0.5, "B": 0.25}),
        figures(TEST, **{odd: 0.75}),
        lineage=Lineage(
            snapshot="projects/p/snapshots/s1",
            snapshot_content_hash="sha256:abc",
            training_job="projects/p/trainingJobs/j1",
            code_version="1.2.3",
            parameters='{"engine":"ladder","seed":0}',
        ),
    )
    await client.deploy(name)
    text = await card(client, "projects/p/modelVersions/ner@champion")
    assert text == await card(client, name)
    _, head, body = text.split("---\n", 2)
    meta = yaml.safe_load(head)
    assert meta["pipeline_tag"] == "token-classification"
    assert meta["library_name"] == "spanloop"
    assert meta["datasets"] == ["projects/p/snapshots/s1"]
    assert "base_model" not in meta  # the trunk is from no hub
    assert {"spanloop", "ner"} <= set(meta["tags"])
    data = ModelCard(text).data
    assert data.model_name == "ner_p_v1"
    results = {(r.dataset_split, r.metric_name): r for r in data.eval_results}
    result = results["test", f"f1 ({odd})"]
    assert (result.metric_type, result.metric_value) == ("f1", 0.75)
    assert result.dataset_revision == "sha256:abc"
    assert results["dev", "f1 (micro)"].metric_value == 0.375
    for fact in (
        "deployed, revision 1",
        trunk_manifest().digest,
        "sha256:abc",
        "1.2.3",
        '"seed": 0',
    ):
        assert fact in body
    assert "Not measured on test: `B`" in body
    assert "Fewer than" not in body
    with refused(NOT_FOUND, Reason.MODEL_VERSION_UNKNOWN):
        await card(client, "projects/p/modelVersions/ner_p_v9")


async def test_cards_of_what_is_little_known(client: RegistryClient) -> None:
    digest = await client.adapter("topic", head=Head.CHOICES, classes=("good", "`bad`|"))
    made = await client.stub.CreateModelVersion(
        registry_pb.CreateModelVersionRequest(
            parent="projects/p",
            model_version=ModelVersion(
                model_type=evaluation_pb2.MODEL_TYPE_CLASSIFICATION,
                control="topic",
                adapters={"topic": digest},
            ),
        )
    )
    text = await card(client, made.model_version.name)
    data = ModelCard(text).data
    assert data.pipeline_tag == "text-classification"
    assert data.eval_results is None
    assert "It is REGISTERED: it cannot be deployed." in text
    assert "Its quality was not measured." in text
    assert "`good`, `'bad'¦`" in text
    await client.verify(made.model_version.name, GOOD)
    assert "cannot be deployed" not in await card(client, made.model_version.name)
