"""The steps of the demo, one after the other, against the four running services."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from examples.demo.data import Dataset
from examples.demo.load import Load
from examples.demo.show import Screen
from spanloop import AsyncClient
from spanloop.types import (
    Deployment,
    GenerationState,
    GivenSplits,
    PreannotationJob,
    PreannotationJobState,
    Snapshot,
    SnapshotExample,
    Span,
    Split,
    SplitEvaluation,
    TaskStatus,
    TrainingJob,
    TrainingJobState,
)

FIRST_SHARE = 0.25
"""Share of the train texts that the first model is trained on."""

LOG_LINES = 30
"""How much of a failed training's log is shown."""

STEADY_SECONDS = 1.5
"""How long the client asks before and after the swap."""


class StepError(Exception):
    """A step of the loop did not do what it must; the message says which and how."""


@dataclass
class Outcome:
    """What the demo found; see `result` for the figures that it ends with."""

    job: TrainingJob
    evaluation: SplitEvaluation
    swap_seconds: float
    load: Load
    preannotation: PreannotationJob
    served_micro_f1: float

    def result(self) -> dict[str, object]:
        """Return the figures of the last line."""
        return {
            "micro_f1": round(self.evaluation.micro.f1, 4),
            "labels": {
                label: {
                    "precision": round(metrics.precision, 4),
                    "recall": round(metrics.recall, 4),
                    "f1": round(metrics.f1, 4),
                    "support": metrics.support,
                }
                for label, metrics in sorted(self.evaluation.labels.items())
            },
            "train_seconds": round(_seconds(self.job), 2),
            "swap_seconds": round(self.swap_seconds, 4),
            "preannotated_tasks": self.preannotation.done_tasks,
            "failed_requests": len(self.load.failures),
            "model_version": self.job.model_version.rpartition("/")[2],
            "served_micro_f1": round(self.served_micro_f1, 4),
            "answers_during_swap": len(self.load.latencies),
        }


