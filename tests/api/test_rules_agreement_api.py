"""Rule pre-annotation and agreement, through the contract."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest
from google.protobuf.json_format import ParseDict

from services.common.errors import Reason
from spanloop.annotation.v1 import agreement_service_pb2 as agreement_pb
from spanloop.annotation.v1 import annotation_service_pb2 as annotation_pb
from spanloop.annotation.v1 import completion_pb2, label_pb2, selection_pb2
from spanloop.annotation.v1 import rule_service_pb2 as pb
from spanloop.common.v1 import text_pb2
from tests.support.annotation import AnnotationClient, annotation, refused

INVALID = grpc.StatusCode.INVALID_ARGUMENT
RULES = [
    {"label": "DRUG", "dictionary": {"terms": ["aspirin", "ibuprofen"]}},
    {"label": "DOSE", "regex": {"pattern": r"(?:about )?(\d+ mg)", "group": 1}, "score": 0.5},
    {
        "id": "due",
        "label": "DATE",
        "tokens": {"patterns": [[{"LOWER": "due"}, {"LENGTH": {"==": 4}, "OP": "+"}]]},
    },
]


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[AnnotationClient]:
    async with annotation(tmp_path) as client:
        await client.project("p", "DRUG", "DOSE", "DATE")
        yield client


def rules(*wanted: dict[str, object]) -> list[pb.Rule]:
    return [ParseDict(one, pb.Rule()) for one in wanted or RULES]


async def create(client: AnnotationClient, *wanted: dict[str, object]) -> pb.RuleSet:
    request = pb.CreateRuleSetRequest(
        parent="projects/p", rule_set_id="meds", rule_set=pb.RuleSet(rules=rules(*wanted))
    )
    return (await client.rules.CreateRuleSet(request)).rule_set


async def apply(client: AnnotationClient, **wanted: object) -> pb.ApplyRuleSetResponse:
    request = pb.ApplyRuleSetRequest(
        name="projects/p/ruleSets/meds", filter=selection_pb2.TaskFilter(**wanted)
    )
    return [one async for one in client.rules.ApplyRuleSet(request)][-1]


async def test_rules_find_and_their_predictions_name_the_revision(
    client: AnnotationClient,
) -> None:
    made = await create(client)
    assert (made.revision, made.display_name) == (1, "meds")
    assert [one.id for one in made.rules] == ["1", "2", "due"]
    text = "👩‍👩‍👧 Aspirin about 500 mg, due 2024"
    units = text_pb2.TEXT_OFFSET_ENCODING_UTF16
    answer = await client.rules.PreviewRules(
        pb.PreviewRulesRequest(
            parent="projects/p", rule_set=made.name, text=text, offset_encoding=units
        )
    )
    raw = text.encode("utf-16-le")
    found = [
        (one.label, raw[2 * one.start : 2 * one.end].decode("utf-16-le"), one.score)
        for one in answer.spans
    ]
    assert found == [("DRUG", "Aspirin", 1.0), ("DOSE", "500 mg", 0.5), ("DATE", "due 2024", 1.0)]
    task = (await client.task("projects/p", text, tags=["x"])).name
    await client.task("projects/p", "nothing here")
    done = await apply(client)
    assert (done.generation, done.tasks, done.written, done.spans) == ("rules/meds@1", 2, 2, 3)
    again = await apply(client)
    assert (again.written, again.unchanged) == (0, 2)
    listed = await client.stub.ListPredictions(annotation_pb.ListPredictionsRequest(parent=task))
    assert [one.generation for one in listed.predictions] == ["rules/meds@1"]

    update = pb.UpdateRuleSetRequest(
        rule_set=pb.RuleSet(name=made.name, display_name="Drugs", etag=made.etag)
    )
    update.update_mask.paths.append("display_name")
    named = (await client.rules.UpdateRuleSet(update)).rule_set
    assert (named.display_name, named.revision) == ("Drugs", 1)
    with refused(grpc.StatusCode.ABORTED, Reason.ETAG_MISMATCH):
        await client.rules.UpdateRuleSet(update)
    update.rule_set.etag = ""
    update.rule_set.rules.extend(rules(RULES[0]))
    update.update_mask.paths[:] = ["rules"]
    assert (await client.rules.UpdateRuleSet(update)).rule_set.revision == 2
    assert (await client.rules.UpdateRuleSet(update)).rule_set.revision == 2
    # A label that was renamed meanwhile is what the new predictions carry.
    labels = await client.stub.ListLabels(annotation_pb.ListLabelsRequest(parent="projects/p"))
    rename = annotation_pb.UpdateLabelRequest(
        label=label_pb2.Label(name=labels.labels[0].name, value="MEDICINE")
    )
    rename.update_mask.paths.append("value")
    await client.stub.UpdateLabel(rename)
    fresh = await apply(client, tags_any=["x"])
    assert (fresh.generation, fresh.tasks, fresh.written) == ("rules/meds@2", 1, 1)
    listed = await client.stub.ListPredictions(
        annotation_pb.ListPredictionsRequest(parent=task, generation="rules/meds@2")
    )
    assert [one.label for one in listed.predictions[0].spans] == ["MEDICINE"]
    await client.rules.DeleteRuleSet(pb.DeleteRuleSetRequest(name=made.name))
    listing = await client.rules.ListRuleSets(pb.ListRuleSetsRequest(parent="projects/p"))
    assert listing.rule_sets == []
    with refused(grpc.StatusCode.NOT_FOUND, Reason.RESOURCE_NOT_FOUND):
        await client.rules.GetRuleSet(pb.GetRuleSetRequest(name=made.name))


@pytest.mark.parametrize(
    ("bad", "reason", "field"),
    [
        ({"label": "NONE", "dictionary": {"terms": ["a"]}}, Reason.LABEL_UNKNOWN, "rules[0].label"),
        ({"label": "DRUG"}, Reason.FIELD_INVALID, "rules[0]"),
        ({"label": "DRUG", "regex": {"pattern": "("}}, Reason.FIELD_INVALID, ""),
        ({"label": "DRUG", "regex": {"pattern": "x*"}}, Reason.FIELD_INVALID, ""),
        ({"label": "DRUG", "dictionary": {}}, Reason.FIELD_INVALID, ""),
        (
            {"label": "DRUG", "tokens": {"patterns": [[{"POS": "NOUN"}]]}},
            Reason.FIELD_INVALID,
            "",
        ),
    ],
)
async def test_rules_that_cannot_run_are_refused(
    client: AnnotationClient, bad: dict[str, object], reason: Reason, field: str
) -> None:
    with refused(INVALID, reason, field=field):
        await create(client, bad)
    listing = await client.rules.ListRuleSets(pb.ListRuleSetsRequest(parent="projects/p"))
    assert listing.rule_sets == []


async def test_models_cannot_pass_for_rules(client: AnnotationClient) -> None:
    task = (await client.task("projects/p", "text")).name
    from spanloop.annotation.v1 import prediction_pb2

    for generation in ("rules/meds@1", "import/x"):
        prediction = prediction_pb2.Prediction(
            task=task, generation=generation, adapters={"DRUG": "d"}
        )
        with refused(INVALID, Reason.FIELD_INVALID, field="predictions[0].generation"):
            await client.stub.WritePredictions(
                annotation_pb.WritePredictionsRequest(parent="projects/p", predictions=[prediction])
            )


async def test_agreement_of_a_team(client: AnnotationClient) -> None:
    with refused(grpc.StatusCode.FAILED_PRECONDITION, Reason.STATE_CONFLICT):
        await client.agreement.ComputeAgreement(
            agreement_pb.ComputeAgreementRequest(parent="projects/p")
        )
    first = (await client.task("projects/p", "aspirin and ibuprofen", tags=["a"])).name
    await client.complete(first, [(0, 7, "DRUG")], author="ann")
    await client.complete(first, [(0, 7, "DRUG"), (12, 21, "DRUG")], author="bob")
    # Drafts and whoever is alone do not count.
    await client.complete(first, [(8, 11, "DATE")], author="cy", submit=False)
    second = (await client.task("projects/p", "due today")).name
    for author, choice in (("ann", "low"), ("bob", "low"), ("cy", "high")):
        completion = completion_pb2.Completion(
            author=author, choices=[completion_pb2.Choice(name="urgency", values=[choice])]
        )
        await client.stub.CreateCompletion(
            annotation_pb.CreateCompletionRequest(parent=second, completion=completion, submit=True)
        )
    found = await client.agreement.ComputeAgreement(
        agreement_pb.ComputeAgreementRequest(parent="projects/p")
    )
    assert found.authors == ["ann", "bob", "cy"]
    drug = next(one for one in found.labels if one.target == "DRUG")
    pair = next(one for one in drug.pairs if (one.first, one.second) == ("ann", "bob"))
    # One of one and of two: precision 1, recall 1/2.
    assert pair.exact_f1.value == pytest.approx(2 / 3)
    assert drug.krippendorff_alpha.HasField("value")
    assert [one.target for one in found.choices] == ["urgency"]
    undefined = [one.cohen_kappa for one in found.choices[0].pairs if not one.cohen_kappa.value]
    assert all(one.undefined_reason or one.value == 0 for one in undefined)
    only = await client.agreement.ComputeAgreement(
        agreement_pb.ComputeAgreementRequest(
            parent="projects/p",
            filter=selection_pb2.TaskFilter(tags_any=["a"]),
            authors=["ann", "bob"],
            labels=["DRUG"],
        )
    )
    assert only.overall.tasks == 1
    assert only.overall.spans == 3
