"""Choices and assertion statuses beside labels, over real servers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import grpc
import numpy as np
import pytest

from services.common.errors import Reason
from services.common.modeling.assertions import assert_spans
from services.common.modeling.choices import classify
from services.common.modeling.heads import ASSERTION
from services.common.modeling.manifest import Head
from spanloop.annotation.v1 import annotation_service_pb2 as annotation_pb
from spanloop.annotation.v1 import project_pb2
from spanloop.annotation.v1 import suggestion_service_pb2 as suggestion_pb
from spanloop.common.v1 import text_pb2
from spanloop.common.v1.evaluation_pb2 import MODEL_TYPE_NER
from spanloop.inference.v1 import inference_service_pb2 as pb
from spanloop.inference.v1 import preannotation_job_pb2 as jobs
from spanloop.inference.v1.predict_pb2 import GRANULARITY_TOKEN, GivenSpans
from tests.support import client_channel, running
from tests.support.annotation import AnnotationClient, annotation_settings
from tests.support.annotation import build as build_annotation
from tests.support.inference import (
    STATUSES,
    TEXT,
    InferenceClient,
    TinyAdapter,
    golden_part,
    inference,
    tiny_adapter,
    tiny_assertion,
    tiny_pooled,
    until,
)
from tests.support.registry import refused
from tests.support.scripted_registry import ScriptedRegistry, scripted_registry

INVALID = grpc.StatusCode.INVALID_ARGUMENT
PRECONDITION = grpc.StatusCode.FAILED_PRECONDITION
PARTY, DATE = tiny_adapter("PARTY"), tiny_adapter("DATE")
TOPIC = tiny_pooled("topic")


@dataclass(frozen=True, kw_only=True)
class Loop:
    registry: ScriptedRegistry
    inference: InferenceClient

    async def deployed(self, *models: list[TinyAdapter]) -> list[str]:
        """Serve versions of these adapters, each list one, and return their names."""
        versions = self.registry.deploy(*map(self.registry.version, models))
        await self.inference.ready(self.registry.deployment.revision)
        return versions


@pytest.fixture
async def loop(tmp_path: Path) -> AsyncIterator[Loop]:
    async with (
        scripted_registry() as (registry, address),
        inference(tmp_path, address) as client,
    ):
        yield Loop(registry=registry, inference=client)


def given(*spans: tuple[int, int]) -> GivenSpans:
    return GivenSpans(spans=[GivenSpans.Extent(start=start, end=end) for start, end in spans])


@pytest.mark.parametrize("trunk", [0, 1])
async def test_one_answer_of_all_model_types(loop: Loop, trunk: int) -> None:
    """With the assertion model on the trunk of the labels, and on another one."""
    assertion = tiny_assertion(trunk_seed=trunk)
    ner, topic, status = await loop.deployed([PARTY, DATE], [TOPIC], [assertion])
    spans = [(3, 15), (17, 29)]
    answer = await loop.inference.predict(
        [TEXT, ""], given_spans=[given(*spans), given()], uncertainty=True
    )
    generation = answer.generation
    assert dict(generation.model_versions) == {"PARTY": ner, "DATE": ner}
    assert dict(generation.choice_adapters) == {"topic": TOPIC.manifest.digest}
    assert dict(generation.choice_model_versions) == {"topic": topic}
    assert generation.assertion_adapter == assertion.manifest.digest
    assert generation.assertion_model_version == status

    part = golden_part([PARTY, DATE, TOPIC])
    judge = golden_part([assertion], trunk_seed=trunk)
    assert part.choices is not None
    assert judge.assertion is not None
    first, empty = answer.predictions
    texts = part.predictor.prepare([TEXT, ""])
    for prediction, (chosen,) in zip(
        answer.predictions, classify(part.predictor.reader, part.choices, texts), strict=True
    ):
        scores = [choice.score for choice in prediction.choices]
        assert scores == sorted(scores, reverse=True)
        assert scores == pytest.approx(sorted(chosen.probabilities, reverse=True), abs=1e-5)
        assert [(one.control, one.value) for one in prediction.choices if one.chosen] == [
            ("topic", chosen.values[chosen.chosen[0]])
        ]

    reader = judge.predictor.reader
    expected = part.predictor.predict([TEXT])[0]
    wanted = [*spans, *((one.start, one.end) for one in expected)]
    (rows,) = assert_spans(reader, judge.assertion, reader.prepare([TEXT]), [wanted])
    assert [(one.start, one.end) for one in first.assertions] == spans
    for one, row in zip(first.assertions, rows, strict=False):
        found = {status.status: status.score for status in one.statuses}
        assert found == pytest.approx(dict(zip(STATUSES, row, strict=True)), abs=1e-5)
    assert len(first.spans) == len(expected) > 0
    for span, row in zip(first.spans, rows[len(spans) :], strict=True):
        assert span.assertion == STATUSES[int(np.argmax(row))]
        assert span.assertion_score == pytest.approx(float(row.max()), abs=1e-5)
    assert not empty.assertions
    assert first.uncertainty.margin > 0

    (loaded,) = (await loop.inference.state("p")).generations
    assert dict(loaded.choice_model_versions) == {"topic": topic}
    assert loaded.assertion_model_version == status


async def test_labels_and_controls_are_asked_for_by_name(loop: Loop) -> None:
    await loop.deployed([PARTY], [TOPIC])
    everything = (await loop.inference.predict()).predictions[0]
    assert everything.choices
    assert everything.spans
    assert not everything.HasField("uncertainty")
    labels = await loop.inference.predict(labels=["PARTY"])
    assert not labels.predictions[0].choices
    assert not labels.generation.choice_adapters
    both = await loop.inference.predict(labels=["PARTY"], controls=["topic"])
    assert both.predictions[0] == everything
    words = await loop.inference.predict(granularity=GRANULARITY_TOKEN, uncertainty=True)
    assert not words.predictions[0].choices
    assert words.predictions[0].uncertainty.margin > 0
    with refused(INVALID, Reason.LABEL_UNKNOWN, field="controls[1]"):
        await loop.inference.predict(controls=["topic", "PARTY"])
    with refused(INVALID, Reason.LABEL_UNKNOWN, field="labels[0]"):
        await loop.inference.predict(labels=["topic"])


async def test_given_spans_that_cannot_be_judged_are_refused(loop: Loop) -> None:
    await loop.deployed([PARTY])
    with refused(PRECONDITION, Reason.NOTHING_DEPLOYED):
        await loop.inference.predict(given_spans=[given((0, 2))])
    await loop.deployed([PARTY], [tiny_assertion()])
    units = text_pb2.TEXT_OFFSET_ENCODING_UTF8
    for fields, reason, field in (
        ({"given_spans": [given(), given()]}, Reason.FIELD_INVALID, "given_spans"),
        (
            {"given_spans": [given(*[(0, 1)] * 10_001)]},
            Reason.FIELD_INVALID,
            "given_spans[0].spans",
        ),
        ({"given_spans": [given((0, 1), (5, 3))]}, Reason.OFFSET_INVALID, ".spans[1].end"),
        ({"given_spans": [given((2, 2))]}, Reason.OFFSET_INVALID, ".spans[0].end"),
        ({"given_spans": [given((-1, 2))]}, Reason.OFFSET_INVALID, ".spans[0].start"),
        ({"given_spans": [given((0, 400))]}, Reason.OFFSET_INVALID, ".spans[0].end"),
        (
            {"texts": "é", "given_spans": [given((0, 1))], "offset_encoding": units},
            Reason.OFFSET_INVALID,
            ".spans[0].end",
        ),
    ):
        full = f"given_spans[0]{field}" if field.startswith(".") else field
        with refused(INVALID, reason, field=full):
            await loop.inference.predict(**fields)


async def test_offsets_of_statuses_are_in_the_units_of_the_request(loop: Loop) -> None:
    await loop.deployed([PARTY], [tiny_assertion()])
    text = "é Ada paid."
    units = text_pb2.TEXT_OFFSET_ENCODING_UTF8
    plain = (await loop.inference.predict(text, given_spans=[given((2, 5))])).predictions[0]
    answer = await loop.inference.predict(text, given_spans=[given((3, 6))], offset_encoding=units)
    (found,) = answer.predictions[0].assertions
    assert (found.start, found.end) == (3, 6)
    assert list(found.statuses) == list(plain.assertions[0].statuses)


async def test_a_model_of_choices_alone_answers_and_pins_stay_with_labels(loop: Loop) -> None:
    (version,) = await loop.deployed([TOPIC])
    answer = await loop.inference.predict()
    assert answer.predictions[0].choices
    assert not answer.predictions[0].spans
    named = version.rpartition("/")[2]
    with refused(INVALID, Reason.LABEL_UNKNOWN, field='pins["topic"]'):
        await loop.inference.predict(labels=["topic"], pins={"topic": named})
    labels = loop.registry.version([PARTY]).model_version.rpartition("/")[2]
    pinned = await loop.inference.predict(pins={"PARTY": labels})
    assert pinned.predictions[0].choices == answer.predictions[0].choices
    assert pinned.predictions[0].spans


async def test_several_controls_each_have_a_model(loop: Loop) -> None:
    other = tiny_pooled("tone", classes=("calm", "angry"), thresholds=(0.5, 0.5))
    versions = await loop.deployed([TOPIC], [other])
    answer = await loop.inference.predict()
    controls = [choice.control for choice in answer.predictions[0].choices]
    assert controls == ["tone", "tone", "topic", "topic", "topic"]
    assert dict(answer.generation.choice_model_versions) == dict(
        zip(["topic", "tone"], versions, strict=True)
    )
    one = await loop.inference.predict(controls=["tone"])
    assert {choice.control for choice in one.predictions[0].choices} == {"tone"}


@pytest.mark.parametrize(
    "wrong", [tiny_pooled("PARTY"), tiny_pooled("PARTY", Head.ASSERTION, STATUSES)]
)
async def test_an_adapter_of_another_kind_is_never_served(loop: Loop, wrong: TinyAdapter) -> None:
    await loop.deployed([PARTY])
    model = loop.registry.version([wrong])
    model.model_type = MODEL_TYPE_NER
    loop.registry.deploy(model)

    async def refused_to_load() -> bool:
        found = (await loop.inference.state("p")).generations
        return any("is not the one of label 'PARTY'" in one.error_message for one in found)

    await until(refused_to_load)
    assert (await loop.inference.predict()).generation.deployment_revision == 1


async def test_a_broken_adapter_is_never_served(loop: Loop) -> None:
    """Weights that are numbers may still overflow; then the older generation goes on."""
    await loop.deployed([PARTY])
    for broken in (
        tiny_pooled("topic", scale=1e30),
        tiny_pooled(ASSERTION, Head.ASSERTION, STATUSES, scale=1e30),
    ):
        loop.registry.deploy(loop.registry.version([PARTY]), loop.registry.version([broken]))
        label = broken.manifest.label

        async def refused_to_load(label: str = label) -> bool:
            found = (await loop.inference.state("p")).generations
            said = f"the adapter of {label!r} answers with NaN"
            return any(said in one.error_message for one in found)

        await until(refused_to_load)
        assert (await loop.inference.predict()).generation.deployment_revision == 1


async def test_a_restart_without_a_registry_serves_all_model_types(
    loop: Loop, tmp_path: Path
) -> None:
    await loop.deployed([PARTY], [TOPIC], [tiny_assertion()])
    before = await loop.inference.predict(given_spans=[given((3, 15))])
    async with inference(tmp_path, "127.0.0.1:1") as again:
        await again.ready()
        assert await again.predict(given_spans=[given((3, 15))]) == before


async def test_preannotation_writes_all_that_suggestions_need(tmp_path: Path) -> None:
    config = (
        '<View><Labels name="l" toName="t"><Label value="PARTY"/>'
        '<Label value="absent" assertion="true"/></Labels>'
        '<Choices name="topic" toName="t"><Choice value="a"/><Choice value="b"/>'
        '<Choice value="c"/></Choices><Text name="t" value="$text"/></View>'
    )
    async with (
        scripted_registry() as (registry, registry_address),
        running(annotation_settings(tmp_path), build_annotation) as server,
        client_channel(server) as channel,
        inference(tmp_path, registry_address, annotation_address=server.address) as client,
    ):
        annotation = AnnotationClient(channel)
        await annotation.project("p", "PARTY")
        update = annotation_pb.UpdateProjectRequest(
            project=project_pb2.Project(name="projects/p", labeling_config=config)
        )
        update.update_mask.paths.append("labeling_config")
        await annotation.stub.UpdateProject(update)
        for text in (TEXT, "Paid in London.", "..."):
            await annotation.task("projects/p", text)
        ner, topic, status = registry.deploy(
            *map(registry.version, ([PARTY], [TOPIC], [tiny_assertion()]))
        )
        await client.ready()
        request = pb.CreatePreannotationJobRequest(
            parent="projects/p", preannotation_job=jobs.PreannotationJob()
        )
        job = (await client.stub.CreatePreannotationJob(request)).preannotation_job
        watch = client.stub.WatchPreannotationJob(pb.WatchPreannotationJobRequest(name=job.name))
        last = [message async for message in watch][-1].preannotation_job
        assert last.state == jobs.PREANNOTATION_JOB_STATE_DONE, last
        listed = annotation_pb.ListPredictionsRequest(parent="projects/p/tasks/-")
        found = list((await annotation.stub.ListPredictions(listed)).predictions)
        assert len(found) == 3
        answer = await client.predict([TEXT], uncertainty=True)
        (direct,) = answer.predictions
        (one,) = [each for each in found if len(each.spans) == len(direct.spans)][:1]
        assert list(one.spans) == list(direct.spans)
        assert [(each.name, each.value) for each in one.choices] == [
            (each.control, each.value) for each in direct.choices if each.chosen
        ]
        assert dict(one.model_versions) == {"PARTY": ner}
        assert dict(one.choice_model_versions) == {"topic": topic}
        assert dict(one.choice_adapters) == dict(answer.generation.choice_adapters)
        assert one.assertion_model_version == status
        assert one.signals.margin == pytest.approx(direct.uncertainty.margin, abs=1e-5)
        assert one.signals.trunk_digest == PARTY.manifest.trunk_digest
        vector = np.frombuffer(one.signals.embedding, dtype="<f2").astype(np.float32)
        assert np.linalg.norm(vector) == pytest.approx(1.0, abs=2e-3)

        suggest = suggestion_pb.SuggestTasksRequest(parent="projects/p")
        suggested = await annotation.suggestions.SuggestTasks(suggest)
        assert suggested.open_tasks == 3
        assert all(each.rank_known for each in suggested.suggestions)

        async def named() -> bool:
            project = await annotation.stub.GetProject(
                annotation_pb.GetProjectRequest(name="projects/p")
            )
            xml = project.project.labeling_config
            return all(f'model="{name.rpartition("/")[2]}"' in xml for name in (ner, topic, status))

        await until(named)


async def test_statuses_alone_preannotate_nothing_and_say_so(tmp_path: Path) -> None:
    async with (
        scripted_registry() as (registry, registry_address),
        running(annotation_settings(tmp_path), build_annotation) as server,
        client_channel(server) as channel,
        inference(tmp_path, registry_address, annotation_address=server.address) as client,
    ):
        annotation = AnnotationClient(channel)
        await annotation.project("p")
        await annotation.task("projects/p", TEXT)
        registry.deploy(registry.version([tiny_assertion()]))
        await client.ready()
        request = pb.CreatePreannotationJobRequest(
            parent="projects/p", preannotation_job=jobs.PreannotationJob()
        )
        job = (await client.stub.CreatePreannotationJob(request)).preannotation_job
        watch = client.stub.WatchPreannotationJob(pb.WatchPreannotationJobRequest(name=job.name))
        last = [message async for message in watch][-1].preannotation_job
        assert last.state == jobs.PREANNOTATION_JOB_STATE_FAILED
        assert "labels or choices" in last.failure_message
