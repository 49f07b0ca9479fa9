"""Both clients against a real gRPC server with scripted answers."""

from __future__ import annotations

import inspect
import io
import os
import time
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc import error_details_pb2, status_pb2

from spanloop import AsyncClient, Client, ClientOptions, Endpoints, RetryPolicy, errors, types
from spanloop.annotation.v1 import annotation_service_pb2 as annotation_pb
from spanloop.annotation.v1 import event_pb2, project_pb2, snapshot_pb2, task_pb2
from spanloop.common.v1 import evaluation_pb2, text_pb2
from spanloop.inference.v1 import inference_service_pb2 as inference_pb
from spanloop.inference.v1 import preannotation_job_pb2, predict_pb2
from spanloop.registry.v1 import deployment_pb2
from spanloop.registry.v1 import registry_service_pb2 as registry_pb
from spanloop.trainer.v1 import trainer_service_pb2 as trainer_pb
from spanloop.trainer.v1 import training_job_pb2
from tests.support.fake_services import TOKEN, Fake, fake_services, refuse

FAST = RetryPolicy(attempts=4, initial_seconds=0.01, maximum_seconds=0.02, watch_seconds=2.0)
Call = Callable[..., Any]


@pytest.fixture
def fake() -> Iterator[Fake]:
    with fake_services() as found:
        yield found


@pytest.fixture(params=["sync", "async"])
async def call(request: pytest.FixtureRequest, fake: Fake) -> AsyncIterator[Call]:
    """Call a method of the client by name; iterators are read to their end."""
    options = ClientOptions(retry=FAST, page_size=2, timeout=5.0)
    if request.param == "sync":
        with Client(endpoints=fake.endpoints, token=TOKEN, options=options) as client:

            async def invoke(name: str, *args: Any, **kwargs: Any) -> Any:
                found = getattr(client, name)(*args, **kwargs)
                return list(found) if inspect.isgenerator(found) else found

            yield invoke
    else:
        async with AsyncClient(endpoints=fake.endpoints, token=TOKEN, options=options) as aclient:

            async def ainvoke(name: str, *args: Any, **kwargs: Any) -> Any:
                found = getattr(aclient, name)(*args, **kwargs)
                if inspect.isasyncgen(found):
                    return [entry async for entry in found]
                return await found

            yield ainvoke


async def test_a_creating_call_mints_a_request_id_and_converts_the_answer(
    fake: Fake, call: Call
) -> None:
    created = Timestamp(seconds=1_700_000_000, nanos=5_000)
    fake.answers["CreateProject"] = lambda request, _: annotation_pb.CreateProjectResponse(
        project=project_pb2.Project(
            name="projects/p", display_name="P", etag="e", create_time=created, task_count=3
        )
    )
    project = await call("create_project", "p", display_name="P")
    assert project == types.Project(
        name="projects/p",
        display_name="P",
        etag="e",
        create_time=datetime(2023, 11, 14, 22, 13, 20, 5, tzinfo=UTC),
        update_time=None,
        task_count=3,
        submitted_task_count=0,
    )
    assert project.id == "p"
    (request,) = fake.asked("CreateProject")
    assert request.project_id == "p"
    assert len(request.request_id) == 32


async def test_unavailable_is_repeated_with_the_same_request_id(fake: Fake, call: Call) -> None:
    def answer(request: Any, context: grpc.ServicerContext) -> Any:
        if len(fake.asked("CreateLabel")) < 3:
            refuse(context, grpc.StatusCode.UNAVAILABLE, "stopping", reason="DRAINING")
        return annotation_pb.CreateLabelResponse(label=request.label)

    fake.answers["CreateLabel"] = answer
    assert (await call("create_label", "p", "PARTY")).value == "PARTY"
    requests = fake.asked("CreateLabel")
    assert len(requests) == 3
    assert len({request.request_id for request in requests}) == 1


