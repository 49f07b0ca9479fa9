"""Active learning through four real processes: annotate, and the next prediction is better."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest

from spanloop import Client
from spanloop.cli._stack import Stack
from spanloop.types import (
    ActiveLearningPolicy,
    ActiveLearningState,
    DeploymentGate,
    GenerationState,
    RatioSplits,
    Span,
    TrainingData,
    TrainingJobState,
    TrainingParameters,
    TrainingSource,
    TrainingTemplate,
)

PROJECT = "clauses"
TEXT = "The Tenant shall pay EUR 900 to Hale Ltd in Antwerp within 30 days of 1 May 2027."
NAMES = ("Anna", "Boris", "Clara", "Dmitri", "Elena", "Farid", "Greta", "Hugo")


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Stack(tmp_path_factory.mktemp("stack")) as running:
        yield running


def annotate(client: Client, first: int, count: int) -> None:
    """Submit completions one by one, as an annotator does."""
    for number in range(first, first + count):
        name = NAMES[number % len(NAMES)]
        text = f"{name} sold flat {number} to the bank on Monday."
        task = client.create_task(PROJECT, text)
        spans = [Span(start=0, end=len(name), label="PERSON")]
        client.create_completion(task, spans, author="ada", submit=True)


def learned(client: Client, reached: Callable[[ActiveLearningState], bool]) -> ActiveLearningState:
    end = time.monotonic() + 300
    while time.monotonic() < end:
        state = client.get_active_learning_state(PROJECT)
        if reached(state):
            return state
        time.sleep(0.1)
    raise AssertionError(state, list(client.list_training_jobs(PROJECT)))


@pytest.mark.timeout(700)
def test_fifty_completions_train_deploy_and_serve(stack: Stack) -> None:
    """One story; each part builds on the state that the one before left."""
    template = TrainingTemplate(
        data=TrainingData(split_policy=RatioSplits(train=0.6, dev=0.2, test=0.2)),
        parameters=TrainingParameters(epochs=6),
    )
    policy = ActiveLearningPolicy(enabled=True, deploy=True, template=template)
    with stack.client() as client:
        client.create_project(PROJECT)
        client.create_label(PROJECT, "PERSON")
        client.update_training_settings(PROJECT, active_learning=policy)
        annotate(client, 0, 49)
        assert learned(client, lambda state: state.new_completions == 49).training_jobs == ()
        assert list(client.list_training_jobs(PROJECT)) == []

        annotate(client, 49, 1)
        state = learned(client, lambda state: "gate passed" in state.message)
        assert state.new_completions == 0
        (job,) = client.list_training_jobs(PROJECT, source=TrainingSource.ACTIVE_LEARNING)
        assert job.state is TrainingJobState.DONE, job.failure
        assert sum(job.example_counts.values()) == 50
        assert job.deployment is not None
        assert job.deployment.deployed
        deployment = client.get_deployment(PROJECT)
        assert deployment.models[0].model_version == job.model_version
        assert _served(client, deployment.revision) == {job.model_version}

        # What fails the gate keeps the old version, and the history says why.
        client.update_training_settings(PROJECT, gate=DeploymentGate(min_micro_f1=1.0))
        for number in range(30):
            # Nobody can learn which of these cats are persons.
            task = client.create_task(PROJECT, f"Cat {number} met a dog in Rome.")
            spans = [Span(start=0, end=3, label="PERSON")] if number % 2 else []
            client.create_completion(task, spans, author="bob", submit=True)
        annotate(client, 50, 20)
        state = learned(client, lambda state: "Not deployed" in state.message)
        newest, *_ = client.list_training_jobs(PROJECT, source=TrainingSource.ACTIVE_LEARNING)
        assert newest.name != job.name
        assert newest.deployment is not None
        assert not newest.deployment.deployed
        assert newest.deployment.message in state.message
        assert "1.0000 is asked for" in newest.deployment.message
        assert client.get_deployment(PROJECT) == deployment
        assert _served(client, deployment.revision) == {job.model_version}


def _served(client: Client, revision: int) -> set[str]:
    """Return the versions that answer once this revision is loaded."""
    end = time.monotonic() + 120
    while time.monotonic() < end:
        if any(
            one.deployment_revision == revision and one.state is GenerationState.READY
            for one in client.serving_state(PROJECT).generations
        ):
            answer = client.predict(PROJECT, [TEXT])
            assert answer.generation.deployment_revision == revision
            return set(answer.generation.model_versions.values())
        time.sleep(0.05)
    raise AssertionError(client.serving_state(PROJECT))
