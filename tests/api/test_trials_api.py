"""Trials over real servers: the registry, and inference that asks the candidate."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from services.common.blobs import key_of
from services.common.modeling.manifest import ADAPTER_FILE
from services.inference.bootstrap import build
from services.inference.engine.part import Part
from spanloop import AsyncClient, Endpoints, types
from spanloop.common.v1.evaluation_pb2 import MODEL_TYPE_NER
from spanloop.errors import FailedPrecondition
from spanloop.inference.v1 import serving_state_pb2
from spanloop.inference.v1.predict_pb2 import GRANULARITY_TOKEN
from spanloop.registry.v1 import trial_pb2
from tests.support import running
from tests.support.inference import (
    TEXT,
    InferenceClient,
    TinyAdapter,
    golden,
    inference,
    inference_settings,
    publish,
    registry_at,
    spans_of,
    tiny_adapter,
    until,
)
from tests.support.registry import RegistryClient
from tests.support.trials import counted, in_state, loaded

CANARY = trial_pb2.TRIAL_MODE_CANARY
ROLLED_BACK = trial_pb2.TRIAL_STATE_ROLLED_BACK
ERROR = serving_state_pb2.GENERATION_STATE_ERROR
DATE = tiny_adapter("DATE")
OLD, NEW = [tiny_adapter("PARTY"), DATE], [tiny_adapter("PARTY", seed=2), DATE]
SETTINGS: dict[str, object] = {"trial_report_seconds": 0.05}


@dataclass(frozen=True, kw_only=True)
class Loop:
    registry: RegistryClient
    inference: InferenceClient
    address: str
    candidate: str

    async def tried(self, **fields: Any) -> str:
        """Begin a trial of the candidate and wait until it is loaded; return its name."""
        trial = await self.registry.start_trial(self.candidate, share=1.0, **fields)
        await loaded(self.inference, trial.name)
        return trial.name

    async def counted(self, name: str, requests: int) -> trial_pb2.Trial:
        """Return the trial once so many requests were compared or failed."""
        return await counted(self.registry, name, requests)


@pytest.fixture
async def loop(tmp_path: Path) -> AsyncIterator[Loop]:
    async with (
        registry_at(tmp_path) as (registry, address),
        inference(tmp_path, address, **SETTINGS) as client,
    ):
        await registry.deploy(await publish(registry, "p", OLD))
        await client.ready(1)
        yield Loop(
            registry=registry,
            inference=client,
            address=address,
            candidate=await publish(registry, "p", NEW),
        )


def expected(bank: Sequence[TinyAdapter]) -> list[tuple[int, int, str]]:
    return spans_of(golden(bank))


async def test_a_shadow_is_compared_and_never_answers(loop: Loop) -> None:
    old, new = set(expected(OLD)), set(expected(NEW))
    assert old != new
    name = await loop.tried()
    for _ in range(5):
        answer = await loop.inference.predict([TEXT, "word"])
        assert answer.generation.name == "projects/p/generations/1"
        assert not answer.generation.trial
        assert spans_of(answer.predictions[0]) == sorted(old)
    found = await loop.counted(name, 5)
    counts = found.counts
    assert (counts.requests, counts.errors, counts.compared_texts) == (5, 0, 10)
    one, other = (set(expected_of(bank, "word")) for bank in (OLD, NEW))
    assert counts.differing_texts == 5 * (1 + (one != other))
    party = next(one for one in counts.differences if one.name == "PARTY")
    assert party.model_type == MODEL_TYPE_NER
    label = "PARTY"
    assert party.added == 5 * (only(new - old, label) + only(other - one, label))
    assert party.missing == 5 * (only(old - new, label) + only(one - other, label))
    assert party.served == 5 * (only(old, label) + only(one, label))
    date = next(one for one in counts.differences if one.name == "DATE")
    assert (date.added, date.missing, date.changed) == (0, 0, 0)
    assert [one.candidate_state for one in found.reporters] == [trial_pb2.CANDIDATE_STATE_READY]


def expected_of(bank: Sequence[TinyAdapter], text: str) -> list[tuple[int, int, str]]:
    return spans_of(golden(bank, text))


def only(spans: set[tuple[int, int, str]], label: str) -> int:
    return sum(span[2] == label for span in spans)


async def test_words_and_wanted_labels_are_compared_too(loop: Loop) -> None:
    name = await loop.tried()
    await loop.inference.predict(granularity=GRANULARITY_TOKEN)
    await loop.inference.predict(labels=["DATE"])
    counts = (await loop.counted(name, 2)).counts
    assert (counts.requests, counts.errors, counts.compared_texts) == (2, 0, 2)


async def test_a_candidate_costs_what_is_new_and_goes_with_the_trial(loop: Loop) -> None:
    name = await loop.tried()
    (found,) = (await loop.inference.state()).candidates
    assert found.generation.name == "projects/p/generations/1.trial1"
    assert set(found.generation.model_versions.values()) == {loop.candidate}
    assert (await loop.inference.state("q")).candidates == []
    await loop.registry.end_trial(name)

    async def gone() -> bool:
        return not (await loop.inference.state()).candidates

    await until(gone)
    assert len((await loop.inference.state()).generations) == 1


async def test_a_canary_answers_its_share_and_can_be_promoted(loop: Loop) -> None:
    trial = await loop.registry.start_trial(loop.candidate, mode=CANARY, share=0.5)
    await loaded(loop.inference, trial.name)
    texts = [f"{TEXT} {n}" for n in range(40)]
    first = [(await loop.inference.predict(text)).generation for text in texts]
    again = [(await loop.inference.predict(text)).generation for text in texts]
    assert first == again
    by_candidate = [one for one in first if one.trial]
    assert 5 < len(by_candidate) < 35
    for one in by_candidate:
        assert (one.name, one.trial) == ("projects/p/generations/1.trial1", trial.name)
        assert one.adapters["PARTY"] == NEW[0].manifest.digest
        assert one.model_versions["PARTY"] == loop.candidate
    for one in first:
        if not one.trial:
            assert one.adapters["PARTY"] == OLD[0].manifest.digest
    counts = (await loop.counted(trial.name, 2 * len(by_candidate))).counts
    assert (counts.requests, counts.errors) == (2 * len(by_candidate), 0)
    assert counts.differing_texts > 0
    await loop.registry.end_trial(trial.name, promote=True)
    await loop.inference.ready(2)

    async def served() -> bool:
        answer = await loop.inference.predict()
        assert answer.generation.deployment_revision in (1, 2)
        return answer.generation.name == "projects/p/generations/2"

    await until(served)
    assert spans_of((await loop.inference.predict()).predictions[0]) == expected(NEW)


def breaking(monkeypatch: pytest.MonkeyPatch, adapter: TinyAdapter) -> None:
    """Let every part with an adapter fail from now on."""
    straight = Part.answer

    def answer(self: Part, *args: Any, **kwargs: Any) -> Any:
        if any(one.manifest.digest == adapter.manifest.digest for one in self.adapters):
            raise RuntimeError("boom")
        return straight(self, *args, **kwargs)

    monkeypatch.setattr(Part, "answer", answer)


async def test_a_canary_that_fails_is_rolled_back_and_nobody_notices(
    loop: Loop, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits = trial_pb2.TrialLimits(min_requests=5)
    name = await loop.tried(mode=CANARY, limits=limits)
    breaking(monkeypatch, NEW[0])
    stop = asyncio.Event()

    async def hammer() -> int:
        count = 0
        while not stop.is_set():
            answer = await loop.inference.predict()
            assert spans_of(answer.predictions[0]) == expected(OLD)
            assert not answer.generation.trial
            count += 1
        return count

    load = [asyncio.create_task(hammer()) for _ in range(4)]
    over = await in_state(loop.registry, name, ROLLED_BACK)
    stop.set()
    assert sum(await asyncio.gather(*load)) >= 5
    assert "The candidate failed" in over.reason
    assert over.counts.errors == over.counts.requests >= 5
    assert (await loop.registry.deployment("p")).revision == 1

    async def gone() -> bool:
        return not (await loop.inference.state()).candidates

    await until(gone)


async def test_a_shadow_that_fails_costs_nobody_an_answer(
    loop: Loop, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = await loop.tried()
    breaking(monkeypatch, NEW[0])
    for _ in range(3):
        answer = await loop.inference.predict()
        assert spans_of(answer.predictions[0]) == expected(OLD)
    counts = (await loop.counted(name, 3)).counts
    assert (counts.requests, counts.errors, counts.compared_requests) == (3, 3, 0)


async def test_a_canary_that_disagrees_is_rolled_back(loop: Loop) -> None:
    limits = trial_pb2.TrialLimits(min_requests=3, max_disagreement_rate=0.5)
    name = await loop.tried(mode=CANARY, limits=limits)
    for _ in range(3):
        await loop.inference.predict()
    over = await in_state(loop.registry, name, ROLLED_BACK)
    assert "otherwise (100.00%)" in over.reason

    async def served() -> bool:
        return not (await loop.inference.predict()).generation.trial

    await until(served)


async def test_a_candidate_that_cannot_be_loaded_says_why(loop: Loop, tmp_path: Path) -> None:
    broken = [tiny_adapter("PARTY", seed=3), DATE]
    version = await publish(loop.registry, "p", broken)
    digest = broken[0].manifest.files[ADAPTER_FILE].digest
    stored = tmp_path / "registry" / "artifacts" / key_of(digest)
    good = stored.read_bytes()
    stored.write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
    trial = await loop.registry.start_trial(version, mode=CANARY, share=1.0)

    async def told() -> bool:
        found = (await loop.registry.get_trial(trial.name)).reporters
        return any(one.candidate_state == trial_pb2.CANDIDATE_STATE_ERROR for one in found)

    await until(told)
    (reporter,) = (await loop.registry.get_trial(trial.name)).reporters
    assert "digest" in reporter.error_message
    (candidate,) = (await loop.inference.state()).candidates
    assert candidate.generation.state == ERROR
    assert "digest" in candidate.generation.error_message
    answer = await loop.inference.predict()
    assert spans_of(answer.predictions[0]) == expected(OLD)
    stored.write_bytes(good)
    await loaded(loop.inference, trial.name)
    assert (await loop.inference.predict()).generation.trial == trial.name


async def test_what_moves_beside_it_moves_on_both_sides(loop: Loop) -> None:
    name = await loop.tried(mode=CANARY)
    pin = await publish(loop.registry, "p", [tiny_adapter("DATE", seed=5)])
    await loop.registry.pin("p", "DATE", pin)

    async def joined() -> bool:
        answer = await loop.inference.predict()
        return answer.generation.deployment_revision == 2 and answer.generation.trial == name

    await until(joined)
    answer = await loop.inference.predict()
    assert answer.generation.model_versions == {"PARTY": loop.candidate, "DATE": pin}


async def test_the_sdk_tries_shows_and_promotes(tmp_path: Path) -> None:
    async with (
        registry_at(tmp_path) as (registry, address),
        running(inference_settings(tmp_path, address, **SETTINGS), build) as server,
    ):
        endpoints = Endpoints(registry=address, inference=server.address)
        await registry.deploy(await publish(registry, "p", OLD))
        version = await publish(registry, "p", NEW)
        async with AsyncClient(endpoints=endpoints, token=server.token) as client:
            limits = types.TrialLimits(min_requests=5, max_disagreement_rate=1.0)
            trial = await client.start_trial("p", version, mode="canary", limits=limits)
            assert (trial.mode, trial.share) == (types.TrialMode.CANARY, 1.0)
            assert trial.limits == replace(limits, max_error_rate=0.01)

            async def answered() -> bool:
                found = [state.trial for state in (await client.serving_state("p")).candidates]
                if found != [trial.name]:
                    return False
                return (await client.predict("p", [TEXT])).generation.trial == trial.name

            await until(answered)

            async def compared() -> bool:
                return (await client.get_trial(trial)).counts.compared_texts > 0

            await until(compared)
            found = await client.get_trial(trial.name)
            assert found.counts.disagreement_rate == 1.0
            assert found.counts.error_rate == 0.0
            assert {one.name for one in found.counts.differences} == {"PARTY", "DATE"}
            (reporter,) = found.reporters
            assert reporter.candidate_state is types.CandidateState.READY
            over = await client.end_trial(trial, promote=True, etag=trial.etag)
            assert (over.state, over.promoted_revision) == (types.TrialState.PROMOTED, 2)
            assert [one.state async for one in client.list_trials("p")] == [over.state]
            with pytest.raises(FailedPrecondition):
                await client.end_trial(trial)
