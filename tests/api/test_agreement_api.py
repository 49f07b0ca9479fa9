"""AgreementService over the wire: what is set, what is not and why, and who may ask."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest

from services.common.errors import Reason
from spanloop.annotation.v1 import agreement_service_pb2 as pb
from spanloop.annotation.v1 import annotation_service_pb2 as annotation_pb
from spanloop.annotation.v1 import completion_pb2, selection_pb2
from spanloop.annotation.v1 import member_service_pb2 as member_pb
from tests.support.annotation import AnnotationClient, annotation, refused

TEXT = "👩‍👩‍👧 one two three"
ONE, TWO = (6, 9), (10, 13)
SPAN_MEASURES = ("exact_f1", "overlap_f1")
MEASURES = ("cohen_kappa", "fleiss_kappa", "krippendorff_alpha")


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[AnnotationClient]:
    async with annotation(tmp_path) as client:
        await client.project("p", "A", "B")
        yield client


async def compute(client: AnnotationClient, **fields: object) -> pb.ComputeAgreementResponse:
    request = pb.ComputeAgreementRequest(parent="projects/p", **fields)
    return await client.agreement.ComputeAgreement(request)


async def choose(client: AnnotationClient, task: str, author: str, *values: str) -> None:
    completion = completion_pb2.Completion(
        author=author, choices=[completion_pb2.Choice(name="mood", values=values)]
    )
    await client.stub.CreateCompletion(
        annotation_pb.CreateCompletionRequest(parent=task, completion=completion, submit=True)
    )


async def test_every_measure_has_a_value_or_says_why_not(client: AnnotationClient) -> None:
    task = (await client.task("projects/p", TEXT)).name
    await client.complete(task, [(*ONE, "A")], author="ann")
    await client.complete(task, [(ONE[0], TWO[1], "A"), (*TWO, "B")], author="bob")
    second = (await client.task("projects/p", "fine")).name
    for author in ("ann", "bob"):
        await choose(client, second, author, "good")
    found = await compute(client)
    assert found.authors == ["ann", "bob"]
    overall = found.overall
    assert (overall.target, overall.tasks, overall.spans, overall.annotators) == ("", 2, 3, 2)
    assert [one.target for one in found.labels] == ["A", "B"]
    of_a, of_b = found.labels
    # Different ends: not equal, but they overlap.
    assert (of_a.exact_f1.value, of_a.overlap_f1.value) == (0.0, 1.0)
    assert of_a.exact_f1.HasField("value")
    assert (of_b.exact_f1.value, of_b.pairs[0].spans, of_b.pairs[0].tasks) == (0.0, 1, 2)
    assert 0 < of_a.cohen_kappa.value < 1
    (mood,) = found.choices
    assert (mood.target, mood.tasks, mood.spans, mood.pairs[0].tasks) == ("mood", 1, 0, 1)
    for name in SPAN_MEASURES:
        assert not mood.HasField(name)
        assert not mood.pairs[0].HasField(name)
    # All chose the same: there is nothing that chance could be told apart from.
    for name in MEASURES:
        measure = getattr(mood, name)
        assert not measure.HasField("value")
        assert measure.undefined_reason
    for summary in (overall, *found.labels):
        for name in (*SPAN_MEASURES, *MEASURES):
            measure = getattr(summary, name)
            assert measure.HasField("value") != bool(measure.undefined_reason), name


async def test_what_was_corrected_counts_once(client: AnnotationClient) -> None:
    task = (await client.task("projects/p", TEXT)).name
    await client.complete(task, [(*ONE, "A")], author="ann")
    first = await client.complete(task, [(*TWO, "A")], author="bob")
    assert (await compute(client)).overall.exact_f1.value == 0.0
    review = annotation_pb.ReviewCompletionRequest(
        name=first.name,
        verdict=annotation_pb.VERDICT_REJECT,
        reviewer="rita",
    )
    await client.stub.ReviewCompletion(review)
    with refused(grpc.StatusCode.FAILED_PRECONDITION, Reason.STATE_CONFLICT):
        await compute(client)
    await client.complete(task, [(*ONE, "A")], author="bob")
    found = await compute(client)
    assert (found.overall.exact_f1.value, found.overall.spans) == (1.0, 2)


async def test_refusals(client: AnnotationClient) -> None:
    invalid = grpc.StatusCode.INVALID_ARGUMENT
    with refused(grpc.StatusCode.FAILED_PRECONDITION, Reason.STATE_CONFLICT, resource="projects/p"):
        await compute(client)
    with refused(invalid, Reason.LABEL_UNKNOWN, field="labels[1]"):
        await compute(client, labels=["A", "C"])
    with refused(invalid, Reason.FIELD_INVALID, field="filter.text_regex"):
        await compute(client, filter=selection_pb2.TaskFilter(text_regex="("))
    with refused(grpc.StatusCode.NOT_FOUND, Reason.RESOURCE_NOT_FOUND):
        await client.agreement.ComputeAgreement(
            pb.ComputeAgreementRequest(parent="projects/nowhere")
        )
    with refused(invalid, Reason.FIELD_INVALID, field="parent"):
        await client.agreement.ComputeAgreement(pb.ComputeAgreementRequest(parent="p"))


async def test_reviewers_may_ask_and_annotators_not(client: AnnotationClient) -> None:
    task = (await client.task("projects/p", TEXT)).name
    for author in ("ann", "bob"):
        await client.complete(task, [(*ONE, "A")], author=author)
    for user, role in (("ann", member_pb.ROLE_ANNOTATOR), ("rita", member_pb.ROLE_REVIEWER)):
        await client.members.CreateMember(
            member_pb.CreateMemberRequest(
                parent="projects/p", member=member_pb.Member(user=user, roles=[role])
            )
        )
    request = pb.ComputeAgreementRequest(parent="projects/p")
    call = client.agreement.ComputeAgreement
    found = await call(request, metadata=[("spanloop-user", "rita")])
    assert found.overall.exact_f1.value == 1.0
    with refused(grpc.StatusCode.PERMISSION_DENIED, Reason.ACCESS_DENIED):
        await call(request, metadata=[("spanloop-user", "ann")])
    with refused(grpc.StatusCode.NOT_FOUND, Reason.RESOURCE_NOT_FOUND):
        await call(request, metadata=[("spanloop-user", "eve")])
