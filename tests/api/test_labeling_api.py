"""Labelling configs of projects: checked, used, and kept up to date by deployments."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest

from services.annotation.labeling.tree import MAX_BYTES
from services.common.errors import Reason
from spanloop.annotation.v1 import annotation_service_pb2 as annotation_pb
from spanloop.annotation.v1 import completion_pb2
from spanloop.annotation.v1 import labeling_service_pb2 as pb
from spanloop.annotation.v1.completion_pb2 import Completion
from spanloop.annotation.v1.project_pb2 import Project
from spanloop.common.v1.text_pb2 import Span
from tests.support.annotation import AnnotationClient, annotation, refused

INVALID = grpc.StatusCode.INVALID_ARGUMENT
FAILED = grpc.StatusCode.FAILED_PRECONDITION
CONFIG = """<View>
  <Text name="text" value="$text"/>
  <Labels name="label" toName="text">
    <Label value="Drug" background="red" model="ner_pretrained"/>
    <Label value="Dose" hotkey='d'/>
    <Label value="Absent" assertion="true"/>
  </Labels>
  <Choices name="urgency" toName="text" choice="single">
    <Choice value="low"/><Choice value="high"/>
  </Choices>
  <Relations><Relation value="of" allowed="Dose<>Drug"/></Relations>
