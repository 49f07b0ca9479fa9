"""What to annotate next, through the contract."""

from __future__ import annotations

import json
import math
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import grpc
import numpy as np
import pytest

from services.annotation.bootstrap import build
from services.annotation.suggestions import pooling
from services.common.errors import Reason
from spanloop import AsyncClient, Endpoints, errors, types
from spanloop.annotation.v1 import annotation_service_pb2 as annotation_pb
from spanloop.annotation.v1 import suggestion_service_pb2 as pb
from spanloop.annotation.v1.prediction_pb2 import Prediction, PredictionSignals, ScoredChoice
from spanloop.annotation.v1.selection_pb2 import TaskFilter
from spanloop.annotation.v1.task_pb2 import TASK_STATUS_IN_PROGRESS, TASK_STATUS_SUBMITTED
from spanloop.common.v1.text_pb2 import ScoredSpan
from tests.support import running
from tests.support.annotation import AnnotationClient, annotation, annotation_settings, refused
from tests.support.cli import command_line, mistake

INVALID = grpc.StatusCode.INVALID_ARGUMENT
PRECONDITION = grpc.StatusCode.FAILED_PRECONDITION
TRUNK, OTHER_TRUNK = f"sha256:{1:064x}", f"sha256:{2:064x}"
PARENT = "projects/p"


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[AnnotationClient]:
    async with annotation(tmp_path) as client:
        await client.project("p", "x")
        yield client


def embedding(degrees: float) -> bytes:
    angle = math.radians(degrees)
    return np.asarray([math.cos(angle), math.sin(angle)], dtype="<f2").tobytes()


def signals(measure: float, degrees: float | None = None, **fields: object) -> PredictionSignals:
    values: dict[str, object] = {
        "least_confidence": measure,
        "margin": measure,
        "entropy": measure,
    }
    if degrees is not None:
        values |= {"embedding": embedding(degrees), "trunk_digest": TRUNK}
    return PredictionSignals(**{**values, **fields})


def prediction(task: str, said: PredictionSignals | None, **fields: object) -> Prediction:
    given = {"generation": "generations/g1", "adapters": {"x": "sha256:1"}}
    return Prediction(task=task, signals=said, **{**given, **fields})


async def write(client: AnnotationClient, *predictions: Prediction) -> None:
    request = annotation_pb.WritePredictionsRequest(parent=PARENT, predictions=predictions)
    await client.stub.WritePredictions(request)


async def suggest(
    client: AnnotationClient, strategy: str = "UNSPECIFIED", **fields: object
) -> pb.SuggestTasksResponse:
    request = pb.SuggestTasksRequest(
        parent=PARENT, strategy=f"SUGGESTION_STRATEGY_{strategy}", **fields
    )
    return await client.suggestions.SuggestTasks(request)


def texts(answer: pb.SuggestTasksResponse) -> list[str]:
    return [one.task.text for one in answer.suggestions]


async def tasks(client: AnnotationClient, *names: str) -> dict[str, str]:
    return {name: (await client.task(PARENT, name)).name for name in names}


async def test_tasks_are_ranked_by_their_newest_prediction_of_a_model(
    client: AnnotationClient,
) -> None:
    made = await tasks(client, "sure", "unsure", "unknown", "middle", "done", "gone")
    for name, measure in {
        "sure": 0.9,
        "unsure": 0.1,
        "middle": 0.4,
        "done": 1.0,
        "gone": 1,
    }.items():
        await write(client, prediction(made[name], signals(measure)))
    for name, measure in {"sure": 0.1, "unsure": 0.8}.items():
        newer = prediction(made[name], signals(measure), generation="generations/g2")
        # One without signals, however new, says nothing about the text.
        silent = prediction(made[name], None, generation="generations/g3")
        await write(client, newer, silent)
    await client.complete(made["done"])
    await client.complete(made["middle"], submit=False)
    await client.stub.DeleteTask(annotation_pb.DeleteTaskRequest(name=made["gone"]))

    answer = await suggest(client, "MARGIN")
    assert texts(answer) == ["unsure", "middle", "sure", "unknown"]
    assert [one.score for one in answer.suggestions] == pytest.approx([0.8, 0.4, 0.1, 0.0])
    assert [one.rank_known for one in answer.suggestions] == [True, True, True, False]
    assert answer.open_tasks == 4
    assert answer.suggestions[3].prediction == ""
    listed = annotation_pb.ListPredictionsRequest(parent=made["unsure"])
    stored = (await client.stub.ListPredictions(listed)).predictions
    (newest,) = [one for one in stored if one.generation == "generations/g2"]
    assert answer.suggestions[0].prediction == newest.name

    for strategy in ("LEAST_CONFIDENCE", "ENTROPY"):
        assert texts(await suggest(client, strategy, count=2)) == ["unsure", "middle"]
    only = TaskFilter(statuses=[TASK_STATUS_IN_PROGRESS])
    narrow = await suggest(client, "MARGIN", filter=only)
    assert (texts(narrow), narrow.open_tasks) == (["middle"], 1)
    closed = TaskFilter(statuses=[TASK_STATUS_SUBMITTED])
    nothing = await suggest(client, "MARGIN", filter=closed)
    assert (texts(nothing), nothing.open_tasks) == ([], 0)


