"""Trials while the registry is away, while inference restarts, and over several servers."""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from spanloop.registry.v1 import trial_pb2
from tests.support.inference import inference, publish, registry_at, tiny_adapter, until
from tests.support.trials import counted, in_state, loaded

CANARY = trial_pb2.TRIAL_MODE_CANARY
OLD, NEW = [tiny_adapter("PARTY")], [tiny_adapter("PARTY", seed=2)]
SETTINGS: dict[str, object] = {"trial_report_seconds": 0.05, "canary_patience_seconds": 0.5}


async def test_while_the_registry_is_away_a_canary_pauses_and_what_it_did_is_told_later(
    tmp_path: Path,
) -> None:
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(AsyncExitStack())
        registry, address = await first.enter_async_context(registry_at(tmp_path))
        client = await stack.enter_async_context(inference(tmp_path, address, **SETTINGS))
        await registry.deploy(await publish(registry, "p", OLD))
        await client.ready(1)
        version = await publish(registry, "p", NEW)
        name = (await registry.start_trial(version, mode=CANARY, share=1.0)).name
        await loaded(client, name)
        assert (await client.predict()).generation.trial == name
        await counted(registry, name, 1)
        await first.aclose()
        asked = 1

        async def paused() -> bool:
            nonlocal asked
            answer = await client.predict()
            asked += bool(answer.generation.trial)
            return not answer.generation.trial

        await until(paused)
        (candidate,) = (await client.state()).candidates
        assert candidate.paused
        registry, _ = await stack.enter_async_context(registry_at(tmp_path, address))

        async def goes_on() -> bool:
            nonlocal asked
            answer = await client.predict()
            asked += bool(answer.generation.trial)
            return bool(answer.generation.trial)

        await until(goes_on)
        found = await counted(registry, name, asked)
        assert (found.counts.requests, len(found.reporters)) == (asked, 1)


async def test_a_trial_that_ended_while_the_registry_was_away_ends_here(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(AsyncExitStack())
        registry, address = await first.enter_async_context(registry_at(tmp_path))
        client = await stack.enter_async_context(inference(tmp_path, address, **SETTINGS))
        await registry.deploy(await publish(registry, "p", OLD))
        version = await publish(registry, "p", NEW)
        name = (await registry.start_trial(version, share=1.0)).name
        await loaded(client, name)
        await first.aclose()
        # At another address, where inference cannot see it.
        async with registry_at(tmp_path) as (elsewhere, _):
            await elsewhere.end_trial(name)
        await stack.enter_async_context(registry_at(tmp_path, address))

        async def gone() -> bool:
            return not (await client.state()).candidates

        await until(gone)


async def test_a_restart_of_inference_loses_and_doubles_no_count(tmp_path: Path) -> None:
    async with registry_at(tmp_path) as (registry, address):
        await registry.deploy(await publish(registry, "p", OLD))
        version = await publish(registry, "p", NEW)
        name = (await registry.start_trial(version, mode=CANARY, share=1.0)).name
        for life in (1, 2):
            async with inference(tmp_path, address, trial_report_seconds=600) as client:
                await client.ready(1)
                await loaded(client, name)
                for _ in range(3):
                    assert (await client.predict()).generation.trial == name
            # What was not reported yet is, before the server stops.
            counts = (await registry.get_trial(name)).counts
            assert counts.requests == 3 * life
        assert len((await registry.get_trial(name)).reporters) == 2


async def test_a_canary_is_judged_over_all_servers(tmp_path: Path) -> None:
    async with (
        registry_at(tmp_path) as (registry, address),
        inference(tmp_path, address, **SETTINGS) as one,
        inference(tmp_path, address, **SETTINGS) as other,
    ):
        await registry.deploy(await publish(registry, "p", OLD))
        version = await publish(registry, "p", NEW)
        limits = trial_pb2.TrialLimits(min_requests=4, max_disagreement_rate=0.1)
        trial = await registry.start_trial(version, mode=CANARY, share=1.0, limits=limits)
        for client in (one, other):
            await client.ready(1)
            await loaded(client, trial.name)
            for _ in range(2):
                await client.predict()
        await in_state(registry, trial.name, trial_pb2.TRIAL_STATE_ROLLED_BACK)
        for client in (one, other):

            async def gone(client: Any = client) -> bool:
                return not (await client.state()).candidates

            await until(gone)