@dataclass
class Loop:
    """Runs the loop on one data set and shows each step."""

    client: AsyncClient
    data: Dataset
    screen: Screen
    steps: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def _step(self, name: str) -> Iterator[None]:
        self.screen.step(name)
        began = time.monotonic()
        yield
        self.steps[name] = time.monotonic() - began
        self.screen.took(self.steps[name])

    async def run(self) -> Outcome:
        """Run all steps.

        Raises:
            StepError: A step did not do what it must.
            SpanloopError: A call failed.
        """
        project, data = self.data.name, self.data
        first = max(1, round(FIRST_SHARE * len(data.train)))
        with self._step("annotate: a first part of the texts"):
            await self.client.create_project(project)
            await self._import("train-1", data.file(data.train[:first]), Split.TRAIN)
            await self._import("dev", data.file(data.dev), Split.DEV)
        with self._step("train the first version"):
            early = await self._train()
        with self._step("deploy it"):
            deployment = await self.client.deploy(project, early.model_version)
            await self._first_answer(deployment)
        with self._step("annotate: all texts; the test texts also arrive as open tasks"):
            await self._import("train-2", data.file(data.train[first:]), Split.TRAIN)
            await self._import("test", data.file(data.test), Split.TEST)
            await self._import("inbox", data.inbox(data.test), None)
        with self._step("train the next version on all of it"):
            job = await self._train()
        evaluation = _on_test(job)
        self.screen.evaluation(evaluation)
        examples = await self._test_examples(job.snapshot)
        shown = max(examples, key=lambda e: (len({s.label for s in e.spans}), -len(e.text)))
        await self._show("before the swap", shown)
        with self._step("swap it in while a client keeps asking"):
            load, swap_seconds = await self._swap(job, [e.text for e in examples[:50]])
            self.screen.swap(load, swap_seconds)
        await self._show("after the swap", shown)
        with self._step("pre-annotate the open tasks"):
            preannotation = await self._preannotate()
        with self._step("compare what was written back with the annotations"):
            served = await self._served_micro_f1(preannotation, examples)
        self.screen.say(
            f"micro-F1 of the predictions written back: {served:.4f}, "
            f"of the trainer's evaluation: {evaluation.micro.f1:.4f}"
        )
        if abs(served - evaluation.micro.f1) > 0.005:
            raise StepError("what is served is not what was evaluated")
        self.screen.steps(self.steps, job.timings)
        return Outcome(
            job=job,
            evaluation=evaluation,
            swap_seconds=swap_seconds,
            load=load,
            preannotation=preannotation,
            served_micro_f1=served,
        )

    async def _import(self, name: str, content: bytes, split: Split | None) -> None:
        report = await self.client.import_file(
            self.data.name,
            content,
            split=split,
            create_labels=True,
            ignore_completions=split is None,
            source_name=name,
        )
        for problem in report.errors[:5]:
            self.screen.say(f"  line {problem.line}: {problem.message}")
        if not report.imported_tasks:
            raise StepError(f"{name}: no task was imported")
        self.screen.say(
            f"  {name}: {report.imported_tasks} tasks, {report.imported_completions} completions, "
            f"{report.imported_spans} spans, {report.refused_tasks} refused"
        )

    async def _train(self) -> TrainingJob:
        snapshot: Snapshot = await self.client.create_snapshot(
            self.data.name, split_policy=GivenSplits(seed=0)
        )
        job = await self.client.create_training_job(self.data.name, snapshot=snapshot)
        log: list[str] = []
        with self.screen.training() as told:
            async for update in self.client.watch_training_job(job):
                if isinstance(update, TrainingJob):
                    job = update
                    told(job)
                else:
                    log.append(update.message)
        if job.state is not TrainingJobState.DONE:
            raise StepError(
                f"the training is {job.state}: {job.failure.message if job.failure else ''}\n"
                + "\n".join(log[-LOG_LINES:])
            )
        return job

    async def _first_answer(self, deployment: Deployment) -> None:
        # The first load also fetches the trunk; until then predictions are refused.
        async with asyncio.timeout(60):
            while True:
                state = await self.client.serving_state(self.data.name)
                for generation in state.generations:
                    if generation.deployment_revision == deployment.revision:
                        if generation.state is GenerationState.READY:
                            return
                        if generation.state is GenerationState.ERROR:
                            raise StepError(generation.error_message)
                await asyncio.sleep(0.05)

    async def _swap(self, job: TrainingJob, texts: list[str]) -> tuple[Load, float]:
        async with Load(self.client, self.data.name, texts) as load:
            await asyncio.sleep(STEADY_SECONDS)
            deployment = await self.client.deploy(self.data.name, job.model_version)
            returned = time.monotonic()
            answered = await load.answered(deployment.revision, timeout=30)
            await asyncio.sleep(STEADY_SECONDS)
        if load.failures:
            raise StepError(f"{len(load.failures)} requests failed: {load.failures[0]}")
        if set(load.answers) != {deployment.revision - 1, deployment.revision}:
            raise StepError(f"answers came from the generations {sorted(load.answers)}")
        return load, max(0.0, answered - returned)

    async def _preannotate(self) -> PreannotationJob:
        job = await self.client.create_preannotation_job(self.data.name)
        with self.screen.preannotation() as told:
            async for state in self.client.watch_preannotation_job(job):
                job = state
                told(job)
        if job.state is not PreannotationJobState.DONE:
            raise StepError(f"the pre-annotation is {job.state}: {job.failure_message}")
        return job

    async def _test_examples(self, snapshot: str) -> list[SnapshotExample]:
        found: AsyncIterator[SnapshotExample] = self.client.read_snapshot(snapshot)
        return [example async for example in found if example.split is Split.TEST]

    async def _served_micro_f1(
        self, job: PreannotationJob, examples: list[SnapshotExample]
    ) -> float:
        """Score the predictions that the annotation service holds against the test annotations."""
        texts = {
            task.name: task.text
            async for task in self.client.list_tasks(
                self.data.name, statuses=[TaskStatus.INCOMPLETE]
            )
        }
        predicted = {
            texts[prediction.task]: {(s.start, s.end, s.label) for s in prediction.spans}
            async for prediction in self.client.list_predictions(
                self.data.name, generation=job.generation
            )
        }
        correct = proposed = annotated = 0
        for example in examples:
            if example.text not in predicted:
                raise StepError(f"an open task has no prediction: {example.text[:60]!r}")
            gold = {(s.start, s.end, s.label) for s in example.spans}
            correct += len(gold & predicted[example.text])
            proposed += len(predicted[example.text])
            annotated += len(gold)
        return 2 * correct / (proposed + annotated) if proposed + annotated else 0.0

    async def _show(self, when: str, example: SnapshotExample) -> None:
        answer = await self.client.predict(self.data.name, [example.text])
        gold: tuple[Span, ...] = example.spans
        self.screen.text(when, example.text, answer, gold)


def _on_test(job: TrainingJob) -> SplitEvaluation:
    for evaluation in job.evaluation.splits if job.evaluation else ():
        if evaluation.split is Split.TEST:
            return evaluation
    raise StepError("the training reports nothing on the test split")


def _seconds(job: TrainingJob) -> float:
    if job.start_time is None or job.end_time is None:
        raise StepError("the training has no start or end time")
    return (job.end_time - job.start_time).total_seconds()