async def test_a_rejected_task_is_open_again(client: AnnotationClient) -> None:
    made = await tasks(client, "again")
    completion = await client.complete(made["again"])
    assert texts(await suggest(client, "SEQUENTIAL")) == []
    review = annotation_pb.ReviewCompletionRequest(
        name=completion.name, verdict="VERDICT_REJECT", reviewer="rev"
    )
    await client.stub.ReviewCompletion(review)
    assert texts(await suggest(client, "SEQUENTIAL")) == ["again"]


async def test_strategies_without_predictions_need_none_and_the_others_say_so(
    client: AnnotationClient,
) -> None:
    names = [f"text {number}" for number in range(30)]
    # With nothing open there is nothing to predict, and nothing to refuse.
    assert (await suggest(client)).open_tasks == 0
    made = await tasks(client, *names)
    assert texts(await suggest(client, "SEQUENTIAL")) == names[:10]
    drawn = await suggest(client, "RANDOM", count=30, seed=5)
    assert sorted(texts(drawn)) == sorted(names) != texts(drawn)
    assert texts(await suggest(client, "RANDOM", count=30, seed=5)) == texts(drawn)
    assert all(one.rank_known for one in drawn.suggestions)
    rules = annotation_pb.WritePredictionsRequest(parent=PARENT)
    rules.predictions.append(prediction(made["text 0"], None))
    await client.stub.WritePredictions(rules)
    for strategy in ("UNSPECIFIED", "MARGIN", "DIVERSITY", "ENTROPY", "LEAST_CONFIDENCE", "MIXED"):
        with refused(PRECONDITION, Reason.NOTHING_PREDICTED, resource=PARENT):
            await suggest(client, strategy)
    # A measure alone lets margin rank, and diversity not.
    await write(client, prediction(made["text 7"], signals(0.5), generation="generations/g2"))
    assert texts(await suggest(client, "MARGIN", count=2)) == ["text 7", "text 0"]
    with refused(PRECONDITION, Reason.NOTHING_PREDICTED):
        await suggest(client, "DIVERSITY")


async def test_diversity_keeps_away_from_what_is_annotated(client: AnnotationClient) -> None:
    made = await tasks(client, "near", "far", "opposite", "annotated", "elsewhere")
    for name, degrees in {"near": 10, "far": 100, "opposite": 180, "annotated": 0}.items():
        await write(client, prediction(made[name], signals(0.5, degrees)))
    # An embedding of another trunk has nothing to do with these.
    strange = signals(0.5, 90.0, trunk_digest=OTHER_TRUNK)
    await write(client, prediction(made["elsewhere"], strange))
    await client.complete(made["annotated"])
    answer = await suggest(client, "DIVERSITY")
    assert texts(answer) == ["opposite", "far", "near", "elsewhere"]
    assert answer.suggestions[0].score == pytest.approx(2.0, abs=1e-3)
    assert [one.rank_known for one in answer.suggestions] == [True, True, True, False]
    mix = [pb.StrategyWeight(strategy="SUGGESTION_STRATEGY_DIVERSITY", weight=1)]
    assert texts(await suggest(client, "MIXED", mix=mix, count=1)) == ["opposite"]


async def test_of_many_annotated_tasks_some_are_drawn_by_the_seed(
    client: AnnotationClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pooling, "MAX_CENTRES", 1)
    made = await tasks(client, "a", "b", "left", "right")
    for name, degrees in {"a": 0, "b": 180, "left": 10, "right": 170}.items():
        await write(client, prediction(made[name], signals(0.5, degrees)))
    for name in ("a", "b"):
        await client.complete(made[name])
    firsts = {}
    for seed in range(20):
        answer = await suggest(client, "DIVERSITY", seed=seed, count=1)
        assert texts(answer) == texts(await suggest(client, "DIVERSITY", seed=seed, count=1))
        firsts[seed] = texts(answer)[0]
    assert set(firsts.values()) == {"left", "right"}