@pytest.mark.parametrize(
    ("name", "args", "kwargs", "method", "attempts"),
    [
        ("get_project", ("p",), {}, "GetProject", 4),
        ("update_project", ("p",), {"display_name": "x"}, "UpdateProject", 4),
        ("update_project", ("p",), {"display_name": "x", "etag": "e"}, "UpdateProject", 1),
        ("submit_completion", ("c",), {}, "SubmitCompletion", 1),
        ("cancel_training_job", ("j",), {}, "CancelTrainingJob", 1),
        ("read_snapshot", ("s",), {}, "ReadSnapshot", 4),
        ("watch_events", ("p",), {}, "WatchEvents", 4),
    ],
)
async def test_repeats_end_and_only_harmless_calls_are_repeated(
    fake: Fake,
    call: Call,
    name: str,
    args: tuple[str, ...],
    kwargs: dict[str, str],
    method: str,
    attempts: int,
) -> None:
    fake.answers[method] = lambda _, context: refuse(
        context, grpc.StatusCode.UNAVAILABLE, "gone", reason="STORE_UNAVAILABLE"
    )
    with pytest.raises(errors.Unavailable) as caught:
        await call(name, *args, **kwargs)
    assert caught.value.reason == "STORE_UNAVAILABLE"
    assert len(fake.asked(method)) == attempts


async def test_an_error_is_built_from_its_details(fake: Fake, call: Call) -> None:
    fake.answers["GetTask"] = lambda _, context: refuse(
        context,
        grpc.StatusCode.INVALID_ARGUMENT,
        "the text says NOT_FOUND but means nothing",
        reason="FIELD_INVALID",
        metadata={"field": "name"},
        violations={"name": "must be projects/{project}/tasks/{task}"},
        retry_seconds=1.5,
    )
    with pytest.raises(errors.InvalidArgument) as caught:
        await call("get_task", "x")
    error = caught.value
    assert error.code is grpc.StatusCode.INVALID_ARGUMENT
    assert error.reason == "FIELD_INVALID"
    assert error.metadata == {"field": "name"}
    assert error.violations == (
        errors.FieldViolation(field="name", description="must be projects/{project}/tasks/{task}"),
    )
    assert error.retry_after == 1.5
    assert error.method == "/spanloop.annotation.v1.AnnotationService/GetTask"
    assert len(fake.asked("GetTask")) == 1


@pytest.mark.parametrize("code", [code for code in grpc.StatusCode if code.value[0]])
async def test_each_code_has_its_class(code: grpc.StatusCode, fake: Fake, call: Call) -> None:
    fake.answers["GetTask"] = lambda _, context: refuse(context, code, "x", reason="R")
    with pytest.raises(errors.SpanloopError) as caught:
        await call("get_task", "x")
    assert caught.value.code is code
    assert caught.value.reason == "R"
    if code is not grpc.StatusCode.UNKNOWN:
        assert type(caught.value) is not errors.SpanloopError
        assert type(caught.value).__name__.upper() == code.name.replace("_", "")


async def test_foreign_and_broken_details_give_no_reason(fake: Fake, call: Call) -> None:
    fake.answers["GetTask"] = lambda _, context: refuse(
        context, grpc.StatusCode.ABORTED, "x", reason="R", domain="elsewhere.example"
    )
    with pytest.raises(errors.Aborted) as caught:
        await call("get_task", "x")
    assert caught.value.reason == ""

    def broken(_: object, context: grpc.ServicerContext) -> None:
        context.set_trailing_metadata((("grpc-status-details-bin", b"\xff\xff\xff"),))
        context.abort(grpc.StatusCode.ABORTED, "y")

    fake.answers["GetTask"] = broken
    with pytest.raises(errors.Aborted, match="y"):
        await call("get_task", "x")


async def test_a_wrong_token_is_told_by_reason(fake: Fake) -> None:
    with Client(endpoints=fake.endpoints, token="wrong") as client:
        with pytest.raises(errors.Unauthenticated) as caught:
            client.get_project("p")
        assert client.health("trainer") == "serving"
    assert caught.value.reason == "CREDENTIALS_INVALID"


async def test_nobody_listening_is_unavailable_and_names_the_address() -> None:
    nobody = Endpoints(annotation="127.0.0.1:9")
    options = ClientOptions(retry=FAST)
    async with AsyncClient(endpoints=nobody, token="t", options=options) as client:
        with pytest.raises(errors.Unavailable, match=r"127\.0\.0\.1:9") as caught:
            await client.get_project("p")
        with pytest.raises(errors.Unavailable):
            await client.health("annotation")
    assert caught.value.reason == ""


