"""The command line against scripted services."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from typer.testing import CliRunner, Result

from services.inference.exports.archive import tar_chunks
from spanloop.annotation.v1 import annotation_service_pb2 as annotation_pb
from spanloop.annotation.v1 import label_pb2, prediction_pb2, project_pb2, snapshot_pb2
from spanloop.cli import app
from spanloop.cli._import import files_of
from spanloop.cli._session import job_name, pairs, values
from spanloop.common.v1 import evaluation_pb2, text_pb2
from spanloop.errors import ConfigurationError
from spanloop.inference.v1 import export_pb2, preannotation_job_pb2, predict_pb2, serving_state_pb2
from spanloop.inference.v1 import inference_service_pb2 as inference_pb
from spanloop.registry.v1 import (
    audit_pb2,
    deployment_pb2,
    lineage_pb2,
    model_alias_pb2,
    model_version_pb2,
    registry_policy_pb2,
    retention_pb2,
    server_pb2,
    trial_pb2,
)
from spanloop.registry.v1 import governance_service_pb2 as governance_pb
from spanloop.registry.v1 import registry_service_pb2 as registry_pb
from spanloop.registry.v1 import server_service_pb2 as server_pb
from spanloop.registry.v1 import trial_service_pb2 as trial_pb
from spanloop.trainer.v1 import resource_service_pb2 as resource_pb
from spanloop.trainer.v1 import trainer_service_pb2 as trainer_pb
from spanloop.trainer.v1 import training_job_pb2, training_report_pb2, training_script_pb2
from spanloop.trainer.v1 import training_report_service_pb2 as report_pb
from spanloop.trainer.v1 import training_script_service_pb2 as script_pb
from spanloop.types import Split
from tests.support.fake_services import TOKEN, Fake, fake_services, refuse

RUNNER = CliRunner()


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Fake]:
    with fake_services() as found:
        for service, address in found.endpoints.items():
            monkeypatch.setenv(f"SPANLOOP_{service.upper()}_ADDRESS", address)
        monkeypatch.setenv("SPANLOOP_TOKEN", TOKEN)
        monkeypatch.setenv("SPANLOOP_DATA_DIR", str(tmp_path / "data"))
        yield found


def run(*arguments: str, stdin: str | None = None) -> Result:
    return RUNNER.invoke(app, list(arguments), input=stdin)


def test_commands_are_those_documented() -> None:
    shown = run("--help").output
    for name in (
        *("up", "import", "labels", "train", "jobs", "models", "deploy", "rollback", "predict"),
        *("preannotate", "export", "config", "doctor"),
    ):
        assert f" {name} " in shown
    assert run("--version").output.startswith("spanloop ")
    assert run("nonsense").exit_code == 2


def test_an_error_says_message_reason_and_what_to_do(fake: Fake) -> None:
    fake.answers["ListLabels"] = lambda _, context: refuse(
        context,
        grpc.StatusCode.NOT_FOUND,
        "projects/p does not exist.",
        reason="RESOURCE_NOT_FOUND",
        violations={"parent": "no such project"},
    )
    result = run("labels", "list", "p")
    assert result.exit_code == 1
    assert result.stdout == ""
    assert "error: projects/p does not exist." in result.stderr
    assert "reason: RESOURCE_NOT_FOUND" in result.stderr
    assert "parent: no such project" in result.stderr
    assert "Check the name" in result.stderr
    assert "Traceback" not in result.output


def test_a_wrong_token_says_where_the_token_comes_from(
    fake: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPANLOOP_TOKEN", "wrong")
    result = run("labels", "list", "p")
    assert result.exit_code == 1
    assert "CREDENTIALS_INVALID" in result.stderr
    assert "SPANLOOP_TOKEN" in result.stderr


def test_nobody_listening_says_how_to_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPANLOOP_ANNOTATION_ADDRESS", "127.0.0.1:9")
    monkeypatch.setattr("time.sleep", lambda _: None)
    result = run("labels", "list", "p")
    assert result.exit_code == 1
    assert "127.0.0.1:9" in result.stderr
    assert "spanloop up" in result.stderr


def test_ctrl_c_exits_with_130_and_no_traceback(
    fake: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("spanloop.client.Client.list_labels", interrupt)
    result = run("labels", "list", "p")
    assert result.exit_code == 130
    assert "Traceback" not in result.output


def test_labels(fake: Fake) -> None:
    fake.answers["ListLabels"] = lambda _, __: annotation_pb.ListLabelsResponse(
        labels=[label_pb2.Label(name="n", value="PARTY", description="who [and] what")]
    )
    fake.answers["CreateLabel"] = lambda request, _: annotation_pb.CreateLabelResponse(
        label=request.label
    )
    shown = run("labels", "list", "p").stdout
    assert "PARTY" in shown
    assert "who [and] what" in shown
    assert json.loads(run("labels", "list", "p", "--json").stdout)[0]["value"] == "PARTY"
    assert run("labels", "p").stdout == shown, "a group without a subcommand lists"
    assert run("labels", "add", "p", "A", "B").exit_code == 0
    assert [request.label.value for request in fake.asked("CreateLabel")] == ["A", "B"]


def script_import(fake: Fake, **fields: Any) -> None:
    def get_project(_: object, context: grpc.ServicerContext) -> Any:
        refuse(context, grpc.StatusCode.NOT_FOUND, "no", reason="RESOURCE_NOT_FOUND")

    fake.answers["GetProject"] = get_project
    fake.answers["CreateProject"] = lambda _, __: annotation_pb.CreateProjectResponse(
        project=project_pb2.Project(name="projects/p")
    )
    fake.answers["ListLabels"] = lambda _, __: annotation_pb.ListLabelsResponse()
    fake.answers["ImportTasks"] = lambda _, __: annotation_pb.ImportTasksResponse(
        format="TASK_FORMAT_CONLL", **fields
    )


@pytest.mark.parametrize(
    ("labels", "arguments", "created"),
    [([], [], True), (["A"], [], False), (["A"], ["--create-labels"], True)],
)
def test_labels_are_created_while_the_project_has_none(
    fake: Fake, tmp_path: Path, labels: list[str], arguments: list[str], created: bool
) -> None:
    file = tmp_path / "a.conll"
    file.write_text("a O\n")
    script_import(fake, imported_tasks=1)
    fake.answers["ListLabels"] = lambda _, __: annotation_pb.ListLabelsResponse(
        labels=[label_pb2.Label(name="n", value=value) for value in labels]
    )
    assert run("import", "p", str(file), *arguments).exit_code == 0
    assert fake.asked("ImportTasks")[0].header.create_labels is created


def test_a_folder_is_imported_with_its_splits(fake: Fake, tmp_path: Path) -> None:
    script_import(fake, imported_tasks=2, created_labels=["A"])
    for name in ("train.conll", "dev.conll", "test.conll", "SOURCE.txt"):
        (tmp_path / name).write_text("a O\n")
    result = run("import", "p", str(tmp_path))
    assert result.exit_code == 0, result.output
    headers = [
        request.header
        for request in fake.asked("ImportTasks")
        if request.WhichOneof("payload") == "header"
    ]
    assert [header.split for header in headers] == [1, 2, 3]
    assert all(header.create_labels for header in headers)
    assert len(fake.asked("CreateProject")) == 1
    assert "Created labels: A." in result.stderr


@pytest.mark.parametrize(
    ("reason", "outcome", "status"),
    [("INTERNAL", "failed", 1), ("", "failed", 1), ("FORMAT_UNKNOWN", "skipped", 0)],
)
def test_only_what_nobody_explains_fails_a_check_of_formats(
    fake: Fake,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    reason: str,
    outcome: str,
    status: int,
) -> None:
    def no_checkout() -> Path:
        raise ConfigurationError("no checkout")

    monkeypatch.setattr("spanloop.cli._formats.find_checkout", no_checkout)
    script_import(fake)
    fake.answers["ImportTasks"] = lambda _, context: refuse(
        context, grpc.StatusCode.INVALID_ARGUMENT, "It cannot be.", reason=reason
    )
    folder = tmp_path / "files"
    folder.mkdir()
    (folder / "a.jsonl").write_text("{}\n")
    result = run("formats", "check", str(folder), "--json")
    assert (result.exit_code, json.loads(result.stdout)[0]["outcome"]) == (status, outcome)


def test_refused_lines_are_shown_and_only_an_empty_import_fails(fake: Fake, tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_text("{}\n")
    error = annotation_pb.ImportError(line=7, reason="OFFSET_INVALID", field="spans[0].end")
    script_import(fake, imported_tasks=1, refused_tasks=1, errors=[error])
    result = run("import", "p", str(file))
    assert result.exit_code == 0
    assert "OFFSET_INVALID" in result.stdout
    assert "spans[0].end" in result.stdout
    assert run("import", "p", str(file), "--json").exit_code == 0
    script_import(fake, refused_tasks=1, errors=[error])
    assert run("import", "p", str(file)).exit_code == 1
    script_import(fake, unchanged_tasks=1)
    assert run("import", "p", str(file)).exit_code == 0
    assert run("import", "p", str(tmp_path / "missing")).exit_code == 2


def test_files_of_a_folder(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no train, dev or test"):
        files_of([tmp_path], None)
    (tmp_path / "valid.tsv").touch()
    (tmp_path / "train.txt").touch()
    assert files_of([tmp_path], None) == [
        (tmp_path / "train.txt", Split.TRAIN),
        (tmp_path / "valid.tsv", Split.DEV),
    ]
    (tmp_path / "dev.tsv").touch()
    with pytest.raises(ConfigurationError, match="two dev files"):
        files_of([tmp_path], None)
    assert files_of([tmp_path / "x"], Split.TEST) == [(tmp_path / "x", Split.TEST)]


def job(state: str, **fields: Any) -> training_job_pb2.TrainingJob:
    return training_job_pb2.TrainingJob(
        name="projects/p/trainingJobs/j", state=f"TRAINING_JOB_STATE_{state}", **fields
    )


def script_training(fake: Fake, last: training_job_pb2.TrainingJob) -> None:
    response = trainer_pb.WatchTrainingJobResponse
    line = training_job_pb2.TrainingLogLine(sequence=1, level="info", message="epoch 1 [of 2]")
    fake.answers["CreateSnapshot"] = lambda _, __: annotation_pb.CreateSnapshotResponse(
        snapshot=snapshot_pb2.Snapshot(name="projects/p/snapshots/s", example_counts={"train": 3})
    )
    fake.answers["CreateTrainingJob"] = lambda _, __: trainer_pb.CreateTrainingJobResponse(
        training_job=job("WAITING")
    )
    fake.answers["WatchTrainingJob"] = lambda _, __: iter(
        [
            response(training_job=job("WAITING")),
            response(log_line=line),
            response(training_job=last),
        ]
    )


def test_train_and_watch_shows_log_and_quality(fake: Fake) -> None:
    metrics = evaluation_pb2.SpanMetrics(precision=0.5, recall=0.25, f1=0.333, support=8)
    split = evaluation_pb2.SplitEvaluation(split="SPLIT_TEST", labels={"A": metrics}, micro=metrics)
    report = evaluation_pb2.EvaluationReport(splits=[split])
    version = "projects/p/modelVersions/ner_p_v1"
    script_training(fake, job("DONE", evaluation=report, model_version=version))
    result = run("train", "p", "--watch", "--labels", "A,B", "--epochs", "2", "--splits", "given")
    assert result.exit_code == 0, result.output
    assert "epoch 1 [of 2]" in result.stderr
    assert "0.250" in result.stdout
    assert "spanloop deploy p ner_p_v1" in result.stderr
    (request,) = fake.asked("CreateTrainingJob")
    assert list(request.training_job.labels) == ["A", "B"]
    assert request.training_job.parameters.epochs == 2
    assert request.training_job.snapshot == "projects/p/snapshots/s"
    (request,) = fake.asked("CreateSnapshot")
    assert request.split_policy.WhichOneof("policy") == "given"


def test_a_failed_job_exits_with_1_and_says_why(fake: Fake) -> None:
    failure = training_job_pb2.TrainingFailure(
        reason="TRAINING_FAILURE_REASON_OUT_OF_MEMORY", message="use a smaller batch"
    )
    script_training(fake, job("FAILED", failure=failure))
    result = run("train", "p", "--watch")
    assert result.exit_code == 1
    assert "OUT_OF_MEMORY: use a smaller batch" in result.stdout
    assert run("train", "p").stdout.strip() == "projects/p/trainingJobs/j"
    assert run("train", "p", "--splits", "0.5,0.5").exit_code == 1


def test_jobs(fake: Fake) -> None:
    fake.answers["ListTrainingJobs"] = lambda _, __: trainer_pb.ListTrainingJobsResponse(
        training_jobs=[job("DONE")]
    )
    fake.answers["CancelTrainingJob"] = lambda _, __: trainer_pb.CancelTrainingJobResponse()
    fake.answers["ListPreannotationJobs"] = lambda _, __: (
        inference_pb.ListPreannotationJobsResponse(
            preannotation_jobs=[preannotation_job_pb2.PreannotationJob(name="r")]
        )
    )
    assert "projects/p/trainingJobs/j" in run("jobs", "list").stdout
    assert fake.asked("ListTrainingJobs")[0].parent == "projects/-"
    assert json.loads(run("jobs", "list", "p", "--json").stdout)[0]["state"] == "done"
    assert json.loads(run("jobs", "list", "--preannotation", "--json").stdout)[0]["name"] == "r"
    assert run("jobs", "list", "p", "--source", "active-learning").exit_code == 0
    assert fake.asked("ListTrainingJobs")[-1].source == 2
    assert run("jobs", "cancel", "p/j").exit_code == 0
    assert fake.asked("CancelTrainingJob")[0].name == "projects/p/trainingJobs/j"
    script_training(fake, job("DONE"))
    assert "epoch 1 [of 2]" in run("jobs", "logs", "p/j").stdout


def test_reports_and_logs(fake: Fake, tmp_path: Path) -> None:
    metrics = evaluation_pb2.SpanMetrics(precision=0.5, recall=0.25, f1=0.333, support=8)
    split = training_report_pb2.SplitReport(
        evaluation=evaluation_pb2.SplitEvaluation(
            split="SPLIT_TEST", labels={"PER": metrics}, micro=metrics, macro=metrics, texts=9
        ),
        confusion=[
            {"annotated": "PER", "predicted": "PER", "count": 4},
            {"annotated": "PER", "predicted": "ORG", "count": 3},
        ],
        errors=[{"label": "PER", "correct": 4, "wrong_label": 3, "missed": 1}],
        calibration=[{"from": 0.4, "to": 0.5, "count": 2, "mean_score": 0.45, "precision": 0.5}],
        calibration_error=0.05,
        worst_examples=[{"text": "Anna [x]", "missed": ['PER 0-4 "Anna"'], "loss": 1.0}],
    )
    found = training_report_pb2.TrainingReport(
        name="projects/p/trainingJobs/j/report",
        splits=[split],
        learning_curve=[{"texts": 5, "micro_f1": 0.25}],
    )
    fake.answers["GetTrainingReport"] = lambda _, __: report_pb.GetTrainingReportResponse(
        training_report=found
    )
    told = run("report", "p/j")
    assert told.exit_code == 0, told.output
    for part in ("0.333", "wrong label", "ORG", "Anna [x]", "PER 0-4", "Learning curve"):
        assert part in told.stdout
    assert fake.asked("GetTrainingReport")[0].name == "projects/p/trainingJobs/j"
    (printed,) = json.loads(run("report", "p/j", "--json").stdout)["splits"]
    assert printed["errors"]["PER"]["wrong_label"] == 3
    assert printed["calibration"][0]["low"] == 0.4
    fake.answers["DownloadTrainingReport"] = lambda _, __: iter(
        [report_pb.DownloadTrainingReportResponse(chunk=part) for part in (b"<html>", b"</html>")]
    )
    page = tmp_path / "r.html"
    assert run("report", "p/j", "--html", str(page)).exit_code == 0
    assert page.read_bytes() == b"<html></html>"
    fake.answers["DownloadTrainingLogs"] = lambda _, __: iter(
        [report_pb.DownloadTrainingLogsResponse(chunk=b"a line\n")]
    )
    assert run("logs", "p/j").stdout == "a line\n"
    group = "projects/p/trainingGroups/g"
    archive = tmp_path / "l.zip"
    assert run("logs", group, "-o", str(archive)).exit_code == 0
    assert archive.read_bytes() == b"a line\n"
    asked = [request.name for request in fake.asked("DownloadTrainingLogs")]
    assert asked == ["projects/p/trainingJobs/j", group]


def test_workers(fake: Fake) -> None:
    gib = 1024**3
    fake.answers["ListResources"] = lambda _, __: resource_pb.ListResourcesResponse(
        workers=[
            {
                "id": "host-1",
                "capacity": {"cpu": 4, "gpu": 1, "memory_bytes": 8 * gib},
                "free": {"cpu": 3, "gpu": 0, "memory_bytes": 6 * gib},
                "max_jobs": 2,
                "jobs": [{"training_job": "projects/p/trainingJobs/j", "resources": {"gpu": 1}}],
                "gpu_available": True,
                "gpus": ["H200"],
            }
        ],
        waiting_jobs=3,
    )
    told = run("workers")
    for part in ("host-1", "1 of 2", "3 of 4", "0 of 1", "6.0 of 8.0", "H200", "trainingJobs/j"):
        assert part in told.stdout
    assert "3 jobs wait" in told.stderr
    (worker,) = json.loads(run("workers", "--json").stdout)["workers"]
    assert worker["jobs"][0]["resources"]["gpu"] == 1


def test_engines_and_their_options(fake: Fake) -> None:
    fake.answers["DescribeParameters"] = lambda _, __: resource_pb.DescribeParametersResponse(
        engines=[
            {
                "engine": "lora",
                "description": "Low rank.",
                "model_types": ["MODEL_TYPE_NER"],
                "default_resources": {"cpu": 2},
                "parameters": [
                    {"name": "epochs", "type": "integer", "minimum": 1, "maximum": 1000},
                    {"name": "rank", "engine_option": True, "type": "integer"},
                ],
            }
        ]
    )
    told = run("engines").stdout
    for part in ("lora", "ner", "Low rank.", "2"):
        assert part in told
    told = run("engines", "lora", "--type", "classification").stdout
    for part in ("Options of this engine", "rank", "1 to 1,000", "from the data"):
        assert part in told
    assert [request.engine for request in fake.asked("DescribeParameters")] == ["", "lora"]
    (one,) = json.loads(run("engines", "--json").stdout)
    assert one["parameters"][1]["engine_option"]
    asked = training_job_pb2.TrainingJob(name="projects/p/trainingJobs/j")
    fake.answers["CreateTrainingJob"] = lambda _, __: trainer_pb.CreateTrainingJobResponse(
        training_job=asked
    )
    options = ("--option", "rank=4", "--option", "batch_words=64", "--option", "dropout=0")
    done = run("train", "p", "--snapshot", "s", "--engine", "lora", "--epochs", "2", *options)
    assert done.exit_code == 0, done.output
    (request,) = fake.asked("CreateTrainingJob")
    job = request.training_job
    assert (job.engine, job.parameters.epochs, job.parameters.batch_words) == ("lora", 2, 64)
    assert job.parameters.HasField("dropout")
    assert dict(job.parameters.engine_options) == {"rank": "4"}
    for wrong in ("rank", "=4", "epochs=3", "width=wide"):
        told = run("train", "p", "--snapshot", "s", "--epochs", "2", "--option", wrong)
        assert told.exit_code == 1
        assert "--option" in told.stderr


def test_training_scripts(fake: Fake, tmp_path: Path) -> None:
    kept = training_script_pb2.TrainingScript(
        name="projects/p/trainingScripts/s",
        display_name="probe.py",
        digest="sha256:abc",
        content=b"print(1)\n",
        limits={"wall_seconds": 60, "memory_bytes": 2 * 1024**3},
    )
    fake.answers["CreateTrainingScript"] = lambda _, __: script_pb.CreateTrainingScriptResponse(
        training_script=kept
    )
    fake.answers["GetTrainingScript"] = lambda _, __: script_pb.GetTrainingScriptResponse(
        training_script=kept
    )
    fake.answers["ListTrainingScripts"] = lambda _, __: script_pb.ListTrainingScriptsResponse(
        training_scripts=[kept]
    )
    fake.answers["DeleteTrainingScript"] = lambda _, __: script_pb.DeleteTrainingScriptResponse()
    file = tmp_path / "probe.py"
    file.write_bytes(kept.content)
    limits = ("--seconds", "60", "--memory", "2")
    assert run("scripts", "add", "p", str(file), *limits).stdout.strip() == kept.name
    (request,) = fake.asked("CreateTrainingScript")
    assert request.training_script.content == kept.content
    assert request.training_script.display_name == "probe.py"
    assert request.training_script.limits == kept.limits
    told = run("scripts", "list", "p").stdout
    for part in ("s", "probe.py", "60", "2.0", "abc"):
        assert part in told
    (one,) = json.loads(run("scripts", "list", "p", "--json").stdout)
    assert one["digest"] == "sha256:abc"
    assert run("scripts", "show", "p", "s").stdout == "print(1)\n"
    assert run("scripts", "remove", "p", kept.name).exit_code == 0
    asked = [request.name for request in fake.asked("GetTrainingScript")]
    assert asked == [request.name for request in fake.asked("DeleteTrainingScript")] == [kept.name]
    told = run("scripts", "add", "p", str(tmp_path / "none"))
    assert told.exit_code == 1
    assert "cannot be read" in told.stderr


def test_a_model_is_written_as_a_folder_whole_or_not_at_all(fake: Fake, tmp_path: Path) -> None:
    archive = b"".join(tar_chunks({"README.md": b"# it", "model.onnx": b"x" * 2000}))

    def answer(request: inference_pb.ExportModelVersionRequest, context: Any) -> Iterator[Any]:
        yield inference_pb.ExportModelVersionResponse(chunk=archive[:700])
        if request.name.endswith("v1"):
            refuse(context, grpc.StatusCode.DATA_LOSS, "torn", reason="ARTIFACT_CORRUPT")
        yield inference_pb.ExportModelVersionResponse(chunk=archive[700:])

    fake.answers["ExportModelVersion"] = answer
    folder = tmp_path / "exports" / "mine"
    broken = run("models", "export", "p", "ner_p_v1", str(folder))
    assert (broken.exit_code, "torn" in broken.stderr) == (1, True)
    assert list(folder.parent.iterdir()) == []
    result = run("models", "export", "p", "ner_p_v2", str(folder), "--layout", "hugging-face")
    assert result.exit_code == 0, result.output
    assert "Wrote 2 files" in result.stderr
    assert (folder / "model.onnx").read_bytes() == b"x" * 2000
    assert [path.name for path in folder.parent.iterdir()] == ["mine"]
    asked = fake.asked("ExportModelVersion")[-1]
    assert asked.name == "projects/p/modelVersions/ner_p_v2"
    assert asked.layout == export_pb2.EXPORT_LAYOUT_HUGGING_FACE
    again = run("models", "export", "p", "ner_p_v2", str(folder))
    assert again.exit_code == 2
    assert "there is something already" in again.stderr


def test_models_deploy_and_rollback(fake: Fake) -> None:
    version = model_version_pb2.ModelVersion(
        name="projects/p/modelVersions/ner_p_v2",
        adapters={"A": "sha256:1"},
        state="MODEL_VERSION_STATE_READY",
    )
    moved = deployment_pb2.Deployment(
        name="projects/p/deployment",
        revision=2,
        models=[deployment_pb2.DeployedModel(model_version=version.name)],
    )
    fake.answers["ListModelVersions"] = lambda _, __: registry_pb.ListModelVersionsResponse(
        model_versions=[version]
    )
    fake.answers["GetModelVersion"] = lambda _, __: registry_pb.GetModelVersionResponse(
        model_version=version
    )
    fake.answers["GetDeployment"] = lambda _, __: registry_pb.GetDeploymentResponse(
        deployment=moved
    )
    fake.answers["Deploy"] = lambda _, __: registry_pb.DeployResponse(deployment=moved)
    fake.answers["Rollback"] = lambda _, __: registry_pb.RollbackResponse(deployment=moved)
    fake.answers["ListDeploymentRevisions"] = lambda _, __: (
        registry_pb.ListDeploymentRevisionsResponse(deployments=[moved])
    )
    fake.answers["GetServingState"] = lambda _, __: inference_pb.GetServingStateResponse(
        serving_state=serving_state_pb2.ServingState(
            generations=[
                serving_state_pb2.LoadedGeneration(
                    deployment_revision=2, state="GENERATION_STATE_READY"
                )
            ]
        )
    )
    assert "ner_p_v2" in run("models", "list", "p").stdout
    assert "sha256:1" in run("models", "show", "p", "ner_p_v2").stdout
    assert fake.asked("GetModelVersion")[0].name == version.name
    result = run("deploy", "p")
    assert result.exit_code == 0, result.output
    assert "Serving after" in result.stderr
    assert fake.asked("Deploy")[0].model_version == version.name
    assert run("rollback", "p", "--wait", "0").exit_code == 0
    assert json.loads(run("rollback", "p", "--list", "--json").stdout)[0]["revision"] == 2


def test_pins_and_aliases(fake: Fake) -> None:
    name = "projects/p/modelVersions/ner_p_v2"
    moved = deployment_pb2.Deployment(
        name="projects/p/deployment",
        revision=3,
        models=[deployment_pb2.DeployedModel(model_version="projects/p/modelVersions/ner_p_v1")],
        pins=[deployment_pb2.LabelPin(label="A", model_version=name)],
    )
    alias = model_alias_pb2.ModelAlias(
        name="projects/p/modelVersions/ner@gold", model_version=name, actor="alice"
    )
    fake.answers["PinLabel"] = lambda _, __: registry_pb.PinLabelResponse(deployment=moved)
    fake.answers["UnpinLabel"] = lambda _, __: registry_pb.UnpinLabelResponse(deployment=moved)
    fake.answers["SetModelAlias"] = lambda _, __: registry_pb.SetModelAliasResponse(
        model_alias=alias
    )
    fake.answers["DeleteModelAlias"] = lambda _, __: registry_pb.DeleteModelAliasResponse()
    fake.answers["ListModelAliases"] = lambda _, __: registry_pb.ListModelAliasesResponse(
        model_aliases=[alias]
    )
    result = run("pin", "p", "A", "ner@gold", "--wait", "0")
    assert result.exit_code == 0, result.output
    assert "p revision 3: ner_p_v1, A from ner_p_v2." in result.stderr
    (asked,) = fake.asked("PinLabel")
    assert (asked.label, asked.model_version) == ("A", alias.name)
    assert asked.request_id
    assert run("unpin", "p", "A", "--wait", "0", "--etag", "2").exit_code == 0
    assert fake.asked("UnpinLabel")[0].etag == "2"
    listed = run("aliases", "p")
    assert listed.exit_code == 0, listed.output
    assert "ner@gold" in listed.stdout
    assert "alice" in listed.stdout
    assert "ner@gold is ner_p_v2." in run("aliases", "set", "p", "ner@gold", "ner_p_v2").stderr
    assert fake.asked("SetModelAlias")[0].model_alias.model_version == name
    assert run("aliases", "remove", "p", "ner@gold").exit_code == 0
    assert fake.asked("DeleteModelAlias")[0].name == alias.name


def test_policies_are_changed_in_part(fake: Fake) -> None:
    policy = registry_policy_pb2.RegistryPolicy(
        name="projects/p/registryPolicy",
        gate=registry_policy_pb2.DeployGate(split="SPLIT_TEST", max_label_regression=0.1),
        etag="7",
    )
    fake.answers["GetRegistryPolicy"] = lambda _, __: governance_pb.GetRegistryPolicyResponse(
        registry_policy=policy
    )
    fake.answers["UpdateRegistryPolicy"] = lambda request, _: (
        governance_pb.UpdateRegistryPolicyResponse(registry_policy=request.registry_policy)
    )
    shown = run("policy", "show", "p")
    assert shown.exit_code == 0, shown.output
    assert "0.1" in shown.stdout
    assert "all" in shown.stdout
    result = run(
        *["policy", "set", "p", "--min-micro", "0.7", "--keep-last", "3", "--keep-days", "30"]
    )
    assert result.exit_code == 0, result.output
    (asked,) = fake.asked("UpdateRegistryPolicy")
    sent = asked.registry_policy
    assert (sent.etag, sent.gate.split, sent.gate.min_micro_f1) == ("7", 3, 0.7)
    assert sent.gate.max_label_regression == 0.1
    assert (sent.retention.keep_last, sent.retention.max_age.seconds) == (3, 30 * 86_400)
    assert run("policy", "set", "p", "--no-gate").exit_code == 0
    assert not fake.asked("UpdateRegistryPolicy")[1].registry_policy.HasField("gate")
    assert run("policy", "set", "p", "--keep-days", "3").exit_code == 2


def test_retention_only_tells_unless_asked_to_apply(fake: Fake) -> None:
    kept, gone = (
        retention_pb2.RetentionItem(resource=name, decision=decision, reasons=["because"])
        for name, decision in (("adapters/a", 1), ("adapters/b", 2))
    )
    fake.answers["RunRetention"] = lambda request, _: iter(
        [
            governance_pb.RunRetentionResponse(items=[kept]),
            governance_pb.RunRetentionResponse(
                items=[gone],
                summary=retention_pb2.RetentionSummary(
                    applied=request.apply, removed_adapters=1, removed_bytes=1234
                ),
            ),
        ]
    )
    told = run("retention")
    assert told.exit_code == 0, told.output
    assert "adapters/b" in told.stdout
    assert "adapters/a" not in told.stdout
    assert "--apply would give up" in told.stderr
    assert "1,234 bytes" in told.stderr
    done = json.loads(run("retention", "p", "--apply", "--kept", "--json").stdout)
    assert [item["keep"] for item in done["items"]] == [True, False]
    assert done["summary"]["applied"]
    asked = fake.asked("RunRetention")
    assert [(one.parent, one.apply) for one in asked] == [
        ("projects/-", False),
        ("projects/p", True),
    ]


def test_lineage_leads_from_a_prediction_to_completions(fake: Fake) -> None:
    prediction = prediction_pb2.Prediction(
        name="projects/p/tasks/t/predictions/x",
        model_versions={"A": "projects/p/modelVersions/ner_p_v2"},
    )
    rules = prediction_pb2.Prediction(name="projects/p/tasks/t/predictions/y", generation="rules/r")
    fake.answers["ListPredictions"] = lambda _, __: annotation_pb.ListPredictionsResponse(
        predictions=[rules, prediction]
    )
    step = lineage_pb2.LineageStep(
        label="A",
        adapter="sha256:1",
        model_version="projects/p/modelVersions/ner_p_v2",
        origin="projects/p/modelVersions/ner_p_v1",
        lineage=model_version_pb2.Lineage(snapshot="projects/p/snapshots/s"),
    )
    fake.answers["GetLineage"] = lambda _, __: governance_pb.GetLineageResponse(steps=[step])
    fake.answers["ReadSnapshot"] = lambda _, __: iter(
        [
            annotation_pb.ReadSnapshotResponse(
                examples=[
                    snapshot_pb2.SnapshotExample(
                        completion=f"completion{number}",
                        spans=[text_pb2.Span(start=0, end=1, label="A" if number % 2 else "B")],
                    )
                    for number in range(8)
                ]
            )
        ]
    )
    result = run("lineage", prediction.name, "--completions", "--skip", "1", "--limit", "2")
    assert result.exit_code == 0, result.output
    assert "projects/p/snapshots/s" in result.stdout
    found = [f"completion{n}" for n in range(8) if f"completion{n}" in result.stdout]
    assert found == ["completion3", "completion5"]
    (asked,) = fake.asked("GetLineage")
    assert (asked.name, asked.label) == ("projects/p/modelVersions/ner_p_v2", "A")
    assert "No model is behind it" in run("lineage", rules.name).stderr
    missing = run("lineage", "projects/p/tasks/t/predictions/z")
    assert missing.exit_code == 1
    assert "does not exist" in missing.stderr
    assert run("lineage", "projects/p/deployment").exit_code == 0
    assert fake.asked("GetLineage")[1].name == "projects/p/deployment"


def test_cards_and_the_audit_of_models(fake: Fake, tmp_path: Path) -> None:
    fake.answers["GetModelCard"] = lambda _, __: governance_pb.GetModelCardResponse(
        markdown="---\n# card [A]\n"
    )
    event = audit_pb2.AuditEvent(
        actor="alice", action="AUDIT_ACTION_DEPLOY", resource="projects/p/deployment"
    )
    fake.answers["ListAuditEvents"] = lambda _, __: governance_pb.ListAuditEventsResponse(
        audit_events=[event, event]
    )
    assert run("models", "card", "p", "ner@champion").stdout == "---\n# card [A]\n"
    assert fake.asked("GetModelCard")[0].name == "projects/p/modelVersions/ner@champion"
    assert run("models", "card", "p", "v", "-o", str(tmp_path / "card.md")).exit_code == 0
    assert (tmp_path / "card.md").read_text() == "---\n# card [A]\n"
    told = run(
        "models", "audit", "p", "--version", "ner_p_v1", "--action", "deploy", "--limit", "1"
    )
    assert told.exit_code == 0, told.output
    assert "alice" in told.stdout
    assert "newest 1" in told.stderr
    (asked,) = fake.asked("ListAuditEvents")
    assert asked.resource == "projects/p/modelVersions/ner_p_v1"
    assert list(asked.actions) == [audit_pb2.AUDIT_ACTION_DEPLOY]


def test_a_gate_that_refuses_says_what_to_do(fake: Fake) -> None:
    fake.answers["Deploy"] = lambda _, context: refuse(
        context, grpc.StatusCode.FAILED_PRECONDITION, "refused", reason="GATE_FAILED"
    )
    result = run("deploy", "p", "ner_p_v1")
    assert result.exit_code == 1
    assert "spanloop policy show" in result.stderr


def test_predict_reads_arguments_or_stdin(fake: Fake) -> None:
    span = text_pb2.ScoredSpan(start=0, end=4, label="A", score=0.5)
    fake.answers["Predict"] = lambda request, _: inference_pb.PredictResponse(
        predictions=[predict_pb2.TextPrediction(spans=[span]) for _ in request.texts],
        generation=predict_pb2.Generation(name="g7", model_versions={"A": "x/ner_p_v1"}),
    )
    result = run("predict", "p", "Acme [Ltd]", "--pin", "A=ner_p_v1", "--min-score", "0.2")
    assert result.exit_code == 0, result.output
    assert "Acme [Ltd]" in result.stdout
    assert "0.500" in result.stdout
    assert "g7 (ner_p_v1)" in result.stderr
    answered = json.loads(run("predict", "p", "--json", stdin="one x\n\ntwo x\n").stdout)
    assert [entry["text"] for entry in answered["predictions"]] == ["one x", "two x"]
    assert run("predict", "p", stdin="").exit_code == 1
    assert "must be LABEL=VERSION" in run("predict", "p", "x", "--pin", "A").stderr


def test_predict_shows_choices_statuses_and_sureness(fake: Fake) -> None:
    span = text_pb2.ScoredSpan(
        start=0, end=4, label="A", score=0.5, assertion="absent", assertion_score=0.875
    )
    choice = predict_pb2.PredictedChoice(control="topic", value="law", score=0.75, chosen=True)
    status = predict_pb2.SpanAssertion(
        start=5, end=8, statuses=[predict_pb2.StatusScore(status="possible", score=0.625)]
    )
    fake.answers["Predict"] = lambda _, __: inference_pb.PredictResponse(
        predictions=[
            predict_pb2.TextPrediction(
                spans=[span],
                choices=[choice],
                assertions=[status],
                uncertainty=predict_pb2.Uncertainty(margin=0.25),
            )
        ],
        generation=predict_pb2.Generation(
            name="g7",
            choice_model_versions={"topic": "x/classification_topic_p_v1"},
            assertion_model_version="x/assertion_p_v2",
        ),
    )
    result = run("predict", "p", "Acme Ltd", "--control", "topic", "--span", "5:8", "--uncertainty")
    assert result.exit_code == 0, result.output
    for told in ("absent", "0.875", "topic", "law", "Ltd", "possible"):
        assert told in result.stdout
    assert "margin 0.250" in result.stderr
    assert "g7 (assertion_p_v2, classification_topic_p_v1)" in result.stderr
    (request,) = fake.asked("Predict")
    assert (request.controls, request.uncertainty) == (["topic"], True)
    assert [(one.start, one.end) for one in request.given_spans[0].spans] == [(5, 8)]
    answered = json.loads(run("predict", "p", "Acme Ltd", "--json").stdout)["predictions"][0]
    assert answered["choices"][0]["chosen"] is True
    assert answered["assertions"][0]["statuses"][0]["status"] == "possible"
    for wrong in ("5", "a:b", "5:-8"):
        assert "START:END" in run("predict", "p", "Acme Ltd", "--span", wrong).stderr
    assert "one text" in run("predict", "p", "a", "b", "--span", "0:1").stderr


def test_preannotate_and_export(fake: Fake, tmp_path: Path) -> None:
    def run_of(state: str) -> preannotation_job_pb2.PreannotationJob:
        return preannotation_job_pb2.PreannotationJob(
            name="projects/p/preannotationJobs/r",
            state=f"PREANNOTATION_JOB_STATE_{state}",
            total_tasks=4,
            done_tasks=4,
        )

    response = inference_pb.WatchPreannotationJobResponse
    fake.answers["CreatePreannotationJob"] = lambda _, __: (
        inference_pb.CreatePreannotationJobResponse(preannotation_job=run_of("WAITING"))
    )
    fake.answers["WatchPreannotationJob"] = lambda _, __: iter(
        [response(preannotation_job=run_of("DONE"))]
    )
    result = run("preannotate", "p", "--watch")
    assert result.exit_code == 0, result.output
    assert "4 of 4" in result.stdout
    fake.answers["WatchPreannotationJob"] = lambda _, __: iter(
        [response(preannotation_job=run_of("FAILED"))]
    )
    assert run("preannotate", "p", "--watch").exit_code == 1
    skipping = run_of("DONE")
    skipping.stale_only, skipping.skipped_tasks = True, 3
    fake.answers["WatchPreannotationJob"] = lambda _, __: iter(
        [response(preannotation_job=skipping)]
    )
    assert "skipped, as current" in run("preannotate", "p", "--watch", "--stale").stdout
    assert fake.asked("CreatePreannotationJob")[-1].preannotation_job.stale_only

    fake.answers["ExportTasks"] = lambda _, __: iter(
        [annotation_pb.ExportTasksResponse(chunk=b"caf\xc3\xa9\n", exported_tasks=1)]
    )
    assert run("export", "p").stdout == "café\n"
    target = tmp_path / "out"
    assert run("export", "p", "-o", str(target)).exit_code == 0
    assert target.read_bytes() == b"caf\xc3\xa9\n"
    result = run("export", "p", "-o", str(tmp_path / "no" / "out"))
    assert result.exit_code == 1
    assert "no does not exist: make it first" in result.stderr


def test_option_helpers() -> None:
    assert values(["A,B", " C "]) == ["A", "B", "C"]
    assert pairs(["a=b=v1"], "--pin") == {"a=b": "v1"}
    assert job_name("p/j", "trainingJobs") == "projects/p/trainingJobs/j"
    full = "projects/p/trainingJobs/j"
    assert job_name(full, "trainingJobs") == full


def test_servers(fake: Fake) -> None:
    server = server_pb2.InferenceServer(name="servers/abc", device=server_pb2.DEVICE_CUDA)
    fake.answers["ListServers"] = lambda _, __: server_pb.ListServersResponse(servers=[server])
    fake.answers["ChooseTrunkPrecision"] = lambda _, __: server_pb.ChooseTrunkPrecisionResponse(
        precision="fp16", reason="1 server computes on CUDA.", cuda_servers=1
    )
    result = run("servers")
    assert result.exit_code == 0, result.output
    assert "abc" in result.stdout
    assert "cuda" in result.stdout
    assert "read the trunk in fp16: 1 server" in result.stderr.replace("\n", " ")
    told = json.loads(run("servers", "--json").stdout)
    assert told["servers"][0]["device"] == "cuda"
    assert told["trunk_precision"]["precision"] == "fp16"


def test_the_precision_of_a_job_and_what_it_costs_are_shown(fake: Fake) -> None:
    made = job("DONE")
    made.trunk_precision.precision = "int8"
    made.trunk_precision.reason = "The job asks for it."
    fake.answers["GetTrainingJob"] = lambda _, __: trainer_pb.GetTrainingJobResponse(
        training_job=made
    )
    assert "int8: The job asks for it." in run("jobs", "show", "p/j").stdout
    told = json.loads(run("jobs", "show", "p/j", "--json").stdout)["trunk_precision"]
    assert told == {"precision": "int8", "reason": "The job asks for it."}
    metrics = evaluation_pb2.SpanMetrics(precision=0.5, recall=0.25, f1=0.456, support=80)
    report = training_report_pb2.TrainingReport(
        precision_check={
            "precision": "int8",
            "fp32_evaluation": evaluation_pb2.SplitEvaluation(
                split="SPLIT_DEV", labels={"PER": metrics}, micro=metrics, macro=metrics, texts=9
            ),
            "max_label_loss": 0.03,
            "min_spans": 50,
            "trained": True,
        }
    )
    fake.answers["GetTrainingReport"] = lambda _, __: report_pb.GetTrainingReportResponse(
        training_report=report
    )
    shown = run("report", "p/j")
    assert "0.456" in shown.stdout
    assert "trained in fp32 instead of int8" in shown.stderr.replace("\n", " ")


def test_trials(fake: Fake) -> None:
    name = "projects/p/trials/2"
    trial = trial_pb2.Trial(
        name=name,
        model_version="projects/p/modelVersions/ner_p_v3",
        mode=trial_pb2.TRIAL_MODE_CANARY,
        share=0.2,
        state=trial_pb2.TRIAL_STATE_RUNNING,
        counts=trial_pb2.TrialCounts(
            requests=8,
            errors=2,
            compared_requests=6,
            compared_texts=6,
            differing_texts=3,
            differences=[trial_pb2.AnswerDifference(name="PARTY", served=9, added=4)],
        ),
        reporters=[
            trial_pb2.TrialReporter(
                reporter="abc",
                candidate_state=trial_pb2.CANDIDATE_STATE_ERROR,
                error_message="it is broken",
            )
        ],
    )
    over = trial_pb2.Trial(
        name=name, state=trial_pb2.TRIAL_STATE_ENDED, reason="It was ended.", etag="2"
    )
    fake.answers["StartTrial"] = lambda _, __: trial_pb.StartTrialResponse(trial=trial)
    fake.answers["GetTrial"] = lambda _, __: trial_pb.GetTrialResponse(trial=trial)
    fake.answers["ListTrials"] = lambda _, __: trial_pb.ListTrialsResponse(trials=[trial])
    fake.answers["EndTrial"] = lambda _, __: trial_pb.EndTrialResponse(trial=over)
    result = run(
        *("trial", "start", "p", "ner@staging", "--canary", "--share", "0.2"),
        *("--max-disagreement", "0.05", "--min-requests", "50", "--wait", "0.01"),
    )
    assert result.exit_code == 0, result.output
    assert "projects/p/trials/2: canary of ner_p_v3, 20%." in result.stderr
    assert "Not loaded after 0.01 s (it is broken)" in result.stderr.replace("\n", " ")
    (asked,) = fake.asked("StartTrial")
    assert asked.request_id
    assert asked.trial.model_version == "projects/p/modelVersions/ner@staging"
    assert asked.trial.mode == trial_pb2.TRIAL_MODE_CANARY
    assert asked.trial.limits == trial_pb2.TrialLimits(min_requests=50, max_disagreement_rate=0.05)
    result = run("trial", "show", "p")
    for shown in ("25.00%", "50.00%", "PARTY"):
        assert shown in result.stdout
    assert "Not loaded by abc: it is broken" in result.stderr
    assert fake.asked("GetTrial")[-1].name == name
    assert json.loads(run("trial", "show", "p", "--number", "1", "--json").stdout)["share"] == 0.2
    assert fake.asked("GetTrial")[-1].name == "projects/p/trials/1"
    assert "canary" in run("trial", "show", "p", "--list").stdout
    result = run("trial", "end", "p", "--promote", "--etag", "1")
    assert "projects/p/trials/2 is ENDED: It was ended." in result.stderr
    (asked,) = fake.asked("EndTrial")
    assert (asked.name, asked.promote, asked.etag) == (name, True, "1")
    fake.answers["ListTrials"] = lambda _, __: trial_pb.ListTrialsResponse()
    result = run("trial", "end", "p")
    assert result.exit_code == 1
    assert "spanloop trial start p VERSION" in result.stderr
