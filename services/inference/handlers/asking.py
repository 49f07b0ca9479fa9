"""From texts and a model to answers: each trunk runs once over each text, whatever is asked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol

from services.common.modeling.states import PreparedText
from services.inference.answers import PartRows, TextAnswer, Wish, answer, wanted_spans
from services.inference.batcher import Asked, Batcher, Caller, Ticket
from services.inference.domain import ScoredSpan
from services.inference.engine.batch import Ask
from services.inference.engine.part import Reading, TextRows, Want, WordExtent
from services.inference.engine.worker import EngineThreads
from services.inference.judging import Judged, word_extents

# Code points of a text that the event loop itself prepares and decodes: some 0.2 ms, about what
# handing it to a thread and back takes.
_SMALL_TEXT = 400


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
    def background(self) -> bool:
        """Whether nobody waits for the answer right now."""
        ...

    @property
    def deadline(self) -> float | None:
        """Monotonic seconds after which nobody waits any more."""
        ...


@dataclass(frozen=True, kw_only=True)
class _Said:
    """What a part said about all texts of a request."""

    ask: Ask
    texts: Sequence[PreparedText]
    rows: Sequence[TextRows]

    def of(self, place: int) -> PartRows:
        return PartRows(
            part=self.ask.part,
            want=self.ask.want,
            prepared=self.texts[place],
            rows=self.rows[place],
        )

    def judged(self, place: int) -> Judged:
        return Judged(part=self.ask.part, prepared=self.texts[place], rows=self.rows[place])


class Asking:
    """Asks models."""

    def __init__(self, batcher: Batcher, threads: EngineThreads) -> None:
        """Use the service's one queue."""
        self._batcher = batcher
        self._threads = threads

    def admit(self, texts: Sequence[str], caller: Caller) -> Ticket:
        """Reserve room for texts; see ``Batcher.admit``."""
        return self._batcher.admit(texts, caller)

    async def ask(
        self, ticket: Ticket, asks: Sequence[Ask], question: Question
    ) -> list[TextAnswer]:
        """Return the answer for each text.

        Args:
            ticket: Room for the texts.
            asks: What is asked of which part; one that judges statuses comes last.
            question: The texts, and what is wanted of each.
        """
        run = partial(self._threads.run_text, background=question.background)
        prepared: dict[Reading, list[PreparedText]] = {}
        for ask in asks:
            if ask.part.reading not in prepared:
                prepare = ask.part.predictor.prepare
                prepared[ask.part.reading] = await run(
                    partial(prepare, question.texts), small=_is_small(question)
                )
        ticket.settle(sum(text.cost for texts in prepared.values() for text in texts))
        said: list[_Said] = []
        for group in _together(asks):
            texts = prepared[group[0].part.reading]
            given = None
            if group[-1].want.statuses:
                given = await run(partial(_extents, texts, said, question))
            asked = Asked(asks=group, texts=texts, given=given)
            answers = await ticket.run(asked, question.deadline)
            said.extend(
                _Said(ask=ask, texts=texts, rows=rows)
                for ask, rows in zip(group, answers, strict=True)
            )
        judge = next((one for one in said if one.ask.want.statuses), None)
        if judge is None:
            return await run(partial(_decoded, said, question), small=_is_small(question))
        spans = await run(partial(_spans, said, question))
        await self._judge_rest(ticket, judge, spans, question)
        return await run(partial(_answers, said, judge, spans, question))

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
                asks=[Ask(part=judge.ask.part, want=Want(statuses=True))],
                texts=[judge.texts[place] for place in missing],
                given=list(missing.values()),
            )
            (found,) = await ticket.run(asked, question.deadline)
            for place, rows in zip(missing, found, strict=True):
                judge.rows[place].statuses |= rows.statuses


def _is_small(question: Question) -> bool:
    """Whether a request is handled faster than it could be handed to another thread."""
    return len(question.texts) == 1 and len(question.texts[0]) <= _SMALL_TEXT


def _together(asks: Sequence[Ask]) -> Iterator[Sequence[Ask]]:
    """Group what the trunk is run for once, in the order in which it is asked.

    One that judges the statuses of what the others find has to wait for them.
    """
    groups: dict[tuple[Reading, bool], list[Ask]] = {}
    alone = len(asks) == 1
    for ask in asks:
        key = ask.part.reading, ask.want.statuses and not alone
        groups.setdefault(key, []).append(ask)
    yield from groups.values()


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


def _decoded(said: Sequence[_Said], question: Question) -> list[TextAnswer]:
    return _answers(said, None, _spans(said, question), question)


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