async def test_the_deadline_holds_over_all_attempts(fake: Fake, call: Call) -> None:
    remaining: list[float] = []

    def answer(_: object, context: grpc.ServicerContext) -> Any:
        remaining.append(context.time_remaining())
        if len(remaining) == 1:
            time.sleep(0.3)
            refuse(context, grpc.StatusCode.UNAVAILABLE, "x", reason="DRAINING")
        return annotation_pb.GetTaskResponse()

    fake.answers["GetTask"] = answer
    await call("get_task", "x", timeout=1.0)
    assert 0.8 < remaining[0] <= 1.01
    assert 0 < remaining[1] < 0.75


async def test_lists_follow_the_pages(fake: Fake, call: Call) -> None:
    def answer(request: Any, _: object) -> Any:
        start = int(request.page_token or "0")
        end = min(start + request.page_size, 5)
        return annotation_pb.ListTasksResponse(
            tasks=[
                task_pb2.Task(name=f"projects/p/tasks/{i}", status="TASK_STATUS_SUBMITTED")
                for i in range(start, end)
            ],
            next_page_token=str(end) if end < 5 else "",
        )

    fake.answers["ListTasks"] = answer
    tasks = await call("list_tasks", "p", statuses=["submitted"], external_id="x")
    assert [task.name[-1] for task in tasks] == list("01234")
    assert {task.status for task in tasks} == {types.TaskStatus.SUBMITTED}
    requests = fake.asked("ListTasks")
    assert [request.page_token for request in requests] == ["", "2", "4"]
    assert all(request.external_id == "x" and list(request.statuses) == [3] for request in requests)


async def test_import_streams_a_file_and_reports(fake: Fake, call: Call, tmp_path: Path) -> None:
    fake.answers["ImportTasks"] = lambda parts, _: annotation_pb.ImportTasksResponse(
        imported_tasks=2,
        refused_tasks=1,
        errors=[
            annotation_pb.ImportError(line=3, reason="LABEL_UNKNOWN", field="spans[0]", message="m")
        ],
        created_labels=["A"],
        format="TASK_FORMAT_JSONL",
    )
    content = bytes(range(256)) * 3000
    path = tmp_path / "big.jsonl"
    path.write_bytes(content)
    seen: list[tuple[int, int | None]] = []
    report = await call(
        "import_file",
        "p",
        path,
        split="dev",
        create_labels=True,
        progress=lambda sent, size: seen.append((sent, size)),
    )
    header, *chunks = fake.asked("ImportTasks")
    assert header.header.parent == "projects/p"
    assert header.header.split == evaluation_pb2.SPLIT_DEV
    assert header.header.create_labels
    assert b"".join(part.chunk for part in chunks) == content
    assert len(chunks) > 1
    assert max(len(part.chunk) for part in chunks) <= 1024 * 1024
    assert seen[-1] == (len(content), len(content))
    assert report.errors == (
        types.ImportProblem(line=3, reason="LABEL_UNKNOWN", field="spans[0]", message="m"),
    )
    assert report.format is types.TaskFormat.JSONL
    assert report.created_labels == ("A",)


async def test_a_source_that_fails_is_told_as_it_failed(fake: Fake, call: Call) -> None:
    fake.answers["ImportTasks"] = lambda parts, _: annotation_pb.ImportTasksResponse()

    def pieces() -> Iterator[bytes]:
        yield b"one"
        raise RuntimeError("the disk broke")

    with pytest.raises(RuntimeError, match="the disk broke"):
        await call("import_file", "p", pieces())
    with pytest.raises(FileNotFoundError):
        await call("import_file", "p", "/nonexistent/file.jsonl")


