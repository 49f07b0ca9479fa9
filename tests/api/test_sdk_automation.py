"""SDK and command line: settings, active learning and groups against scripted services."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from spanloop import Client
from spanloop.cli import app
from spanloop.trainer.v1 import (
    trainer_service_pb2,
    training_group_service_pb2,
    training_job_pb2,
    training_settings_pb2,
    training_settings_service_pb2,
)
from spanloop.types import (
    ActiveLearningPolicy,
    DeploymentGate,
    ModelType,
    RatioSplits,
    Selection,
    TaskFilter,
    TaskStatus,
    TieBreak,
    TrainingData,
    TrainingParameters,
    TrainingResources,
    TrainingTemplate,
    TransferLearning,
)
from tests.support.fake_services import TOKEN, Fake, fake_services

TEMPLATE = TrainingTemplate(
    data=TrainingData(
        selection=Selection(
            filter=TaskFilter(
                statuses=(TaskStatus.SUBMITTED,),
                tags_any=("a",),
                text_regex="x",
                created_from=datetime(2026, 1, 2, tzinfo=UTC),
                ground_truth=True,
            ),
            reviewed_only=True,
            tie_break=TieBreak.HIGHEST_PRIORITY,
        ),
        split_policy=RatioSplits(train=0.5, dev=0.25, test=0.25, seed=4),
    ),
    parameters=TrainingParameters(epochs=3),
    trunk_source="t",
    engine="ladder",
    transfer=TransferLearning(model_version="projects/p/modelVersions/ner_p_v1"),
    resources=TrainingResources(cpu=2),
    deploy=True,
    model_type=ModelType.NER,
    labels=("A",),
)


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Fake]:
    with fake_services() as found:
        for service, address in found.endpoints.items():
            monkeypatch.setenv(f"SPANLOOP_{service.upper()}_ADDRESS", address)
        monkeypatch.setenv("SPANLOOP_TOKEN", TOKEN)
        monkeypatch.setenv("SPANLOOP_DATA_DIR", str(tmp_path / "data"))
        keep_settings(found)
        yield found


def keep_settings(fake: Fake) -> None:
    """Script settings that are kept as they are sent."""
    pb = training_settings_service_pb2
    kept = training_settings_pb2.TrainingSettings(name="projects/p/trainingSettings", etag="v0")
    kept.active_learning.min_new_completions = 50

    def update(request: object, _: object) -> object:
        assert isinstance(request, pb.UpdateTrainingSettingsRequest)
        request.update_mask.MergeMessage(
            request.training_settings, kept, replace_message_field=True
        )
        return pb.UpdateTrainingSettingsResponse(training_settings=kept)

    fake.answers["GetTrainingSettings"] = lambda *_: pb.GetTrainingSettingsResponse(
        training_settings=kept
    )
    fake.answers["UpdateTrainingSettings"] = update


def test_settings_come_back_as_they_were_sent(fake: Fake) -> None:
    policy = ActiveLearningPolicy(
        enabled=True,
        min_new_completions=7,
        max_interval=timedelta(hours=2),
        deploy=True,
        template=TEMPLATE,
    )
    gate = DeploymentGate(min_micro_f1=0.5, max_label_regression=0)
    with Client() as client:
        found = client.update_training_settings("p", active_learning=policy, gate=gate, etag="v0")
        assert (found.active_learning, found.gate) == (policy, gate)
        (request,) = fake.asked("UpdateTrainingSettings")
        assert request.update_mask.paths == ["active_learning", "gate"]  # type: ignore[attr-defined]
        # nothing named, nothing changed
        assert client.update_training_settings("p") == found
        assert len(fake.asked("UpdateTrainingSettings")) == 1


def test_jobs_and_groups_are_asked_for(fake: Fake) -> None:
    job = training_job_pb2.TrainingJob(name="projects/p/trainingJobs/j")
    fake.answers["CreateTrainingJob"] = lambda *_: trainer_service_pb2.CreateTrainingJobResponse(
        training_job=job
    )
    group = training_job_pb2.TrainingGroup(name="projects/p/trainingGroups/g")
    pb = training_group_service_pb2
    for name, answer in (
        ("CreateTrainingGroup", pb.CreateTrainingGroupResponse),
        ("GetTrainingGroup", pb.GetTrainingGroupResponse),
    ):
        fake.answers[name] = lambda *_, answer=answer: answer(
            training_group=group, training_jobs=[job]
        )
    with Client() as client:
        client.create_training_job(
            "p",
            data=TEMPLATE.data,
            model_type="classification",
            control="topic",
            transfer=TEMPLATE.transfer,
            deploy=True,
        )
        made = client.create_training_group(
            "p", model_types=[ModelType.NER, "assertion"], controls=["c"]
        )
        assert [one.name for one in made.training_jobs] == [job.name]
        assert client.get_training_group(made) == made
    (asked,) = fake.asked("CreateTrainingJob")
    sent = asked.training_job  # type: ignore[attr-defined]
    assert (sent.snapshot, sent.control, sent.deploy) == ("", "topic", True)
    assert sent.data.selection.filter.text_regex == "x"
    assert sent.transfer.model_version.endswith("ner_p_v1")
    (asked,) = fake.asked("CreateTrainingGroup")
    assert list(asked.model_types) == [1, 3]  # type: ignore[attr-defined]
    assert asked.template.HasField("data")  # type: ignore[attr-defined]


def run(*arguments: str) -> str:
    result = CliRunner().invoke(app, list(arguments))
    assert result.exit_code == 0, result.output
    return result.output


def test_the_command_line_sets_what_is_named(fake: Fake) -> None:
    run("settings", "set", "p", "--active-learning", "--every", "9", "--after-hours", "2")
    run("settings", "set", "p", "--deploy", "--min-score", "0.5", "--no-versioning")
    shown = json.loads(run("settings", "show", "p", "--json"))
    assert shown["versioning_disabled"]
    assert shown["active_learning"]["enabled"]
    assert shown["active_learning"]["deploy"]
    assert shown["active_learning"]["min_new_completions"] == 9
    assert shown["gate"]["min_micro_f1"] == 0.5
    masks = [list(one.update_mask.paths) for one in fake.asked("UpdateTrainingSettings")]  # type: ignore[attr-defined]
    assert masks == [["active_learning"], ["versioning_disabled", "active_learning", "gate"]]
    assert "what passes the gate" in run("settings", "show", "p")


def test_the_command_line_tells_where_learning_stands(fake: Fake) -> None:
    pb = training_settings_service_pb2
    state = training_settings_pb2.ActiveLearningState(
        new_completions=3, training_jobs=["projects/p/trainingJobs/j"], message="Not deployed: x."
    )
    fake.answers["GetActiveLearningState"] = lambda *_: pb.GetActiveLearningStateResponse(
        active_learning_state=state
    )
    output = run("learning", "p")
    assert "Not deployed: x." in output
    assert "projects/p/trainingJobs/j" in output
    assert json.loads(run("learning", "p", "--json"))["new_completions"] == 3


def test_all_models_are_trained_as_a_group(fake: Fake) -> None:
    job = training_job_pb2.TrainingJob(name="projects/p/trainingJobs/j")
    fake.answers["CreateTrainingGroup"] = lambda *_: (
        training_group_service_pb2.CreateTrainingGroupResponse(training_jobs=[job])
    )
    assert job.name in run("train", "p", "--all", "--deploy", "--epochs", "2")
    (asked,) = fake.asked("CreateTrainingGroup")
    assert asked.template.deploy  # type: ignore[attr-defined]
    assert asked.template.parameters.epochs == 2  # type: ignore[attr-defined]
    refused = CliRunner().invoke(app, ["train", "p", "--all", "--labels", "A"])
    assert refused.exit_code == 1
    assert "--all" in refused.output