</View>
"""


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[AnnotationClient]:
    async with annotation(tmp_path) as client:
        yield client


async def set_config(client: AnnotationClient, parent: str, xml: str) -> Project:
    request = annotation_pb.UpdateProjectRequest(project=Project(name=parent, labeling_config=xml))
    request.update_mask.paths.append("labeling_config")
    return (await client.stub.UpdateProject(request)).project


async def test_every_problem_has_its_place(client: AnnotationClient) -> None:
    parent = await client.project("p")
    bad = CONFIG.replace('toName="text" choice', 'toName="txt" choice').replace(
        '<Label value="Absent" assertion="true"/>',
        '<Label value="Absent" assertion="true" model="ner_p_v1"/>',
    )
    answer = await client.labeling.ValidateLabelingConfig(
        pb.ValidateLabelingConfigRequest(parent=parent, labeling_config=bad)
    )
    found = {(one.line, one.code) for one in answer.problems}
    assert {(8, "UNKNOWN_TO_NAME"), (6, "MODEL_TYPE_MISMATCH")} <= found
    assert all(one.column > 0 and one.message for one in answer.problems)
    assert (answer.labels, answer.assertion_labels) == (["Drug", "Dose"], ["Absent"])
    assert (answer.choices, answer.trained_choices) == (["urgency"], "urgency")
    (control,) = answer.choice_controls
    assert (control.name, control.multiple, control.train) == ("urgency", False, False)
    assert len(control.values) > 1
    # What is wrong cannot be used, and nothing is changed.
    with refused(FAILED, Reason.LABELING_CONFIG_INVALID, field=""):
        await set_config(client, parent, bad)
    listed = await client.stub.ListLabels(annotation_pb.ListLabelsRequest(parent=parent))
    assert listed.labels == []
    known = pb.ValidateLabelingConfigRequest(
        parent=parent,
        labeling_config=CONFIG,
        check_models=True,
        models=[pb.KnownModel(name="other", type=pb.CONFIG_MODEL_TYPE_NER)],
    )
    answer = await client.labeling.ValidateLabelingConfig(known)
    assert [one.code for one in answer.problems] == ["UNKNOWN_MODEL"]
    known.models[0].name = "ner_pretrained"
    assert (await client.labeling.ValidateLabelingConfig(known)).problems == []


async def test_a_config_brings_its_labels_and_binds_annotations(client: AnnotationClient) -> None:
    made = await client.stub.CreateProject(
        annotation_pb.CreateProjectRequest(project_id="p", project=Project(labeling_config=CONFIG))
    )
    parent = made.project.name
    listed = await client.stub.ListLabels(annotation_pb.ListLabelsRequest(parent=parent))
    assert [label.value for label in listed.labels] == ["Drug", "Dose"]
    task = (await client.task(parent, "no aspirin 5 mg")).name

    async def create(**fields: object) -> Completion:
        request = annotation_pb.CreateCompletionRequest(
            parent=task, completion=Completion(author="a", **fields)
        )
        return (await client.stub.CreateCompletion(request)).completion

    spans = [
        Span(start=3, end=10, label="Drug", id="a", assertion="Absent"),
        Span(start=11, end=15, label="Dose", id="b"),
    ]
    of = completion_pb2.Relation(source="b", target="a", labels=["of"])
    urgent = completion_pb2.Choice(name="urgency", values=["high"])
    made = await create(spans=spans, relations=[of], choices=[urgent])
    wrong = completion_pb2.Relation(source="b", target="a", labels=["no"])
    update = annotation_pb.UpdateCompletionRequest(
        completion=Completion(name=made.name, relations=[wrong])
    )
    update.update_mask.paths.append("relations")
    with refused(INVALID, Reason.FIELD_INVALID, field="completion.relations[0].labels[0]"):
        await client.stub.UpdateCompletion(update)
    update.completion.relations[0].labels[:] = ["of"]
    assert (await client.stub.UpdateCompletion(update)).completion.relations[0].labels == ["of"]
    back = completion_pb2.Relation(source="a", target="b", labels=["of"])
    await create(spans=spans, relations=[back])  # allowed both ways
    for fields, field in (
        ({"choices": [completion_pb2.Choice(name="age", values=["x"])]}, "choices[0].name"),
        ({"choices": [completion_pb2.Choice(name="urgency", values=["x"])]}, "choices[0].values"),
        (
            {"choices": [completion_pb2.Choice(name="urgency", values=["low", "high"])]},
            "choices[0].values",
        ),
        (
            {"spans": [Span(start=0, end=2, label="Drug", assertion="Past")]},
            "spans[0].assertion",
        ),
        (
            {
                "spans": spans,
                "relations": [completion_pb2.Relation(source="a", target="a", labels=["of"])],
            },
            "relations[0]",
        ),
        (
            {
                "spans": spans,
                "relations": [completion_pb2.Relation(source="a", target="b", labels=["no"])],
            },
            "relations[0].labels[0]",
        ),
    ):
        with refused(INVALID, Reason.FIELD_INVALID, field=f"completion.{field}"):
            await create(**fields)
    with refused(INVALID, Reason.LABEL_UNKNOWN, field="completion.spans[0].label"):
        await create(spans=[Span(start=0, end=2, label="Absent")])


async def test_a_deployment_names_its_models_and_keeps_the_rest(client: AnnotationClient) -> None:
    parent = await client.project("p")
    assign = pb.AssignModelsRequest(
        parent=parent, label_models={"Drug": "ner_p_v1", "Dose": "ner_p_v1"}
    )
    answer = await client.labeling.AssignModels(assign)
    assert (answer.changed, answer.labeling_config) == (False, "")
    await set_config(client, parent, CONFIG)
    assign.choices_models["urgency"] = "classification_urgency_p_v1"
    answer = await client.labeling.AssignModels(assign)
    assert answer.changed
    # Drug is tied to a pretrained model, so it keeps that.
    wanted = CONFIG.replace(
        """<Label value="Dose" hotkey='d'/>""",
        """<Label value="Dose" hotkey='d' model="ner_p_v1"/>""",
    ).replace('choice="single">', 'choice="single" model="classification_urgency_p_v1">')
    assert answer.labeling_config == wanted
    assert not (await client.labeling.AssignModels(assign)).changed
    assign.label_models["Dose"] = "ner_p_v2"
    answer = await client.labeling.AssignModels(assign)
    assert answer.labeling_config == wanted.replace("ner_p_v1", "ner_p_v2")
    found = await client.stub.GetProject(annotation_pb.GetProjectRequest(name=parent))
    assert found.project.labeling_config == answer.labeling_config


async def test_what_a_model_does_not_fit_is_left_alone(client: AnnotationClient) -> None:
    parent = await client.project("p", "Absent")  # a label as well, so it may have an adapter
    await set_config(client, parent, CONFIG)
    task = (await client.task(parent, "no aspirin")).name
    named = CONFIG.replace("hotkey='d'", "hotkey='d' model=\"ner_p_v1\"")
    adapters = dict.fromkeys(("Drug", "Dose", "Absent", "Gone"), "ner_p_v1")
    assign = pb.AssignModelsRequest(parent=parent, label_models=adapters)
    answer = await client.labeling.AssignModels(assign)
    assert (answer.changed, answer.labeling_config) == (True, named)
    assign = pb.AssignModelsRequest(parent=parent, label_models={"Dose": "assertion_p_v1"})
    answer = await client.labeling.AssignModels(assign)
    assert (answer.changed, answer.labeling_config) == (False, named)
    # The config can still be used.
    await client.complete(task, [(3, 10, "Drug")], author="b")
    answer = await client.load(parent, b'{"text": "x", "spans": []}\n')
    assert answer.imported_tasks == 1
    for models, field in (
        ({"label_models": {"Drug": "classification_c_p_v1"}}, "label_models[Drug]"),
        ({"choices_models": {"urgency": "ner_p_v1"}}, "choices_models[urgency]"),
    ):
        with refused(INVALID, Reason.FIELD_INVALID, field=field):
            await client.labeling.AssignModels(pb.AssignModelsRequest(parent=parent, **models))


async def test_a_config_stays_where_it_could_not_be_used_any_more(
    client: AnnotationClient,
) -> None:
    parent = await client.project("p")
    tied = CONFIG.replace(
        '<Label value="Absent" assertion="true"/>',
        '<Label value="Absent" assertion="true" model="assertion_jsl"/>'
        '<Label value="Past" assertion="true"/>',
    )
    await set_config(client, parent, tied)
    models = {"Past": "assertion_p_v1", "Absent": "assertion_p_v1", "Dose": "ner_p_v1"}
    assign = pb.AssignModelsRequest(parent=parent, label_models=models)
    answer = await client.labeling.AssignModels(assign)
    assert answer.labeling_config == tied.replace("hotkey='d'", "hotkey='d' model=\"ner_p_v1\"")
    # So large that no name fits in any more.
    large = tied.replace("<View>", f"<View><!-- {'x' * (MAX_BYTES - len(tied) - 20)} -->")
    await set_config(client, parent, large)
    answer = await client.labeling.AssignModels(assign)
    assert (answer.changed, answer.labeling_config) == (False, large)


IMPORTED = {
    "choices": '"choices": {"age": ["x"]}',
    "values": '"choices": {"urgency": ["x"]}',
    "assertion": '"spans": [{"start": 3, "end": 10, "label": "Drug", "assertion": "Past"}]',
    "relation": '"spans": [{"start": 3, "end": 10, "label": "Drug", "id": "a"}], "relations": '
    '[{"source": "a", "target": "a", "labels": ["%s"]}]',
}


async def test_what_is_imported_must_fit_the_config(client: AnnotationClient) -> None:
    bodies = [
        (IMPORTED["choices"], "choices[0].name"),
        (IMPORTED["values"], "choices[0].values"),
        (IMPORTED["assertion"], "spans[0].assertion"),
        (IMPORTED["relation"] % "of", "relations[0]"),
        (IMPORTED["relation"] % "no", "relations[0].labels[0]"),
    ]
    good = '"choices": {"urgency": ["low"]}, ' + IMPORTED["assertion"].replace("Past", "Absent")
    lines = [
        f'{{"text": "no aspirin {n}", {body}}}\n'
        for n, body in enumerate([*(body for body, _ in bodies), good])
    ]
    file = "".join(lines).encode()
    for project, config in (("p", CONFIG), ("q", "")):
        parent = await client.project(project, "Drug", "Dose")
        if config:
            await set_config(client, parent, config)
        checked = await client.load(parent, file, validate_only=True)
        answer = await client.load(parent, file)
        assert answer.imported_tasks == checked.imported_tasks == (1 if config else 6)
        found = [(one.line, one.reason, one.field) for one in answer.errors]
        assert [(one.line, one.reason, one.field) for one in checked.errors] == found
        assert found == (
            [
                (line, "FIELD_INVALID", f"completions[0].{field}")
                for line, (_, field) in enumerate(bodies, start=1)
            ]
            if config
            else []
        )
        # Without its completions each text is imported, whatever they say.
        again = await client.load(
            parent, file.replace(b"aspirin", b"Aspirin"), ignore_completions=True
        )
        assert again.imported_tasks == 6


async def rename(client: AnnotationClient, parent: str, value: str, after: str) -> None:
    listed = await client.stub.ListLabels(annotation_pb.ListLabelsRequest(parent=parent))
    (label,) = (one for one in listed.labels if one.value == value)
    label.value = after
    request = annotation_pb.UpdateLabelRequest(label=label)
    request.update_mask.paths.append("value")
    await client.stub.UpdateLabel(request)


async def test_relations_follow_renamed_labels(client: AnnotationClient) -> None:
    parent = await client.project("p")
    await set_config(client, parent, CONFIG.replace('value="Dose"', 'value="Dose" alias="mg"'))
    task = (await client.task(parent, "no aspirin 5 mg")).name
    await rename(client, parent, "Drug", "Medication")
    await rename(client, parent, "mg", "Amount")
    of = completion_pb2.Relation(source="b", target="a", labels=["of"])
    for drug in ("Drug", "Medication"):
        for dose in ("mg", "Amount"):
            spans = [
                Span(start=3, end=10, label=drug, id="a"),
                Span(start=11, end=15, label=dose, id="b"),
            ]
            request = annotation_pb.CreateCompletionRequest(
                parent=task, completion=Completion(author="a", spans=spans, relations=[of])
            )
            made = (await client.stub.CreateCompletion(request)).completion
            assert [span.label for span in made.spans] == ["Medication", "Amount"]
            line = (
                f'{{"text": "no aspirin 5 mg", "id": "{drug} {dose}", "spans": [{{"start": 3, '
                f'"end": 10, "label": "{drug}", "id": "a"}}, {{"start": 11, "end": 15, "label": '
                f'"{dose}", "id": "b"}}], "relations": [{{"source": "b", "target": "a", '
                '"labels": ["of"]}]}\n'
            )
            answer = await client.load(parent, line.encode())
            assert (answer.imported_relations, list(answer.errors)) == (1, [])


async def test_spans_under_two_names_of_a_label_are_refused(client: AnnotationClient) -> None:
    parent = await client.project("p", "FIRM")
    task = (await client.task(parent, "Acme Ltd")).name
    await rename(client, parent, "FIRM", "BUSINESS")
    both = [(0, 8, "FIRM"), (0, 8, "BUSINESS")]
    with refused(INVALID, Reason.FIELD_INVALID, field="completion.spans"):
        await client.complete(task, both)
    made = await client.complete(task, [(0, 8, "FIRM"), (0, 4, "BUSINESS")])
    update = annotation_pb.UpdateCompletionRequest(completion=made)
    update.update_mask.paths.append("spans")
    changed = (await client.stub.UpdateCompletion(update)).completion
    assert list(changed.spans) == list(made.spans)
    update.completion.spans.append(Span(start=0, end=8, label="FIRM"))
    update.completion.etag = ""
    with refused(INVALID, Reason.FIELD_INVALID, field="completion.spans"):
        await client.stub.UpdateCompletion(update)
    spans = ", ".join(f'{{"start": {s}, "end": {e}, "label": "{one}"}}' for s, e, one in both)
    answer = await client.load(parent, f'{{"text": "Acme Ltd!", "spans": [{spans}]}}\n'.encode())
    assert answer.imported_tasks == 0
    assert [(one.line, one.field) for one in answer.errors] == [(1, "completions[0].spans")]
    assert "'FIRM'" in answer.errors[0].message