async def test_export_writes_a_file_only_when_complete(
    fake: Fake, call: Call, tmp_path: Path
) -> None:
    fake.answers["ExportTasks"] = lambda _, __: iter(
        [
            annotation_pb.ExportTasksResponse(chunk=b"ab"),
            annotation_pb.ExportTasksResponse(chunk=b"c", exported_tasks=2, omitted_spans=1),
        ]
    )
    target = tmp_path / "out.jsonl"
    report = await call("export", "p", target, format="conll", status="submitted")
    assert target.read_bytes() == b"abc"
    assert report == types.ExportReport(exported_tasks=2, omitted_spans=1, size_bytes=3)
    buffer = io.BytesIO()
    await call("export", "p", buffer)
    assert buffer.getvalue() == b"abc"

    def broken(_: object, context: grpc.ServicerContext) -> Iterator[Any]:
        yield annotation_pb.ExportTasksResponse(chunk=b"half")
        refuse(context, grpc.StatusCode.UNAVAILABLE, "x", reason="DRAINING")

    fake.answers["ExportTasks"] = broken
    with pytest.raises(errors.Unavailable):
        await call("export", "p", target)
    assert target.read_bytes() == b"abc"
    leftovers = {entry.name for entry in os.scandir(tmp_path)}
    assert leftovers == {"out.jsonl"}


def _job(state: str, **fields: Any) -> training_job_pb2.TrainingJob:
    return training_job_pb2.TrainingJob(
        name="projects/p/trainingJobs/j", state=f"TRAINING_JOB_STATE_{state}", **fields
    )


async def test_a_training_watch_resumes_behind_what_it_saw(fake: Fake, call: Call) -> None:
    response = trainer_pb.WatchTrainingJobResponse

    def answer(request: Any, context: grpc.ServicerContext) -> Iterator[Any]:
        if not request.resume_token:
            yield response(training_job=_job("TRAINING"), resume_token="t0")
            line = training_job_pb2.TrainingLogLine(sequence=1, level="info", message="one")
            yield response(log_line=line, resume_token="t1")
            yield response(heartbeat=response.Heartbeat(), resume_token="t2")
            refuse(context, grpc.StatusCode.UNAVAILABLE, "x", reason="DRAINING")
        yield response(training_job=_job("TRAINING"), resume_token=request.resume_token)
        line = training_job_pb2.TrainingLogLine(sequence=2, level="info", message="two")
        yield response(log_line=line, resume_token="t3")
        yield response(training_job=_job("DONE", model_version="v"), resume_token="t4")

    fake.answers["WatchTrainingJob"] = answer
    seen = await call("watch_training_job", "projects/p/trainingJobs/j")
    assert [
        entry.message if isinstance(entry, types.TrainingLogLine) else entry.state.value
        for entry in seen
    ] == ["training", "one", "two", "done"]
    assert [request.resume_token for request in fake.asked("WatchTrainingJob")] == ["", "t2"]
    assert seen[-1].state.terminal


async def test_an_event_watch_resumes_and_ends_with_an_error_that_is_final(
    fake: Fake, call: Call
) -> None:
    response = annotation_pb.WatchEventsResponse

    def answer(request: Any, context: grpc.ServicerContext) -> Iterator[Any]:
        if not request.resume_token:
            yield response(event=event_pb2.Event(sequence=1, resume_token="a"))
            refuse(context, grpc.StatusCode.UNAVAILABLE, "x", reason="DRAINING")
        if request.resume_token == "a":
            yield response(heartbeat="b")
            refuse(context, grpc.StatusCode.UNAVAILABLE, "x", reason="DRAINING")
        refuse(context, grpc.StatusCode.OUT_OF_RANGE, "x", reason="RESUME_TOKEN_INVALID")

    fake.answers["WatchEvents"] = answer
    with pytest.raises(errors.OutOfRange):
        await call("watch_events", "p")
    assert [request.resume_token for request in fake.asked("WatchEvents")] == ["", "a", "b"]


async def test_a_preannotation_watch_leaves_out_what_was_told(fake: Fake, call: Call) -> None:
    response = inference_pb.WatchPreannotationJobResponse

    def job(state: str, done: int) -> Any:
        return response(
            preannotation_job=preannotation_job_pb2.PreannotationJob(
                name="j", state=f"PREANNOTATION_JOB_STATE_{state}", done_tasks=done
            )
        )

    def answer(_: object, context: grpc.ServicerContext) -> Iterator[Any]:
        yield job("RUNNING", 1)
        if len(fake.asked("WatchPreannotationJob")) == 1:
            refuse(context, grpc.StatusCode.UNAVAILABLE, "x", reason="DRAINING")
        yield response(heartbeat=response.Heartbeat())
        yield job("DONE", 2)

    fake.answers["WatchPreannotationJob"] = answer
    seen = await call("watch_preannotation_job", "j")
    assert [(run.state.value, run.done_tasks) for run in seen] == [("running", 1), ("done", 2)]


