"""Which requests fall to a candidate, how answers differ, and what is done when things fail."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from typing import Any

import pytest

from services.common.errors import (
    InternalError,
    NotFoundError,
    Reason,
    ResourceExhaustedError,
    UnavailableError,
)
from services.common.trial_counts import Counts, Difference
from services.inference.answers import ScoredWord, TextAnswer
from services.inference.domain import (
    AdapterKind,
    AdapterRef,
    AdapterSet,
    DeploymentRevision,
    PredictedChoice,
    ScoredSpan,
    SpanAssertion,
)
from services.inference.engine.model import Model
from services.inference.handlers.predict import PredictCommand, PredictResult
from services.inference.manager import Backoff, GenerationManager
from services.inference.trials.board import TrialBoard
from services.inference.trials.comparing import Comparisons, shared
from services.inference.trials.counts import Tally, differences
from services.inference.trials.domain import (
    CandidateState,
    Trial,
    TrialMode,
    TrialOver,
    TrialReport,
)
from services.inference.trials.metrics import TrialMetrics
from services.inference.trials.predicting import TrialPredictor
from services.inference.trials.reporting import TrialReporter
from tests.support.inference import until

PARTY, DATE = (AdapterKind.LABEL, "PARTY"), (AdapterKind.LABEL, "DATE")
TOPIC, STATUS = (AdapterKind.CONTROL, "topic"), (AdapterKind.ASSERTION, "")


def ref(digest: str) -> AdapterRef:
    return AdapterRef(digest=digest, trunk_digest="sha256:t", model_version="v")


def revision(number: int, digest: str, trial: str = "", **labels: str) -> DeploymentRevision:
    adapters = AdapterSet(labels={"PARTY": ref(digest), **{k: ref(d) for k, d in labels.items()}})
    return DeploymentRevision(project="p", revision=number, adapters=adapters, trial=trial)


def a_trial(
    number: int = 1,
    mode: TrialMode = TrialMode.SHADOW,
    base: int = 1,
    share: float = 1.0,
    began: int = 0,
) -> Trial:
    name = f"projects/p/trials/{number}"
    candidate = revision(base, "new", name)
    return Trial(name=name, mode=mode, share=share, began=began, candidate=candidate)


# which requests


def test_the_same_texts_always_go_the_same_way() -> None:
    trial = a_trial(share=0.3)
    texts = [[f"text {n}"] for n in range(2000)]
    chosen = [trial.takes(one) for one in texts]
    assert chosen == [trial.takes(one) for one in texts]
    assert 0.25 < sum(chosen) / len(chosen) < 0.35
    # A larger share takes those that it took, and more; another trial takes others.
    assert all(a_trial(share=0.6).takes(t) for t, one in zip(texts, chosen, strict=True) if one)
    assert chosen != [a_trial(2, share=0.3).takes(one) for one in texts]
    assert all(a_trial(share=1.0).takes(one) for one in texts)


def test_where_texts_end_matters_and_any_text_can_be_hashed() -> None:
    random.seed(1)
    trial = a_trial(share=0.5)
    assert {trial.takes(["ab", f"c{n}"]) == trial.takes(["a", f"bc{n}"]) for n in range(50)} == {
        True,
        False,
    }
    assert isinstance(trial.takes(["\ud800 lone", "x" * 10**6]), bool)


# what differs


def answer(*spans: tuple[int, int, str], status: str = "", **fields: Any) -> TextAnswer:
    return TextAnswer(
        spans=tuple(
            ScoredSpan(start=s, end=e, label=label, score=0.9, assertion=status)
            for s, e, label in spans
        ),
        **fields,
    )


def differing(one: TextAnswer, other: TextAnswer, *keys: Any) -> dict[Any, Difference]:
    (found,) = differences([one], [other], keys)
    return {key: value for key, value in found.items() if value.differs}


def test_spans_that_differ_are_counted_by_label() -> None:
    served = answer((0, 3, "PARTY"), (4, 6, "PARTY"), (0, 3, "DATE"))
    candidate = answer((0, 3, "PARTY"), (4, 7, "PARTY"), (8, 9, "PARTY"), (0, 3, "DATE"))
    assert differing(served, candidate, PARTY, DATE) == {
        PARTY: Difference(served=2, added=2, missing=1)
    }
    # What only one of them answers for says nothing about the other.
    assert differing(served, candidate, DATE) == {}
    assert differing(served, served, PARTY, DATE) == {}


def test_statuses_count_where_both_answer_them() -> None:
    served, candidate = (answer((0, 3, "PARTY"), status=one) for one in ("present", "absent"))
    assert differing(served, candidate, PARTY) == {}
    assert differing(served, candidate, PARTY, STATUS) == {PARTY: Difference(served=1, changed=1)}
    given = [
        answer(assertions=(SpanAssertion(start=0, end=1, statuses=((one, 0.9),)),))
        for one in ("present", "absent")
    ]
    assert differing(given[0], given[1], STATUS) == {STATUS: Difference(served=1, changed=1)}


def test_chosen_values_and_words_are_compared() -> None:
    served, candidate = (
        answer(
            choices=tuple(
                PredictedChoice(control="topic", value=value, score=0.5, chosen=value == chosen)
                for value in "ab"
            )
        )
        for chosen in "ab"
    )
    assert differing(served, candidate, TOPIC) == {TOPIC: Difference(served=1, added=1, missing=1)}
    words = [
        answer(words=(ScoredWord(start=0, end=2, labels=(("PARTY", score),)),))
        for score in (0.6, 0.9, 0.4)
    ]
    assert differing(words[0], words[1], PARTY) == {}
    assert differing(words[0], words[2], PARTY) == {PARTY: Difference(served=1, missing=1)}


def test_a_tally_counts_texts_that_differ() -> None:
    tally = Tally()
    tally.compared([{PARTY: Difference(served=1)}, {PARTY: Difference(served=1, added=1)}])
    tally.answered()
    tally.failed()
    found = tally.counts()
    assert (found.requests, found.errors) == (2, 1)
    assert (found.compared_requests, found.compared_texts, found.differing_texts) == (1, 2, 1)
    assert found.differences == {PARTY: Difference(served=2, added=1)}


def test_a_candidate_is_asked_for_what_it_has() -> None:
    adapters = AdapterSet(labels={"PARTY": ref("x")})
    whole = PredictCommand(project="p", texts=["t"])
    assert shared(whole, adapters) is whole
    some = PredictCommand(project="p", texts=["t"], labels=["PARTY", "DATE"], given=[[(0, 1)]])
    found = shared(some, adapters)
    assert found is not None
    assert (found.labels, found.given) == (["PARTY"], ())
    assert shared(PredictCommand(project="p", texts=["t"], labels=["DATE"]), adapters) is None


# what happens


class Clock:
    def __init__(self) -> None:
        self.time = 0.0

    def now(self) -> int:
        return int(self.time * 1e6)

    def monotonic(self) -> float:
        return self.time


class Loader:
    """Loads models of nothing; fails while told to."""

    def __init__(self) -> None:
        self.fault: Exception | None = None
        self.loaded: list[AdapterSet] = []

    async def load(self, adapters: AdapterSet) -> Model:
        if self.fault is not None:
            raise self.fault
        self.loaded.append(adapters)
        return Model(parts=(), adapters=adapters)


class Answering:
    """The `Predictor` of a test: what each generation answers or raises."""

    def __init__(self, manager: GenerationManager) -> None:
        self.manager = manager
        self.says: dict[str, TextAnswer | Exception] = {
            "old": answer((0, 3, "PARTY")),
            "new": answer((0, 3, "PARTY")),
        }
        self.asked: list[tuple[str, bool]] = []

    async def predict(self, command: PredictCommand) -> PredictResult:
        with self.manager.acquire(command.project) as handle:
            return await self.predict_with(handle, command)

    async def predict_with(self, handle: Any, command: PredictCommand) -> PredictResult:
        adapters = handle.deployment.adapters
        digest = adapters.labels["PARTY"].digest
        self.asked.append((digest, command.background))
        await asyncio.sleep(0)
        said = self.says[digest]
        if isinstance(said, Exception):
            raise said
        return PredictResult(
            answers=[said] * len(command.texts), deployment=handle.deployment, adapters=adapters
        )


class Registry:
    def __init__(self) -> None:
        self.fault: Exception | None = None
        self.runs = True
        self.reports: list[TrialReport] = []

    async def report_trial(self, report: TrialReport) -> bool:
        if self.fault is not None:
            raise self.fault
        self.reports.append(report)
        return self.runs


class World:
    """An inference service whose models are scripted."""

    def __init__(self, **bounds: int) -> None:
        self.clock, self.loader, self.registry = Clock(), Loader(), Registry()
        backoff = Backoff(first=1000)
        self.manager = GenerationManager(self.loader, clock=self.clock, backoff=backoff)
        candidates = GenerationManager(self.loader, clock=self.clock, backoff=backoff)
        self.board = TrialBoard(candidates, clock=self.clock, patience_seconds=30)
        self.answering: Any = Answering(self.manager)
        self.comparisons = Comparisons(
            self.answering, self.manager, self.board, clock=self.clock, **bounds
        )
        self.predictor = TrialPredictor(self.answering, self.manager, self.board, self.comparisons)
        registry: Any = self.registry
        self.reporter = TrialReporter(registry, self.board, pause_seconds=1)
        self.manager.aspire(revision(1, "old"))
        self.put = 0

    async def told(self, trial: Trial) -> None:
        self.board.tell(trial)
        await settle()

    async def predict(self, texts: Sequence[str] = ("a",), **fields: Any) -> str:
        """Return which adapter answered."""
        command = PredictCommand(project="p", texts=list(texts), **fields)
        self.put += 1
        result = await self.predictor.predict(command)
        return result.adapters.labels["PARTY"].digest

    async def compared(self) -> Counts:
        """Let all comparisons be made, and return what is counted."""
        tried = self.board.get("p")
        assert tried is not None
        tally, put = tried.tally, self.put
        running = asyncio.create_task(self.comparisons.run())

        async def done() -> bool:
            found = tally.counts()
            ended = found.compared_requests + found.dropped_requests + found.skipped_requests
            return ended + found.errors >= put

        await until(done)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        return tally.counts()


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


@pytest.fixture
async def world() -> World:
    found = World()
    await settle()
    return found


async def test_a_shadow_is_asked_behind_the_answer_and_never_answers(world: World) -> None:
    await world.told(a_trial())
    world.answering.says["new"] = answer((0, 4, "PARTY"))
    assert await world.predict() == "old"
    assert world.answering.asked == [("old", False)]
    counts = await world.compared()
    assert world.answering.asked == [("old", False), ("new", True)]
    assert (counts.requests, counts.errors, counts.compared_texts) == (1, 0, 1)
    assert counts.differences == {PARTY: Difference(served=1, added=1, missing=1)}


async def test_a_shadow_that_fails_is_counted_and_nobody_notices(world: World) -> None:
    await world.told(a_trial())
    world.answering.says["new"] = RuntimeError("boom")
    assert await world.predict() == "old"
    counts = await world.compared()
    assert (counts.requests, counts.errors, counts.compared_requests) == (1, 1, 0)
    assert await world.predict() == "old"


async def test_what_cannot_be_compared_soon_is_dropped(world: World) -> None:
    small = World(max_requests=2, max_characters=10)
    await settle()
    await small.told(a_trial())
    for text in ("aaaa", "b", "c"):
        await small.predict([text])
    tried = small.board.get("p")
    assert tried is not None
    assert tried.tally.dropped_requests == 1
    counts = await small.compared()
    assert (counts.requests, counts.dropped_requests) == (2, 1)
    await small.predict(["x" * 11])
    assert tried.tally.dropped_requests == 2
    await small.predict(["xxx"])  # what was compared makes room
    assert tried.tally.dropped_requests == 2


async def test_nothing_is_compared_across_revisions(world: World) -> None:
    await world.told(a_trial())
    await world.predict()
    world.manager.aspire(revision(2, "old"))
    await world.told(a_trial(base=2))
    counts = await world.compared()
    assert (counts.requests, counts.dropped_requests) == (0, 1)


async def test_a_candidate_that_is_not_loaded_is_passed_over(world: World) -> None:
    world.loader.fault = UnavailableError(Reason.PEER_UNAVAILABLE, "The registry is away.")
    await world.told(a_trial(mode=TrialMode.CANARY))
    assert await world.predict() == "old"
    tried = world.board.get("p")
    assert tried is not None
    assert world.board.state(tried) == (CandidateState.ERROR, "The registry is away.")
    assert tried.tally.counts() == Counts(skipped_requests=1)


async def test_requests_with_pins_are_no_part_of_it(world: World) -> None:
    await world.told(a_trial(mode=TrialMode.CANARY))
    assert await world.predict(pins={"PARTY": "v"}) == "old"
    tried = world.board.get("p")
    assert tried is not None
    assert tried.tally.counts() == Counts()


async def test_a_canary_answers_and_is_compared_behind_it(world: World) -> None:
    await world.told(a_trial(mode=TrialMode.CANARY))
    world.answering.says["new"] = answer((0, 3, "PARTY"), (4, 5, "PARTY"))
    assert await world.predict() == "new"
    counts = await world.compared()
    assert world.answering.asked == [("new", False), ("old", True)]
    assert (counts.requests, counts.differing_texts) == (1, 1)
    assert counts.differences == {PARTY: Difference(served=1, added=1)}


@pytest.mark.parametrize(
    "fault", [RuntimeError("boom"), InternalError(Reason.INTERNAL, "It failed.")]
)
async def test_what_a_canary_fails_is_answered_by_what_is_deployed(
    world: World, fault: Exception
) -> None:
    await world.told(a_trial(mode=TrialMode.CANARY))
    world.answering.says["new"] = fault
    assert await world.predict() == "old"
    counts = await world.compared()
    assert (counts.requests, counts.errors, counts.compared_requests) == (1, 1, 0)


async def test_a_refusal_is_no_fault_of_the_canary(world: World) -> None:
    await world.told(a_trial(mode=TrialMode.CANARY))
    world.answering.says["new"] = ResourceExhaustedError(Reason.OVERLOADED, "Too much.")
    with pytest.raises(ResourceExhaustedError):
        await world.predict()
    tried = world.board.get("p")
    assert tried is not None
    assert tried.tally.counts() == Counts()


async def test_a_canary_is_not_asked_for_what_it_lacks(world: World) -> None:
    world.manager.aspire(revision(2, "old", DATE="d"))
    await world.told(a_trial(mode=TrialMode.CANARY, base=2))
    assert await world.predict(labels=["DATE"]) == "old"
    assert await world.predict(labels=["PARTY"]) == "new"


async def test_a_canary_answers_no_request_of_another_revision(world: World) -> None:
    await world.told(a_trial(mode=TrialMode.CANARY, base=2))
    assert await world.predict() == "old"


async def test_a_canary_pauses_while_nobody_could_end_it(world: World) -> None:
    await world.told(a_trial(mode=TrialMode.CANARY))
    world.registry.fault = UnavailableError(Reason.PEER_UNAVAILABLE, "Away.")
    world.clock.time = 29.0
    await world.reporter.report_all()
    assert await world.predict() == "new"
    world.clock.time = 31.0
    assert await world.predict() == "old"
    tried = world.board.get("p")
    assert tried is not None
    assert world.board.paused(tried)
    world.registry.fault = None
    await world.reporter.report_all()
    assert await world.predict() == "new"


async def test_a_shadow_goes_on_while_the_registry_is_away(world: World) -> None:
    await world.told(a_trial())
    world.clock.time = 1000.0
    await world.predict()
    assert (await world.compared()).requests == 1


async def test_a_report_that_was_lost_is_made_good_by_the_next(world: World) -> None:
    await world.told(a_trial())
    await world.reporter.report_all()
    await world.reporter.report_all()  # nothing new: the same report
    world.registry.fault = UnavailableError(Reason.PEER_UNAVAILABLE, "Away.")
    tried = world.board.get("p")
    assert tried is not None
    tried.tally.answered()
    await world.reporter.report_all()
    world.registry.fault = None
    tried.tally.answered()
    await world.reporter.report_all()
    sequences = [report.sequence for report in world.registry.reports]
    assert sequences == [1, 1, 3]
    assert [report.counts.requests for report in world.registry.reports] == [0, 0, 2]
    assert len({report.reporter for report in world.registry.reports}) == 1


@pytest.mark.parametrize("unknown", [False, True])
async def test_what_the_registry_ended_ends_here(world: World, unknown: bool) -> None:
    await world.told(a_trial(mode=TrialMode.CANARY))
    assert await world.predict() == "new"
    world.registry.runs = False
    if unknown:
        world.registry.fault = NotFoundError(Reason.RESOURCE_NOT_FOUND, "None.")
    await world.reporter.report_all()
    assert world.board.all() == []
    assert await world.predict() == "old"


async def test_the_end_drops_the_candidate_and_requests_under_way_finish(world: World) -> None:
    await world.told(a_trial(mode=TrialMode.CANARY))
    tried = world.board.get("p")
    assert tried is not None
    handle = world.board.acquire(tried)
    assert handle is not None
    world.board.tell(TrialOver(name="projects/p/trials/2"))  # another one
    assert world.board.get("p") is tried
    world.board.tell(TrialOver(name=tried.trial.name))
    assert world.board.get("p") is None
    assert handle.model.adapters.labels["PARTY"].digest == "new"
    handle.release()
    assert world.board.generation(tried) is None


async def test_the_next_trial_begins_to_count_anew(world: World) -> None:
    await world.told(a_trial())
    await world.predict()
    before = world.board.get("p")
    await world.told(a_trial(base=1))  # told again, as by a new stream
    assert world.board.get("p") is before
    await world.reporter.report_all()
    # Another trial; and one of the same name, of a registry that was restored and counts again.
    for trial in (a_trial(2), a_trial(2, began=9)):
        await world.told(trial)
        tried = world.board.get("p")
        assert tried is not None
        assert tried is not before
        assert tried.tally.counts() == Counts()
        await world.reporter.report_all()
        before = tried
    reports = world.registry.reports
    assert [report.sequence for report in reports] == [1, 1, 1]
    assert len({report.reporter for report in reports}) == 3


async def test_metrics_of_what_is_tried(world: World) -> None:
    assert [metric.samples for metric in TrialMetrics(world.board).collect()] == [[]] * 5
    await world.told(a_trial())
    world.answering.says["new"] = answer((0, 4, "PARTY"))
    await world.predict(["a", "b"])
    await world.compared()
    found = {
        (sample.name, *sample.labels.values()): sample.value
        for metric in TrialMetrics(world.board).collect()
        for sample in metric.samples
    }
    of = ("p", "1")
    assert found["spanloop_trial_candidate_ready", *of] == 1
    assert found["spanloop_trial_paused", *of] == 0
    assert found["spanloop_trial_requests_total", *of, "answered"] == 1
    assert found["spanloop_trial_requests_total", *of, "failed"] == 0
    assert found["spanloop_trial_compared_texts_total", *of, "differing"] == 2
    assert found["spanloop_trial_differences_total", *of, "PARTY", "added"] == 2


async def test_an_end_while_it_loads_leaves_nothing(world: World) -> None:
    world.board.tell(a_trial())
    world.board.tell(TrialOver(name="projects/p/trials/1"))
    await settle()
    assert world.loader.loaded == [revision(1, "old").adapters]
    world.loader.fault = RuntimeError("boom")
    await world.told(a_trial(2))
    world.board.tell(TrialOver(name="projects/p/trials/2"))
    await settle()
    assert world.board.all() == []
    await world.board.close()