async def test_more_embeddings_than_there_is_room_for_are_refused(
    client: AnnotationClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pooling, "MAX_EMBEDDING_BYTES", 7)
    made = await tasks(client, "a", "b")
    for name in made.values():
        await write(client, prediction(name, signals(0.5, 30)))
    with refused(grpc.StatusCode.RESOURCE_EXHAUSTED, Reason.REQUEST_TOO_LARGE, limit="7"):
        await suggest(client, "DIVERSITY")
    assert len(texts(await suggest(client, "MARGIN"))) == 2


async def test_unusable_requests_are_refused(client: AnnotationClient) -> None:
    weight = pb.StrategyWeight(strategy="SUGGESTION_STRATEGY_RANDOM", weight=0)
    unspecified = pb.StrategyWeight(weight=1)
    for fields, field in (
        ({"count": -1}, "count"),
        ({"count": 1_001}, "count"),
        ({"mix": [weight]}, "mix[0].weight"),
        ({"mix": [unspecified]}, "mix[0].strategy"),
        ({"strategy": "RANDOM", "mix": [weight]}, "mix"),
        ({"filter": TaskFilter(text_regex="(")}, "filter.text_regex"),
    ):
        with refused(INVALID, Reason.FIELD_INVALID, field=field):
            await suggest(client, **fields)
    bad = pb.SuggestTasksRequest(parent=PARENT, strategy=99)  # type: ignore[arg-type]
    with refused(INVALID, Reason.FIELD_INVALID, field="strategy"):
        await client.suggestions.SuggestTasks(bad)
    with refused(grpc.StatusCode.NOT_FOUND, Reason.RESOURCE_NOT_FOUND):
        await client.suggestions.SuggestTasks(pb.SuggestTasksRequest(parent="projects/none"))


# --- what predictions carry for it


async def test_predictions_keep_their_sources_statuses_and_signals(
    client: AnnotationClient,
) -> None:
    made = await tasks(client, "Ada Lovelace")
    sent = prediction(
        made["Ada Lovelace"],
        signals(0.25, 40.0, entropy=0.5),
        spans=[
            ScoredSpan(start=0, end=3, label="x", score=0.5, assertion="absent", assertion_score=1)
        ],
        choices=[ScoredChoice(name="topic", value="person", score=0.75)],
        choice_adapters={"topic": "sha256:2"},
        choice_model_versions={"topic": "projects/p/modelVersions/classification_topic_p_v1"},
        assertion_adapter="sha256:3",
        assertion_model_version="projects/p/modelVersions/assertion_p_v1",
    )
    await write(client, sent)
    request = annotation_pb.ListPredictionsRequest(parent=made["Ada Lovelace"])
    (found,) = (await client.stub.ListPredictions(request)).predictions
    for name in ("spans", "choices", "signals", "choice_adapters", "choice_model_versions"):
        assert getattr(found, name) == getattr(sent, name), name
    assert found.assertion_adapter == "sha256:3"
    assert found.assertion_model_version == "projects/p/modelVersions/assertion_p_v1"


async def test_choices_and_statuses_alone_make_a_prediction(client: AnnotationClient) -> None:
    made = await tasks(client, "a", "b")
    await write(
        client,
        prediction(made["a"], None, adapters={}, choice_adapters={"topic": "sha256:2"}),
        prediction(made["b"], None, adapters={}, assertion_adapter="sha256:3"),
    )


async def test_signals_that_cannot_be_ranked_by_are_refused(client: AnnotationClient) -> None:
    task = (await tasks(client, "Ada"))["Ada"]
    nan = np.asarray([np.nan, 1.0], dtype="<f2").tobytes()
    long = np.full(4_097, 4_097**-0.5, dtype="<f2").tobytes()
    span = ScoredSpan(start=0, end=3, label="x", score=0.5)

    def said(**fields: object) -> Prediction:
        return prediction(task, signals(0.5, 30.0, **fields))

    def with_span(**fields: object) -> Prediction:
        changed = ScoredSpan()
        changed.CopyFrom(span)
        for name, value in fields.items():
            setattr(changed, name, value)
        return prediction(task, None, spans=[changed], assertion_adapter="sha256:3")

    for bad, field in (
        (said(least_confidence=-0.1), "signals.least_confidence"),
        (said(margin=1.1), "signals.margin"),
        (said(entropy=float("nan")), "signals.entropy"),
        (said(trunk_digest=""), "signals.trunk_digest"),
        (said(trunk_digest="sha256:1"), "signals.trunk_digest"),
        (said(embedding=b""), "signals.embedding"),
        (said(embedding=b"\x00\x3c\x00"), "signals.embedding"),
        (said(embedding=long), "signals.embedding"),
        (said(embedding=nan), "signals.embedding"),
        (said(embedding=embedding(0) * 2), "signals.embedding"),
        (with_span(assertion="absent", assertion_score=1.5), "spans[0].assertion_score"),
        (with_span(assertion_score=0.5), "spans[0].assertion_score"),
        (with_span(assertion="a" * 101), "spans[0].assertion"),
        (
            prediction(
                task,
                None,
                spans=[ScoredSpan(start=0, end=3, label="x", score=1, assertion="absent")],
            ),
            "spans[0].assertion",
        ),
        (
            prediction(
                task,
                None,
                choices=[ScoredChoice(name="topic", value="a", score=1)],
                choice_adapters={"other": "sha256:2"},
            ),
            "choices[0].name",
        ),
        (prediction(task, None, assertion_adapter="a" * 201), "assertion_adapter"),
        (prediction(task, None, adapters={}), "adapters"),
    ):
        with refused(INVALID, Reason.FIELD_INVALID, field=f"predictions[0].{field}"):
            await write(client, bad)
    request = annotation_pb.ListPredictionsRequest(parent=task)
    assert not (await client.stub.ListPredictions(request)).predictions