async def test_predict(fake: Fake, call: Call) -> None:
    fake.answers["Predict"] = lambda request, _: inference_pb.PredictResponse(
        predictions=[
            predict_pb2.TextPrediction(
                spans=[text_pb2.ScoredSpan(start=0, end=2, label="A", score=0.5)],
                tokens=[
                    predict_pb2.TokenPrediction(
                        start=0, end=2, labels=[predict_pb2.LabelScore(label="A", score=0.5)]
                    )
                ],
                windows=1,
            )
            for _ in request.texts
        ],
        generation=predict_pb2.Generation(name="g", deployment_revision=2, adapters={"A": "d"}),
    )
    result = await call(
        "predict", "p", ["ab", "cd"], pins={"A": "v1"}, granularity="token", offset_encoding="utf16"
    )
    assert len(result.predictions) == 2
    assert result.predictions[0].spans == (types.ScoredSpan(start=0, end=2, label="A", score=0.5),)
    assert result.predictions[0].tokens[0].labels[0].label == "A"
    assert result.generation.deployment_revision == 2
    (request,) = fake.asked("Predict")
    assert request.granularity == predict_pb2.GRANULARITY_TOKEN
    assert request.offset_encoding == text_pb2.TEXT_OFFSET_ENCODING_UTF16
    assert dict(request.pins) == {"A": "v1"}
    assert result.predictions[0].uncertainty is None
    with pytest.raises(TypeError):
        await call("predict", "p", "ab")


async def test_predict_choices_and_statuses(fake: Fake, call: Call) -> None:
    statuses = [
        predict_pb2.StatusScore(status="absent", score=0.75),
        predict_pb2.StatusScore(status="present", score=0.25),
    ]
    span = text_pb2.ScoredSpan(
        start=0, end=2, label="A", score=0.5, assertion="absent", assertion_score=0.75
    )
    fake.answers["Predict"] = lambda _, __: inference_pb.PredictResponse(
        predictions=[
            predict_pb2.TextPrediction(
                spans=[span],
                choices=[
                    predict_pb2.PredictedChoice(control="c", value="x", score=0.5, chosen=True)
                ],
                assertions=[predict_pb2.SpanAssertion(start=1, end=2, statuses=statuses)],
                uncertainty=predict_pb2.Uncertainty(
                    least_confidence=0.5, margin=0.25, entropy=0.125
                ),
            )
        ],
        generation=predict_pb2.Generation(
            choice_adapters={"c": "d"},
            choice_model_versions={"c": "v"},
            assertion_adapter="e",
            assertion_model_version="w",
        ),
    )
    result = await call(
        "predict", "p", ["ab"], controls=["c"], given_spans=[[(1, 2)]], uncertainty=True
    )
    (found,) = result.predictions
    assert found.spans[0].assertion == "absent"
    assert found.spans[0].assertion_score == 0.75
    assert found.choices == (types.PredictedChoice(control="c", value="x", score=0.5, chosen=True),)
    assert found.assertions == (
        types.SpanAssertion(
            start=1,
            end=2,
            statuses=(
                types.StatusScore(status="absent", score=0.75),
                types.StatusScore(status="present", score=0.25),
            ),
        ),
    )
    assert found.uncertainty == types.Uncertainty(least_confidence=0.5, margin=0.25, entropy=0.125)
    assert result.generation.choice_adapters == {"c": "d"}
    assert result.generation.choice_model_versions == {"c": "v"}
    assert result.generation.assertion_adapter == "e"
    assert result.generation.assertion_model_version == "w"
    (request,) = fake.asked("Predict")
    assert (request.controls, request.uncertainty) == (["c"], True)
    assert [(one.start, one.end) for one in request.given_spans[0].spans] == [(1, 2)]


