"""Predict: from texts and wishes to answers of one generation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from services.common.errors import (
    FailedPreconditionError,
    Reason,
    invalid_field,
)
from services.common.names import parse_name
from services.common.offsets import OffsetEncoding, to_code_points
from services.common.validate import check_count, check_range
from services.inference.answers import TextAnswer, Wish
from services.inference.batcher import Batcher, Caller
from services.inference.domain import (
    MAX_GIVEN_SPANS,
    MAX_TEXT_LENGTH,
    MAX_TEXTS,
    AdapterRef,
    AdapterSet,
    DeploymentRevision,
)
from services.inference.engine.batch import Ask
from services.inference.engine.worker import EngineThreads
from services.inference.generation import GenerationHandle
from services.inference.handlers.asking import Asking
from services.inference.manager import GenerationManager
from services.inference.pins import PinnedModels, PinResolver


@dataclass(frozen=True, kw_only=True)
class PredictCommand:
    """A checked request of Predict.

    Attributes:
        project: Id of the project.
        texts: The texts.
        wish: What is wanted of each.
        labels: Labels wanted; none: all.
        controls: Controls wanted; none: all, unless labels are named.
        pins: By label value: the model version that answers instead.
        given: For each text the spans whose status is wanted, code points; empty: no text has any.
        deadline: Monotonic seconds after which nobody waits any more.
        background: Whether nobody waits for the answer right now.
    """

    project: str
    texts: Sequence[str]
    wish: Wish = field(default_factory=Wish)
    labels: Sequence[str] = ()
    controls: Sequence[str] = ()
    pins: Mapping[str, str] = field(default_factory=dict)
    given: Sequence[Sequence[tuple[int, int]]] = ()
    deadline: float | None = None
    background: bool = False


@dataclass(frozen=True, kw_only=True)
class PredictResult:
    """The answers in order of the texts, and what gave them.

    Attributes:
        answers: One per text.
        deployment: The deployment revision served; None when pins alone answered.
        adapters: What answered.
    """

    answers: Sequence[TextAnswer]
    deployment: DeploymentRevision | None
    adapters: AdapterSet


def check_texts(texts: Sequence[str], field: str = "texts") -> None:
    """Return when texts can be predicted.

    Raises:
        InvalidArgumentError: There is none, there are too many, or one is too long.
    """
    check_count(texts, field, 1, MAX_TEXTS)
    for index, text in enumerate(texts):
        if len(text) > MAX_TEXT_LENGTH:
            raise invalid_field(
                f"{field}[{index}]",
                f"has {len(text)} code points; at most {MAX_TEXT_LENGTH} are taken.",
                reason=Reason.REQUEST_TOO_LARGE,
            )


def check_predict(
    project: str, texts: Sequence[str], min_score: float, top_n: int, pins: Mapping[str, str]
) -> str:
    """Check what does not depend on what is deployed; return the id of the project.

    Raises:
        InvalidArgumentError: A field has an unusable value, or a text is too long.
    """
    project_id = parse_name("projects/{project}", project, "project")["project"]
    check_texts(texts)
    check_range(min_score, "min_score", 0.0, 1.0)
    check_range(top_n, "top_n", 0)
    for label, pin in pins.items():
        if not pin:
            raise invalid_field(f'pins["{label}"]', "must name a model version.")
    return project_id


def check_given(
    texts: Sequence[str],
    given: Sequence[Sequence[tuple[int, int]]],
    encoding: OffsetEncoding,
) -> list[list[tuple[int, int]]]:
    """Return the spans whose status is wanted in code points.

    Raises:
        InvalidArgumentError: FIELD_INVALID: there are not as many lists as texts, or too many
            spans; OFFSET_INVALID: an offset is outside its text, inverted or inside a character.
    """
    if given and len(given) != len(texts):
        raise invalid_field(
            "given_spans", f"must be empty or have {len(texts)} entries, one per text."
        )
    return [
        _code_points(text, spans, encoding, f"given_spans[{index}].spans")
        for index, (text, spans) in enumerate(zip(texts, given, strict=bool(given)))
    ]


def _code_points(
    text: str, spans: Sequence[tuple[int, int]], encoding: OffsetEncoding, field: str
) -> list[tuple[int, int]]:
    check_count(spans, field, 0, MAX_GIVEN_SPANS)

    def field_of(index: int) -> str:
        return f"{field}[{index // 2}].{'end' if index % 2 else 'start'}"

    flat = to_code_points(text, [offset for span in spans for offset in span], encoding, field_of)
    points = list(zip(flat[::2], flat[1::2], strict=True))
    for index, (start, end) in enumerate(points):
        if start >= end:
            raise invalid_field(
                field_of(2 * index + 1),
                f"{spans[index][1]} is not behind start, which is {spans[index][0]}.",
                reason=Reason.OFFSET_INVALID,
            )
    return points


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
        self._asking = Asking(batcher, threads)
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
            covered = pins and all(label in pins for label in wanted)
            if not covered or command.controls or command.given:
                raise
            return await self._answer(command, None, AdapterSet(labels=pins))
        with handle:
            return await self.predict_with(handle, command, pins)

    async def predict_with(
        self,
        handle: GenerationHandle,
        command: PredictCommand,
        pins: Mapping[str, AdapterRef] | None = None,
    ) -> PredictResult:
        """Answer with a given generation; the caller keeps and releases the handle."""
        deployed = handle.deployment.adapters
        served = replace(deployed, labels={**deployed.labels, **(pins or {})})
        return await self._answer(command, handle, served)

    async def _answer(
        self, command: PredictCommand, handle: GenerationHandle | None, served: AdapterSet
    ) -> PredictResult:
        wanted = wanted_adapters(command, served)
        caller = Caller(tenant=command.project, background=command.background)
        # The queue is asked first: a refused request must not cost a model.
        with self._asking.admit(command.texts, caller) as ticket:
            asks = await self._asks(handle, wanted, embedding=command.wish.embedding)
            answers = await self._asking.ask(ticket, asks, command)
        return PredictResult(
            answers=answers,
            deployment=None if handle is None else handle.deployment,
            adapters=wanted,
        )

    async def _asks(
        self, handle: GenerationHandle | None, wanted: AdapterSet, *, embedding: bool
    ) -> list[Ask]:
        """Return what is asked of the deployed model, and what of one of the pinned adapters."""
        deployed = handle.deployment.adapters.labels if handle is not None else {}
        pinned = {
            label: ref
            for label, ref in wanted.labels.items()
            if label not in deployed or deployed[label].digest != ref.digest
        }
        asks: list[Ask] = []
        if pinned:
            model = await self._pinned.get(AdapterSet(labels=pinned))
            asks += model.select(pinned, embedding=embedding and handle is None)
        if handle is not None:
            asks += handle.model.select(
                [label for label in wanted.labels if label not in pinned],
                wanted.controls,
                statuses=wanted.assertion is not None,
                embedding=embedding,
            )
        return asks


def wanted_adapters(command: PredictCommand, served: AdapterSet) -> AdapterSet:
    """Return the adapters that a request needs.

    Raises:
        InvalidArgumentError: LABEL_UNKNOWN: a label or control is not served.
        FailedPreconditionError: NOTHING_DEPLOYED: statuses of given spans are wanted, and no
            assertion model is deployed.
    """
    labels = _chosen("labels", command.labels or list(served.labels), served.labels)
    named = command.controls or ([] if command.labels else list(served.controls))
    controls = _chosen("controls", named, served.controls)
    if command.given and served.assertion is None:
        raise FailedPreconditionError(
            Reason.NOTHING_DEPLOYED,
            f"projects/{command.project} serves no assertion model: deploy one, or leave "
            "given_spans empty.",
            metadata={"project": f"projects/{command.project}"},
        )
    judges = command.given or (labels and not command.wish.tokens)
    return AdapterSet(
        labels=labels, controls=controls, assertion=served.assertion if judges else None
    )


def _chosen(
    field: str, names: Sequence[str], served: Mapping[str, AdapterRef]
) -> dict[str, AdapterRef]:
    for index, name in enumerate(names):
        if name not in served:
            known = ", ".join(sorted(served)[:50]) or "none"
            raise invalid_field(
                f"{field}[{index}]",
                f"{name[:100]!r} is not served; there are: {known}.",
                reason=Reason.LABEL_UNKNOWN,
            )
    return {name: served[name] for name in names}
