"""RuleService over the wire: forms of rules, pages, events, refusals, and a stream cut off."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest
from google.protobuf.json_format import ParseDict

from services.annotation.rules import applying
from services.common.errors import Reason
from spanloop.annotation.v1 import annotation_service_pb2 as annotation_pb
from spanloop.annotation.v1 import member_service_pb2 as member_pb
from spanloop.annotation.v1 import rule_service_pb2 as pb
from spanloop.annotation.v1 import selection_pb2
from tests.support.annotation import AnnotationClient, annotation, kind, refused

INVALID = grpc.StatusCode.INVALID_ARGUMENT
NAME = "projects/p/ruleSets/meds"
WORD = {"label": "A", "dictionary": {"terms": ["aspirin"]}}


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[AnnotationClient]:
    async with annotation(tmp_path) as client:
        await client.project("p", "A", "B")
        yield client


async def create(
    client: AnnotationClient, *rules: dict[str, object], id: str = "meds", project: str = "p"
) -> pb.RuleSet:
    request = pb.CreateRuleSetRequest(
        parent=f"projects/{project}",
        rule_set_id=id,
        rule_set=ParseDict({"rules": list(rules or [WORD])}, pb.RuleSet()),
    )
    return (await client.rules.CreateRuleSet(request)).rule_set


async def preview(client: AnnotationClient, text: str, **fields: object) -> list[tuple[str, str]]:
    answer = await client.rules.PreviewRules(
        pb.PreviewRulesRequest(parent="projects/p", text=text, **fields)
    )
    return [(text[one.start : one.end], one.label) for one in answer.spans]


async def test_rules_come_back_as_they_were_sent(client: AnnotationClient) -> None:
    sent = [
        {
            "id": "words",
            "label": "A",
            "priority": -3,
            "score": 0.25,
            "dictionary": {"terms": ["Straße", "a b"], "case_sensitive": True},
        },
        {
            "id": "parts",
            "label": "A",
            "score": 0.0,
            "dictionary": {"terms": ["itis"], "inside_words": True},
        },
        {
            "id": "dose",
            "label": "B",
            "score": 1.0,
            "regex": {"pattern": r"(\d+) mg", "group": 1, "ignore_case": True},
        },
        {
            "id": "due",
            "label": "B",
            "score": 1.0,
            "tokens": {
                "patterns": [
                    [
                        {"LOWER": {"IN": ["due", "owed"]}},
                        {"LENGTH": {">=": 2, "<": 5}, "OP": "{1,2}"},
                        {"IS_DIGIT": True, "LENGTH": 4},
                    ],
                    [{"ORTH": "ASAP"}],
                ]
            },
        },
    ]
    made = await create(client, *sent)
    stored = (await client.rules.GetRuleSet(pb.GetRuleSetRequest(name=NAME))).rule_set
    assert stored == made
    wanted = ParseDict({"rules": sent}, pb.RuleSet())
    assert list(stored.rules) == list(wanted.rules)
    assert stored.rules[1].HasField("score")
    text = "Straße STRASSE arthritis 20 MG due on 2024, ASAP"
    found = await preview(client, text, rule_set=NAME)
    assert found == [
        ("Straße", "A"),
        ("itis", "A"),
        ("20", "B"),
        ("due on 2024", "B"),
        ("ASAP", "B"),
    ]
    # Rules that are not stored find the same.
    assert await preview(client, text, rules=wanted.rules) == found


@pytest.mark.parametrize(
    ("bad", "field"),
    [
        ({"tokens": {"patterns": [[{"LENGTH": 2.5}]]}}, "rules[0].tokens.patterns[0][0].LENGTH"),
        ({"tokens": {"patterns": [["due"]]}}, "rules[0].tokens.patterns[0][0]"),
        ({"tokens": {"patterns": [[{"POS": "X"}]]}}, "rules[0].tokens.patterns[0][0].POS"),
        ({"tokens": {"patterns": [[{"LOWER": None}]]}}, "rules[0].tokens.patterns[0][0].LOWER"),
        ({"tokens": {}}, "rules[0].tokens.patterns"),
        ({"regex": {"pattern": "a", "group": -1}}, "rules[0].regex.group"),
        ({"regex": {"pattern": "a", "group": 1}}, "rules[0].regex.group"),
        ({"regex": {}}, "rules[0].regex.pattern"),
        ({"dictionary": {"terms": ["a", ""]}}, "rules[0].dictionary.terms[1]"),
        ({"dictionary": {"terms": ["a"]}, "score": 1.5}, "rules[0].score"),
        ({"dictionary": {"terms": ["a"]}, "score": "NaN"}, "rules[0].score"),
        ({"dictionary": {"terms": ["a"]}, "priority": 2_000_000}, "rules[0].priority"),
    ],
)
async def test_a_bad_rule_is_refused_with_its_field(
    client: AnnotationClient, bad: dict[str, object], field: str
) -> None:
    with refused(INVALID, Reason.FIELD_INVALID, field=field):
        await create(client, {"label": "A", **bad})


async def test_refusals(client: AnnotationClient) -> None:
    not_a_number = pb.Rule(label="A")
    token = not_a_number.tokens.patterns.add().values.add().struct_value
    token.fields["LENGTH"].number_value = float("nan")
    with refused(INVALID, Reason.FIELD_INVALID, field="rules[0].tokens.patterns"):
        await preview(client, "a", rules=[not_a_number])
    with refused(INVALID, Reason.FIELD_INVALID, field="rules"):
        await client.rules.CreateRuleSet(
            pb.CreateRuleSetRequest(parent="projects/p", rule_set_id="meds")
        )
    with refused(INVALID, Reason.FIELD_INVALID, field="rule_set_id"):
        await create(client, id="Not An Id")
    with refused(grpc.StatusCode.NOT_FOUND, Reason.RESOURCE_NOT_FOUND):
        await create(client, project="nowhere")
    await create(client)
    with refused(grpc.StatusCode.ALREADY_EXISTS, Reason.RESOURCE_EXISTS, resource=NAME):
        await create(client)
    with refused(INVALID, Reason.FIELD_INVALID, field="rules[1].id"):
        await create(client, {**WORD, "id": "2"}, WORD, id="other")
    for fields in ({}, {"rule_set": NAME, "rules": [ParseDict(WORD, pb.Rule())]}):
        with refused(INVALID, Reason.FIELD_INVALID, field="rules"):
            await preview(client, "a", **fields)
    with refused(INVALID, Reason.FIELD_INVALID, field="rule_set"):
        await preview(client, "a", rule_set="projects/other/ruleSets/meds")
    with refused(INVALID, Reason.FIELD_INVALID, field="text"):
        await preview(client, "", rule_set=NAME)
    update = pb.UpdateRuleSetRequest(rule_set=pb.RuleSet(name=NAME))
    update.update_mask.paths.append("revision")
    with refused(INVALID, Reason.FIELD_INVALID):
        await client.rules.UpdateRuleSet(update)
    with refused(grpc.StatusCode.ABORTED, Reason.ETAG_MISMATCH):
        await client.rules.DeleteRuleSet(pb.DeleteRuleSetRequest(name=NAME, etag='"stale"'))
    missing = pb.ApplyRuleSetRequest(name="projects/p/ruleSets/none")
    with refused(grpc.StatusCode.NOT_FOUND, Reason.RESOURCE_NOT_FOUND):
        await client.rules.ApplyRuleSet(missing).read()
    bad_filter = selection_pb2.TaskFilter(text_regex="(")
    with refused(INVALID, Reason.FIELD_INVALID, field="filter.text_regex"):
        await client.rules.ApplyRuleSet(pb.ApplyRuleSetRequest(name=NAME, filter=bad_filter)).read()


async def test_lists_go_page_by_page(client: AnnotationClient) -> None:
    for name in ("c", "a", "b"):
        await create(client, id=name)
    names, token, pages = [], "", 0
    while True:
        answer = await client.rules.ListRuleSets(
            pb.ListRuleSetsRequest(parent="projects/p", page_size=2, page_token=token)
        )
        names += [one.name.rpartition("/")[2] for one in answer.rule_sets]
        token, pages = answer.next_page_token, pages + 1
        if not token:
            break
    assert (names, pages) == (["c", "a", "b"], 2)
    with refused(INVALID, Reason.PAGE_TOKEN_INVALID):
        await client.rules.ListRuleSets(pb.ListRuleSetsRequest(parent="projects/p", page_token="x"))


async def test_events_tell_of_every_change_also_when_an_id_is_used_again(
    client: AnnotationClient,
) -> None:
    await create(client)
    update = pb.UpdateRuleSetRequest(rule_set=pb.RuleSet(name=NAME, display_name="Meds"))
    update.update_mask.paths.append("display_name")
    await client.rules.UpdateRuleSet(update)
    await client.rules.DeleteRuleSet(pb.DeleteRuleSetRequest(name=NAME))
    again = await create(client)
    assert again.revision == 2
    await client.task("projects/p", "the last event")
    # Of the project, its two labels, the rule set, the task.
    events = await client.events("projects/p", 8)
    assert [kind(one) for one in events[3:]] == [
        "RULE_SET_CREATED",
        "RULE_SET_UPDATED",
        "RULE_SET_DELETED",
        "RULE_SET_CREATED",
        "TASK_CREATED",
    ]
    assert {one.resource for one in events[3:7]} == {NAME}


async def test_a_stream_that_was_cut_off_goes_on(
    client: AnnotationClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(applying, "_SOME_SPANS", -1)  # a message for each task
    tasks = [(await client.task("projects/p", f"aspirin {n}")).name for n in range(12)]
    deleted = await client.task("projects/p", "aspirin")
    await client.stub.DeleteTask(annotation_pb.DeleteTaskRequest(name=deleted.name))
    await create(client)
    request = pb.ApplyRuleSetRequest(name=NAME)
    call = client.rules.ApplyRuleSet(request)
    first = await call.read()
    assert (first.generation, first.tasks, first.written) == ("rules/meds@1", 1, 1)
    call.cancel()
    rest = [one async for one in client.rules.ApplyRuleSet(request)][-1]
    assert rest.tasks == 12
    assert rest.unchanged >= 1
    assert rest.written + rest.unchanged == 12
    listed = await client.stub.ListPredictions(
        annotation_pb.ListPredictionsRequest(parent="projects/p/tasks/-")
    )
    assert sorted(one.task for one in listed.predictions) == sorted(tasks)
    for one in listed.predictions:
        assert [(span.start, span.end, span.label) for span in one.spans] == [(0, 7, "A")]
        assert (dict(one.adapters), dict(one.model_versions)) == ({}, {})


async def test_annotators_try_rules_and_leads_keep_them(client: AnnotationClient) -> None:
    for user, role in (("ann", member_pb.ROLE_ANNOTATOR), ("max", member_pb.ROLE_MANAGER)):
        await client.members.CreateMember(
            member_pb.CreateMemberRequest(
                parent="projects/p", member=member_pb.Member(user=user, roles=[role])
            )
        )
    ann, max_, stranger = ([("spanloop-user", user)] for user in ("ann", "max", "eve"))
    rule_set = ParseDict({"rules": [WORD]}, pb.RuleSet())
    request = pb.CreateRuleSetRequest(parent="projects/p", rule_set_id="meds", rule_set=rule_set)
    with refused(grpc.StatusCode.PERMISSION_DENIED, Reason.ACCESS_DENIED):
        await client.rules.CreateRuleSet(request, metadata=ann)
    await client.rules.CreateRuleSet(request, metadata=max_)
    tried = pb.PreviewRulesRequest(parent="projects/p", rule_set=NAME, text="aspirin")
    assert len((await client.rules.PreviewRules(tried, metadata=ann)).spans) == 1
    with refused(grpc.StatusCode.PERMISSION_DENIED, Reason.ACCESS_DENIED):
        await client.rules.ApplyRuleSet(pb.ApplyRuleSetRequest(name=NAME), metadata=ann).read()
    with refused(grpc.StatusCode.NOT_FOUND, Reason.RESOURCE_NOT_FOUND):
        await client.rules.GetRuleSet(pb.GetRuleSetRequest(name=NAME), metadata=stranger)
