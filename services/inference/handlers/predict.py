"""Predict: from texts and wishes to answers of one generation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from services.common.errors import (
    FailedPreconditionError,
    InvalidArgumentError,
    Reason,
    invalid_field,
)
from services.common.names import parse_name
from services.common.validate import check_count, check_range
from services.inference.answers import PartLogits, TextAnswer, Wish, answer
from services.inference.batcher import Batcher
from services.inference.domain import MAX_TEXT_LENGTH, MAX_TEXTS, AdapterRef, DeploymentRevision
from services.inference.engine.model import Model
from services.inference.engine.worker import EngineThreads
from services.inference.generation import GenerationHandle
from services.inference.manager import GenerationManager
from services.inference.pins import PinnedModels, PinResolver


@dataclass(frozen=True, kw_only=True)
class PredictCommand:
    """A checked request of Predict; `deadline` in monotonic seconds."""

    project: str
    texts: Sequence[str]
    wish: Wish = field(default_factory=Wish)
    labels: Sequence[str] = ()
    pins: Mapping[str, str] = field(default_factory=dict)
    deadline: float | None = None


@dataclass(frozen=True, kw_only=True)
class PredictResult:
    """The answers in order of the texts, and what gave them.

    Attributes:
        answers: One per text.
        deployment: The deployment revision served; None when pins alone answered.
        adapters: By label value, of the labels answered.
    """

    answers: Sequence[TextAnswer]
    deployment: DeploymentRevision | None
    adapters: Mapping[str, AdapterRef]


def check_predict(
    project: str, texts: Sequence[str], min_score: float, top_n: int, pins: Mapping[str, str]
) -> str:
    """Check what does not depend on what is deployed; return the id of the project.

    Raises:
        InvalidArgumentError: A field has an unusable value, or a text is too long.
    """
    project_id = parse_name("projects/{project}", project, "project")["project"]
    check_count(texts, "texts", 1, MAX_TEXTS)
    for index, text in enumerate(texts):
        if len(text) > MAX_TEXT_LENGTH:
            raise invalid_field(
                f"texts[{index}]",
                f"has {len(text)} code points; at most {MAX_TEXT_LENGTH} are taken.",
                reason=Reason.REQUEST_TOO_LARGE,
            )
    check_range(min_score, "min_score", 0.0, 1.0)
    check_range(top_n, "top_n", 0)
    for label, pin in pins.items():
        if not pin:
            raise invalid_field(f'pins["{label}"]', "must name a model version.")
    return project_id


class Predictor:
    """Answers requests with the generation that serves at the moment when they arrive."""

    def __init__(
        self,
        manager: GenerationManager,
        batcher: Batcher,
        threads: EngineThreads,
        resolver: PinResolver,
        pinned: PinnedModels,
    ) -> None:
        """Use the service's one manager and queue."""
        self._manager = manager
        self._batcher = batcher
        self._threads = threads
        self._resolver = resolver
        self._pinned = pinned

    async def predict(self, command: PredictCommand) -> PredictResult:
        """Answer a request.

        Raises:
            SpanloopError: As the proto documents.
        """
        pins = await self._resolver.resolve(command.project, command.pins)
        try:
            handle = self._manager.acquire(command.project)
        except FailedPreconditionError:
            # Pins alone can answer when they cover all that is wanted.
            wanted = command.labels or list(pins)
            if not pins or not all(label in pins for label in wanted):
                raise
            return await self._answer(command, None, wanted, pins)
        with handle:
            return await self.predict_with(handle, command, pins)

    async def predict_with(
        self,
        handle: GenerationHandle,
        command: PredictCommand,
        pins: Mapping[str, AdapterRef] | None = None,
    ) -> PredictResult:
        """Answer with a given generation; the caller keeps and releases the handle."""
        served = {**handle.deployment.adapters, **(pins or {})}
        return await self._answer(command, handle, command.labels or list(served), served)

    async def _answer(
        self,
        command: PredictCommand,
        handle: GenerationHandle | None,
        labels: Sequence[str],
        served: Mapping[str, AdapterRef],
    ) -> PredictResult:
        wanted: dict[str, AdapterRef] = {}
        for index, label in enumerate(labels):
            adapter = served.get(label)
            if adapter is None:
                raise _not_served(index, label, served)
            wanted[label] = adapter
        # The queue is asked first: a refused request must not cost a model.
        with self._batcher.admit(command.texts) as ticket:
            model = await self._model(handle, wanted)
            selection = model.select(list(wanted))
            prepared = [
                await self._threads.run_text(partial(part.predictor.prepare, command.texts))
                for part, _ in selection
            ]
            logits = await ticket.run(
                [
                    (part, positions, texts)
                    for (part, positions), texts in zip(selection, prepared, strict=True)
                ],
                command.deadline,
            )
        parts = [
            [
                PartLogits(part=part, positions=positions, prepared=text, logits=rows)
                for text, rows in zip(texts, found, strict=True)
            ]
            for (part, positions), texts, found in zip(selection, prepared, logits, strict=True)
        ]
        by_text = list(zip(*parts, strict=True)) if parts else [()] * len(command.texts)
        answers = await self._threads.run_text(
            lambda: [
                answer(text, found, command.wish)
                for text, found in zip(command.texts, by_text, strict=True)
            ]
        )
        return PredictResult(
            answers=answers,
            deployment=None if handle is None else handle.deployment,
            adapters=wanted,
        )

    async def _model(
        self, handle: GenerationHandle | None, wanted: Mapping[str, AdapterRef]
    ) -> Model:
        if handle is not None:
            deployed = handle.deployment.adapters
            if all(
                label in deployed and deployed[label].digest == adapter.digest
                for label, adapter in wanted.items()
            ):
                return handle.model
        return await self._pinned.get(wanted)


def _not_served(index: int, label: str, served: Mapping[str, AdapterRef]) -> InvalidArgumentError:
    known = ", ".join(sorted(served)[:50])
    return invalid_field(
        f"labels[{index}]",
        f"{label[:100]!r} is not served; there are: {known}.",
        reason=Reason.LABEL_UNKNOWN,
    )
