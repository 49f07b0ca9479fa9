"""Predict over real servers: a registry and an inference service on one folder."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import grpc
import pytest
from grpc import aio

from services.common.errors import Reason
from services.common.grpc_status import received_error
from services.inference.convert import predictions
from services.inference.handlers.predict import PredictResult
from spanloop.common.v1 import text_pb2
from spanloop.inference.v1 import inference_service_pb2 as pb
from spanloop.inference.v1 import predict_pb2, serving_state_pb2
from tests.support.inference import (
    TEXT,
    InferenceClient,
    deploy,
    golden,
    golden_predictor,
    inference,
    publish,
    registry_at,
    spans_of,
    tiny_adapter,
    until,
)
from tests.support.registry import BAD, RegistryClient, refused

PARTY, DATE, MONEY = tiny_adapter("PARTY"), tiny_adapter("DATE"), tiny_adapter("MONEY")


@dataclass(frozen=True, kw_only=True)
class Loop:
    registry: RegistryClient
    inference: InferenceClient


@pytest.fixture
async def loop(tmp_path: Path) -> AsyncIterator[Loop]:
    async with (
        registry_at(tmp_path) as (registry, address),
        inference(tmp_path, address) as client,
    ):
        yield Loop(registry=registry, inference=client)


async def test_answers_as_the_shared_predictor_and_names_its_generation(loop: Loop) -> None:
    version = await deploy(loop.registry, "p", [PARTY, DATE, MONEY])
    await loop.inference.ready()
    answer = await loop.inference.predict([TEXT, "", "Paid."])
    expected = golden([PARTY, DATE, MONEY])
    assert spans_of(answer.predictions[0]) == spans_of(expected)
    assert [span.score for span in answer.predictions[0].spans] == pytest.approx(
        [span.score for span in expected], abs=1e-5
    )
    assert len(answer.predictions) == 3
    assert not answer.predictions[1].spans
    assert answer.predictions[1].windows == 0
    assert answer.generation.name == "projects/p/generations/1"
    assert answer.generation.deployment_revision == 1
    assert answer.generation.adapters["DATE"] == DATE.manifest.digest
    assert dict(answer.generation.model_versions) == dict.fromkeys(
        ["PARTY", "DATE", "MONEY"], version
    )


async def test_state_tells_what_is_held(loop: Loop) -> None:
    version = await deploy(loop.registry, "p", [PARTY])
    await deploy(loop.registry, "q", [DATE])
    await loop.inference.ready()
    await loop.inference.ready(project="q")
    state = await loop.inference.state()
    assert [item.name for item in state.generations] == [
        "projects/p/generations/1",
        "projects/q/generations/1",
    ]
    assert state.execution_provider.endswith("ExecutionProvider")
    assert state.registry_connected
    (held,) = (await loop.inference.state("p")).generations
    assert held.state == serving_state_pb2.GENERATION_STATE_READY
    assert held.model_versions["PARTY"] == version
    assert held.trunk_digest == PARTY.manifest.trunk_digest
    assert held.resident_bytes > 1000
    assert held.load_seconds > 0
    assert held.ready_time.seconds > 0


async def test_only_wanted_labels_are_answered(loop: Loop) -> None:
    await deploy(loop.registry, "p", [PARTY, DATE])
    await loop.inference.ready()
    answer = await loop.inference.predict(labels=["DATE"])
    assert spans_of(answer.predictions[0]) == spans_of(golden([DATE]))
    assert set(answer.generation.adapters) == {"DATE"}
    with refused(grpc.StatusCode.INVALID_ARGUMENT, Reason.LABEL_UNKNOWN, field="labels[1]"):
        await loop.inference.predict(labels=["DATE", "NOPE"])


async def test_min_score_and_top_n(loop: Loop) -> None:
    await deploy(loop.registry, "p", [PARTY, DATE, MONEY])
    await loop.inference.ready()
    everything = (await loop.inference.predict()).predictions[0].spans
    high = (await loop.inference.predict(min_score=0.75)).predictions[0].spans
    assert list(high) == [span for span in everything if span.score >= 0.75]
    assert 0 < len(high) < len(everything)
    alone = (await loop.inference.predict(top_n=1)).predictions[0].spans
    assert all(first.end <= second.start for first, second in pairwise(alone))
    assert max(alone, key=lambda span: span.score) == max(everything, key=lambda span: span.score)


async def test_tokens_have_their_labels_by_falling_score(loop: Loop) -> None:
    await deploy(loop.registry, "p", [PARTY, DATE])
    await loop.inference.ready()
    answer = await loop.inference.predict(granularity=predict_pb2.GRANULARITY_TOKEN)
    tokens = answer.predictions[0].tokens
    words = [TEXT[token.start : token.end] for token in tokens]
    assert words[:4] == ["On", "1", "March", "2024"]
    for token in tokens:
        scores = [item.score for item in token.labels]
        assert scores == sorted(scores, reverse=True)
        assert {item.label for item in token.labels} == {"PARTY", "DATE"}
    best = await loop.inference.predict(
        granularity=predict_pb2.GRANULARITY_TOKEN, top_n=1, min_score=0.5
    )
    for token, full in zip(best.predictions[0].tokens, tokens, strict=True):
        assert list(token.labels) == [item for item in full.labels[:1] if item.score >= 0.5]


@pytest.mark.parametrize(
    ("encoding", "unit"),
    [
        (text_pb2.TEXT_OFFSET_ENCODING_UNSPECIFIED, "utf-32-le"),
        (text_pb2.TEXT_OFFSET_ENCODING_UTF8, "utf-8"),
        (text_pb2.TEXT_OFFSET_ENCODING_UTF16, "utf-16-le"),
    ],
)
async def test_offsets_in_the_wanted_units(loop: Loop, encoding: int, unit: str) -> None:
    text = "Zoë 😀 paid 5 € in 東京.\r\nOn 1 March, e\u0301tude."
    await deploy(loop.registry, "p", [PARTY, DATE, MONEY])
    await loop.inference.ready()
    answer = await loop.inference.predict(text, offset_encoding=encoding)
    size = {"utf-32-le": 4, "utf-8": 1, "utf-16-le": 2}[unit]
    coded = text.encode(unit)
    found = sorted(
        (coded[span.start * size : span.end * size].decode(unit), span.label)
        for span in answer.predictions[0].spans
    )
    expected = golden([PARTY, DATE, MONEY], text)
    assert found == sorted((text[span.start : span.end], span.label) for span in expected)
    assert found


async def test_long_texts_are_cut_into_windows_never_truncated(loop: Loop) -> None:
    await deploy(loop.registry, "p", [PARTY, DATE])
    await loop.inference.ready()
    text = " ".join(f"{TEXT} word{index}" for index in range(300))
    answer = await loop.inference.predict([text, TEXT])
    (expected,) = golden_predictor([PARTY, DATE]).predict([text])
    assert spans_of(answer.predictions[0]) == spans_of(expected)
    assert answer.predictions[0].windows > 100
    assert max(span.end for span in answer.predictions[0].spans) > len(text) - 200
    assert spans_of(answer.predictions[1]) == spans_of(golden([PARTY, DATE]))


async def test_nothing_deployed(loop: Loop) -> None:
    with refused(
        grpc.StatusCode.FAILED_PRECONDITION, Reason.NOTHING_DEPLOYED, project="projects/p"
    ):
        await loop.inference.predict()


@pytest.mark.parametrize(
    ("fields", "bad"),
    [
        ({"min_score": 1.5}, "min_score"),
        ({"min_score": float("nan")}, "min_score"),
        ({"top_n": -1}, "top_n"),
        ({"granularity": 77}, "granularity"),
        ({"offset_encoding": 77}, "offset_encoding"),
        ({"pins": {"DATE": ""}}, 'pins["DATE"]'),
        ({"texts": []}, "texts"),
        ({"texts": ["a"] * 1025}, "texts"),
        ({"project": ""}, "project"),
    ],
)
async def test_bad_fields_are_named(loop: Loop, fields: dict[str, object], bad: str) -> None:
    with refused(grpc.StatusCode.INVALID_ARGUMENT, Reason.FIELD_INVALID, field=bad):
        await loop.inference.predict(**fields)  # type: ignore[arg-type]


async def test_a_text_beyond_the_limit_is_refused(loop: Loop) -> None:
    with refused(grpc.StatusCode.INVALID_ARGUMENT, Reason.REQUEST_TOO_LARGE, field="texts[1]"):
        await loop.inference.predict(["a", "b" * 1_000_001])


async def test_pins_answer_with_other_versions(loop: Loop) -> None:
    first = await deploy(loop.registry, "p", [PARTY, DATE])
    other = tiny_adapter("PARTY", seed=2)
    second = await publish(loop.registry, "p", [other, MONEY])
    await loop.inference.ready()
    answer = await loop.inference.predict(pins={"PARTY": second, "MONEY": second.split("/")[-1]})
    expected = spans_of(golden([other, DATE, MONEY]))
    assert spans_of(answer.predictions[0]) == expected
    assert dict(answer.generation.model_versions) == {
        "PARTY": second,
        "DATE": first,
        "MONEY": second,
    }
    assert answer.generation.deployment_revision == 1
    # Once seen, a version is known while the registry answers no more, and the rest is untouched.
    again = await loop.inference.predict(pins={"PARTY": second})
    assert spans_of(again.predictions[0]) == spans_of(golden([other, DATE]))
    plain = await loop.inference.predict()
    assert spans_of(plain.predictions[0]) == spans_of(golden([PARTY, DATE]))


async def test_pins_alone_answer_without_a_deployment(loop: Loop) -> None:
    version = await publish(loop.registry, "p", [PARTY, DATE])
    answer = await loop.inference.predict(pins={"PARTY": version})
    assert spans_of(answer.predictions[0]) == spans_of(golden([PARTY]))
    assert answer.generation.name == ""
    with refused(grpc.StatusCode.FAILED_PRECONDITION, Reason.NOTHING_DEPLOYED):
        await loop.inference.predict(pins={"PARTY": version}, labels=["PARTY", "DATE"])


async def test_a_retired_version_can_be_pinned(loop: Loop) -> None:
    version = await publish(loop.registry, "p", [PARTY])
    await loop.registry.retire(version)
    answer = await loop.inference.predict(pins={"PARTY": version})
    assert spans_of(answer.predictions[0]) == spans_of(golden([PARTY]))


async def test_a_pin_may_be_an_alias(loop: Loop) -> None:
    first = await deploy(loop.registry, "p", [PARTY, DATE])
    second = await deploy(loop.registry, "p", [tiny_adapter("PARTY", seed=2), DATE])
    await loop.inference.ready(2)
    for alias, version in (("ner@previous", first), ("ner@champion", second)):
        for name in (alias, f"projects/p/modelVersions/{alias}"):
            answer = await loop.inference.predict(pins={"PARTY": name})
            assert answer.generation.model_versions["PARTY"] == version
    with refused(grpc.StatusCode.NOT_FOUND, Reason.MODEL_VERSION_UNKNOWN):
        await loop.inference.predict(pins={"PARTY": "ner@gold"})
    await loop.registry.set_alias("projects/p/modelVersions/ner@gold", first)
    answer = await loop.inference.predict(pins={"PARTY": "ner@gold"})
    assert answer.generation.model_versions["PARTY"] == first


async def test_pins_that_cannot_be_served(loop: Loop) -> None:
    await deploy(loop.registry, "p", [PARTY])
    await loop.inference.ready()
    foreign = await publish(loop.registry, "q", [PARTY])
    unverified = await publish(loop.registry, "p", [PARTY], verify=False)
    failed = await publish(loop.registry, "p", [PARTY], verify=False)
    await loop.registry.verify(failed, BAD)
    for unknown in ("ner_p_v99", "projects/p/modelVersions/ner_p_v99", foreign):
        with refused(grpc.StatusCode.NOT_FOUND, Reason.MODEL_VERSION_UNKNOWN):
            await loop.inference.predict(pins={"PARTY": unknown})
    for unready in (unverified, failed):
        with refused(
            grpc.StatusCode.FAILED_PRECONDITION,
            Reason.MODEL_VERSION_NOT_READY,
            model_version=unready,
        ):
            await loop.inference.predict(pins={"PARTY": unready})
    with refused(grpc.StatusCode.INVALID_ARGUMENT, Reason.LABEL_UNKNOWN, field='pins["MONEY"]'):
        await loop.inference.predict(pins={"MONEY": "ner_p_v1"})
    # What was not ready before may be now.
    await loop.registry.verify(unverified)
    await loop.inference.predict(pins={"PARTY": unverified})


async def test_a_pin_may_read_another_trunk(loop: Loop) -> None:
    await deploy(loop.registry, "p", [PARTY, DATE])
    await loop.inference.ready()
    other = tiny_adapter("DATE", seed=5, trunk_seed=1)
    version = await publish(loop.registry, "p", [other])
    answer = await loop.inference.predict(pins={"DATE": version})
    (theirs,) = golden_predictor([other], trunk_seed=1).predict([TEXT])
    assert spans_of(answer.predictions[0]) == spans_of([*golden([PARTY]), *theirs])
    words = await loop.inference.predict(
        pins={"DATE": version}, granularity=predict_pb2.GRANULARITY_TOKEN
    )
    assert {item.label for item in words.predictions[0].tokens[0].labels} == {"PARTY", "DATE"}


async def test_past_the_queue_bound_calls_are_refused_with_a_time_to_come_back(
    tmp_path: Path,
) -> None:
    async with (
        registry_at(tmp_path) as (registry, address),
        inference(tmp_path, address, queue_tokens=50, batch_tokens=64) as client,
    ):
        await deploy(registry, "p", [PARTY])
        await client.ready()
        calls = [asyncio.create_task(client.predict([TEXT] * 100)) for _ in range(4)]
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
        refusals = [received_error(one) for one in outcomes if isinstance(one, aio.AioRpcError)]
        assert refusals
        assert len(refusals) < len(calls)
        for refusal in refusals:
            assert refusal.code is grpc.StatusCode.RESOURCE_EXHAUSTED
            assert refusal.reason is Reason.OVERLOADED
            assert refusal.retry_after
        await client.predict()


async def test_an_expired_deadline_ends_the_call_and_frees_the_queue(tmp_path: Path) -> None:
    async with (
        registry_at(tmp_path) as (registry, address),
        inference(tmp_path, address, batch_tokens=64) as client,
    ):
        await deploy(registry, "p", [PARTY])
        await client.ready()
        request = pb.PredictRequest(project="projects/p", texts=[TEXT] * 1000)
        with pytest.raises(aio.AioRpcError) as caught:
            await client.stub.Predict(request, timeout=0.3)
        assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED

        async def free() -> bool:
            return not any(item.active_requests for item in (await client.state()).generations)

        await until(free)
        await client.predict()


async def test_a_large_answer_is_put_together_off_the_event_loop(
    loop: Loop, monkeypatch: pytest.MonkeyPatch
) -> None:
    await deploy(loop.registry, "p", [PARTY])
    await loop.inference.ready()
    threads: list[bool] = []
    original = predictions.predict_response

    def noted(result: PredictResult) -> pb.PredictResponse:
        threads.append(threading.current_thread() is threading.main_thread())
        return original(result)

    monkeypatch.setattr(predictions, "predict_response", noted)
    await loop.inference.predict([TEXT])
    tokens = predict_pb2.GRANULARITY_TOKEN
    answer = await loop.inference.predict(["word " * 3000], granularity=tokens)
    assert len(answer.predictions[0].tokens) == 3000
    assert threads == [True, False]


def asked(id: str, text: str, **fields: object) -> pb.PredictStreamRequest:
    return pb.PredictStreamRequest(
        id=id, predict=pb.PredictRequest(project="projects/p", texts=[text], **fields)
    )


async def test_a_stream_answers_each_request_and_survives_those_that_fail(loop: Loop) -> None:
    await deploy(loop.registry, "p", [PARTY, DATE])
    await loop.inference.ready()
    requests = [asked(f"ok{i}", TEXT * (i % 3 + 1)) for i in range(40)]
    requests += [
        asked("label", TEXT, labels=["NOPE"]),
        asked("x" * 101, TEXT),
        pb.PredictStreamRequest(id="nothing"),
    ]
    answers = {
        answer.id: answer
        async for answer in loop.inference.stub.PredictStream(iter(requests), timeout=60)
    }
    assert len(answers) == len(requests)
    for i in range(40):
        found = answers[f"ok{i}"].predict
        assert spans_of(found.predictions[0]) == spans_of(golden([PARTY, DATE], TEXT * (i % 3 + 1)))
        assert found.generation.deployment_revision == 1
    label = answers["label"].failure
    assert (label.code, label.reason) == (
        grpc.StatusCode.INVALID_ARGUMENT.value[0],
        "LABEL_UNKNOWN",
    )
    assert label.field_violations[0].field == "labels[0]"
    assert answers["x" * 100].failure.field_violations[0].field == "id"
    assert answers["nothing"].failure.field_violations[0].field == "predict"


async def test_a_stream_that_is_broken_off_leaves_nothing_queued(loop: Loop) -> None:
    await deploy(loop.registry, "p", [PARTY])
    await loop.inference.ready()
    call = loop.inference.stub.PredictStream(
        (asked(str(i), TEXT * 50) for i in range(500)), timeout=60
    )
    await call.read()
    call.cancel()

    async def idle() -> bool:
        state = await loop.inference.stub.GetServingState(pb.GetServingStateRequest())
        return all(one.active_requests == 0 for one in state.serving_state.generations)

    await until(idle)
    answer = await loop.inference.predict([TEXT])
    assert spans_of(answer.predictions[0]) == spans_of(golden([PARTY]))
