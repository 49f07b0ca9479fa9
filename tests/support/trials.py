"""What tests of trials wait for."""

from __future__ import annotations

from spanloop.inference.v1 import serving_state_pb2
from spanloop.registry.v1 import trial_pb2
from tests.support.inference import InferenceClient, until
from tests.support.registry import RegistryClient

READY = serving_state_pb2.GENERATION_STATE_READY


async def loaded(client: InferenceClient, name: str) -> None:
    """Wait until the candidate of a trial is loaded."""

    async def is_ready() -> bool:
        found = (await client.state()).candidates
        return [(one.trial, one.generation.state) for one in found] == [(name, READY)]

    await until(is_ready)


async def counted(client: RegistryClient, name: str, requests: int) -> trial_pb2.Trial:
    """Return a trial once so many requests were compared or failed."""

    async def done() -> bool:
        counts = (await client.get_trial(name)).counts
        return counts.compared_requests + counts.errors >= requests

    await until(done)
    return await client.get_trial(name)


async def in_state(client: RegistryClient, name: str, state: int) -> trial_pb2.Trial:
    """Return a trial once it is in a state."""

    async def reached() -> bool:
        return (await client.get_trial(name)).state == state

    await until(reached)
    return await client.get_trial(name)