# --- the client and the command line


async def test_the_client_suggests_tasks(tmp_path: Path) -> None:
    async with running(annotation_settings(tmp_path), build) as server:
        endpoints = Endpoints(annotation=server.address)
        async with AsyncClient(endpoints=endpoints, token=server.token) as sdk:
            await sdk.create_project("p")
            await sdk.create_label("p", "x")
            made = [await sdk.create_task("p", f"text {number}") for number in range(3)]
            with pytest.raises(errors.FailedPrecondition) as caught:
                await sdk.suggest_tasks("p")
            assert caught.value.reason == "NOTHING_PREDICTED"
            said = types.PredictionSignals(
                least_confidence=0.5,
                margin=0.25,
                entropy=0.125,
                embedding=embedding(30),
                trunk_digest=TRUNK,
            )
            written = types.Prediction(
                task=made[1].name,
                generation="generations/g1",
                adapters={"x": "sha256:1"},
                model_versions={},
                spans=(
                    types.ScoredSpan(
                        start=0, end=4, label="x", score=1, assertion="absent", assertion_score=0.5
                    ),
                ),
                choice_adapters={"topic": "sha256:2"},
                choice_model_versions={"topic": "v"},
                assertion_adapter="sha256:3",
                assertion_model_version="w",
                signals=said,
            )
            await sdk.write_predictions("p", [written])
            (found,) = [one async for one in sdk.list_predictions(made[1].name)]
            assert replace(found, name="", create_time=None) == written
            answer = await sdk.suggest_tasks("p", "margin", count=2)
            assert answer.open_tasks == 3
            assert [one.task.text for one in answer.tasks] == ["text 1", "text 0"]
            assert [one.score for one in answer.tasks] == [0.25, 0.0]
            assert [one.rank_known for one in answer.tasks] == [True, False]
            assert answer.tasks[0].prediction == found.name
            mixed = await sdk.suggest_tasks(
                "p", types.SuggestionStrategy.MIXED, mix={"random": 1, "sequential": 2.5}, seed=4
            )
            assert all(one.rank_known for one in mixed.tasks)
            wanted = types.TaskFilter(text_regex="2$")
            narrow = await sdk.suggest_tasks("p", "sequential", filter=wanted)
            assert [one.task.text for one in narrow.tasks] == ["text 2"]


async def test_the_command_line_suggests_tasks(tmp_path: Path) -> None:
    async with command_line(tmp_path) as cli:
        texts = [{"id": f"t{number}", "text": f"text {number}"} for number in range(3)]
        cli.write("texts.jsonl", "\n".join(map(json.dumps, texts)))
        await cli.do("import", "clinic", "texts.jsonl")
        shown, as_json, mixed = await cli.batch(
            "tasks suggest clinic --strategy sequential --count 2",
            "tasks suggest clinic --strategy random --seed 3 --json",
            "tasks suggest clinic --mix random=1 --mix sequential=3 --regex 1$",
        )
        assert [row[1] for row in shown.rows()] == ["t0", "t1"]
        assert shown.said.strip() == "2 of 3 open tasks."
        assert as_json.json["open_tasks"] == 3
        assert len(as_json.json["tasks"]) == 3
        assert [row[1] for row in mixed.rows()] == ["t1"]
        await cli.refused(
            mistake("tasks suggest clinic", "NOTHING_PREDICTED", "spanloop preannotate"),
            mistake("tasks suggest clinic --mix margin", "STRATEGY=WEIGHT", "diversity"),
            mistake("tasks suggest clinic --mix luck=1", "STRATEGY=WEIGHT"),
            mistake("tasks suggest clinic --mix random=0", "mix[0].weight"),
        )
