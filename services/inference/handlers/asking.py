"""From texts and a model to answers: each trunk runs once over each text, whatever is asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol

from services.common.modeling.states import PreparedText
from services.inference.answers import PartRows, TextAnswer, Wish, answer, wanted_spans
from services.inference.batcher import Asked, Batcher, Ticket
from services.inference.domain import AdapterSet, ScoredSpan
from services.inference.engine.model import Model
from services.inference.engine.part import Part, TextRows, Want, WordExtent
from services.inference.engine.worker import EngineThreads
from services.inference.judging import Judged, word_extents


class Question(Protocol):
    """What of a command matters here; see ``PredictCommand``."""

    @property
    def texts(self) -> Sequence[str]:
        """The texts."""
        ...

    @property
    def wish(self) -> Wish:
        """What is wanted of each."""
        ...

    @property
    def given(self) -> Sequence[Sequence[tuple[int, int]]]:
        """For each text the spans whose status is wanted; empty: no text has any."""
        ...

    @property
    def deadline(self) -> float | None:
        """Monotonic seconds after which nobody waits any more."""
        ...


@dataclass(frozen=True, kw_only=True)
class _Said:
    """What a part said about all texts of a request."""

    part: Part
    want: Want
    texts: Sequence[PreparedText]
    rows: Sequence[TextRows]

    def of(self, place: int) -> PartRows:
        return PartRows(
            part=self.part, want=self.want, prepared=self.texts[place], rows=self.rows[place]
        )

    def judged(self, place: int) -> Judged:
        return Judged(part=self.part, prepared=self.texts[place], rows=self.rows[place])


class Asking:
    """Asks models."""

    def __init__(self, batcher: Batcher, threads: EngineThreads) -> None:
        """Use the service's one queue."""
        self._batcher = batcher
        self._threads = threads

    def admit(self, texts: Sequence[str]) -> Ticket:
        """Reserve room for texts; see ``Batcher.admit``."""
        return self._batcher.admit(texts)

    async def ask(
        self, ticket: Ticket, model: Model, wanted: AdapterSet, question: Question
    ) -> list[TextAnswer]:
        """Return the answer for each text.

        Args:
            ticket: Room for the texts.
            model: Holds at least the adapters that are wanted.
            wanted: What to answer.
            question: The texts, and what is wanted of each.
        """
        selection = model.select(
            wanted.labels,
            wanted.controls,
            statuses=wanted.assertion is not None,
            embedding=question.wish.embedding,
        )
        prepared = [
            await self._threads.run_text(partial(part.predictor.prepare, question.texts))
            for part, _ in selection
        ]
        ticket.settle(sum(text.cost for texts in prepared for text in texts))
        said: list[_Said] = []
        for (part, want), texts in zip(selection, prepared, strict=True):
            given = None
            if want.statuses:
                given = await self._threads.run_text(partial(_extents, texts, said, question))
            asked = Asked(part=part, want=want, texts=texts, given=given)
            rows = await ticket.run(asked, question.deadline)
            said.append(_Said(part=part, want=want, texts=texts, rows=rows))
        spans = await self._threads.run_text(partial(_spans, said, question))
        judge = next((one for one in said if one.want.statuses), None)
        if judge is not None:
            await self._judge_rest(ticket, judge, spans, question)
        return await self._threads.run_text(partial(_answers, said, judge, spans, question))

    async def _judge_rest(
        self,
        ticket: Ticket,
        judge: _Said,
        spans: Sequence[Sequence[ScoredSpan]],
        question: Question,
    ) -> None:
        """Have those spans judged that were not found where they begin.

        Where a text is cut, tags in the overlap are computed in two batches, which may round
        differently: a span may then end elsewhere than it seemed to in the segment that judged it.
        """
        missing = {
            place: extents
            for place, some in enumerate(spans)
            if (extents := judge.judged(place).missing([(one.start, one.end) for one in some]))
        }
        if missing:
            asked = Asked(
                part=judge.part,
                want=Want(statuses=True),
                texts=[judge.texts[place] for place in missing],
                given=list(missing.values()),
            )
            for place, rows in zip(
                missing, await ticket.run(asked, question.deadline), strict=True
            ):
                judge.rows[place].statuses |= rows.statuses


def _extents(
    texts: Sequence[PreparedText], said: Sequence[_Said], question: Question
) -> list[Sequence[WordExtent]]:
    """Return the spans to judge by their words: those given, and what other parts found."""
    found: list[Sequence[WordExtent]] = []
    # Which of them are the best is seen when all parts have spoken.
    wish = replace(question.wish, top_n=0)
    for place, text in enumerate(texts):
        spans = wanted_spans([one.of(place) for one in said], wish)
        extents = [*question.given[place]] if question.given else []
        extents += [(span.start, span.end) for span in spans]
        words = word_extents(text.words, extents)
        found.append([extent for extent in words if extent[0] < extent[1]])
    return found


def _spans(said: Sequence[_Said], question: Question) -> list[list[ScoredSpan]]:
    return [
        wanted_spans([one.of(place) for one in said], question.wish)
        for place in range(len(question.texts))
    ]


def _answers(
    said: Sequence[_Said],
    judge: _Said | None,
    spans: Sequence[Sequence[ScoredSpan]],
    question: Question,
) -> list[TextAnswer]:
    return [
        answer(
            text,
            [one.of(place) for one in said],
            question.wish,
            spans[place],
            judged=None if judge is None else judge.judged(place),
            given=question.given[place] if question.given else (),
        )
        for place, text in enumerate(question.texts)
    ]