async def test_training_requests_and_evaluations(fake: Fake, call: Call) -> None:
    metrics = evaluation_pb2.SpanMetrics(precision=1, recall=0.5, f1=0.75, support=4, correct=2)

    def answer(request: Any, _: object) -> Any:
        job = _job(
            "DONE",
            parameters=request.training_job.parameters,
            evaluation=evaluation_pb2.EvaluationReport(
                splits=[
                    evaluation_pb2.SplitEvaluation(
                        split="SPLIT_TEST", labels={"A": metrics}, micro=metrics
                    )
                ]
            ),
        )
        return trainer_pb.CreateTrainingJobResponse(training_job=job)

    fake.answers["CreateTrainingJob"] = answer
    job = await call(
        "create_training_job",
        "p",
        snapshot="s",
        labels=["A"],
        base_model_version="ner_p_v1",
        parameters=types.TrainingParameters(epochs=3, dropout=0.0),
    )
    assert job.parameters == types.TrainingParameters(epochs=3, dropout=0.0)
    test = job.evaluation.on(types.Split.TEST)
    assert test.labels["A"].f1 == 0.75
    assert job.evaluation.on(types.Split.DEV) is None
    (request,) = fake.asked("CreateTrainingJob")
    assert request.training_job.snapshot == "projects/p/snapshots/s"
    assert request.training_job.base_model_version == "projects/p/modelVersions/ner_p_v1"
    assert not request.training_job.parameters.HasField("patience")


async def test_deploy_and_snapshots(fake: Fake, call: Call) -> None:
    fake.answers["Deploy"] = lambda request, _: registry_pb.DeployResponse(
        deployment=deployment_pb2.Deployment(
            name="projects/p/deployment",
            revision=2,
            models=[deployment_pb2.DeployedModel(model_version=request.model_version)],
            action="DEPLOYMENT_ACTION_DEPLOY",
        )
    )
    moved = await call("deploy", "p", "ner_p_v1")
    assert moved.models[0].model_version == "projects/p/modelVersions/ner_p_v1"
    assert moved.action is types.DeploymentAction.DEPLOY
    assert fake.asked("Deploy")[0].request_id

    fake.answers["CreateSnapshot"] = lambda request, _: annotation_pb.CreateSnapshotResponse(
        snapshot=snapshot_pb2.Snapshot(split_policy=request.split_policy)
    )
    for policy in (types.RatioSplits(train=0.5, dev=0.25, test=0.25, seed=3), None):
        assert (await call("create_snapshot", "p", split_policy=policy)).split_policy == policy
    given = types.GivenSplits(seed=0)
    assert (await call("create_snapshot", "p", split_policy=given)).split_policy == given


async def test_conditions_that_do_not_hold_are_told(fake: Fake, call: Call) -> None:
    def refused(_: object, context: grpc.ServicerContext) -> None:
        status = status_pb2.Status(code=9, message="refused")
        for detail in (
            error_details_pb2.ErrorInfo(reason="GATE_FAILED", domain="spanloop.dev"),
            error_details_pb2.PreconditionFailure(
                violations=[
                    error_details_pb2.PreconditionFailure.Violation(
                        type="MIN_LABEL_F1", subject="A", description="too low"
                    )
                ]
            ),
        ):
            status.details.add().Pack(detail)
        context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
        context.abort(grpc.StatusCode.FAILED_PRECONDITION, "refused")

    fake.answers["Deploy"] = refused
    with pytest.raises(errors.FailedPrecondition) as caught:
        await call("deploy", "p", "ner_p_v1", force=True)
    assert caught.value.reason == "GATE_FAILED"
    (violation,) = caught.value.preconditions
    assert (violation.type, violation.subject) == ("MIN_LABEL_F1", "A")
    assert fake.asked("Deploy")[0].force


async def test_an_enum_value_of_a_newer_server_is_unspecified(fake: Fake, call: Call) -> None:
    fake.answers["GetTask"] = lambda _, __: annotation_pb.GetTaskResponse(
        task=task_pb2.Task(status=99)
    )
    assert (await call("get_task", "x")).status is types.TaskStatus.UNSPECIFIED
