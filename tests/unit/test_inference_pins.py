from __future__ import annotations

import pytest

from services.common.clock import ManualClock
from services.common.errors import (
    FailedPreconditionError,
    NotFoundError,
    Reason,
    UnavailableError,
)
from services.inference.domain import AdapterRef, AdapterSet, ModelVersion, VersionState
from services.inference.pins import ALIAS_SECONDS, PinResolver


class Registry:
    """Tells versions by their ids and aliases, counts the questions, and goes away on demand."""

    def __init__(self) -> None:
        self.versions: dict[str, ModelVersion] = {}
        self.asked: list[str] = []
        self.away = False

    def add(self, number: int, *, purged: bool = False) -> ModelVersion:
        name = f"projects/p/modelVersions/ner_p_v{number}"
        ref = AdapterRef(digest=f"sha256:{number}", trunk_digest="t", model_version=name)
        version = ModelVersion(
            name=name,
            state=VersionState.RETIRED,
            adapters=AdapterSet(labels={"A": ref}),
            purged=purged,
        )
        self.versions[f"ner_p_v{number}"] = version
        return version

    async def model_version(self, project: str, version: str) -> ModelVersion:
        self.asked.append(version)
        if self.away:
            raise UnavailableError(Reason.PEER_UNAVAILABLE, "away")
        if version not in self.versions:
            raise NotFoundError(Reason.MODEL_VERSION_UNKNOWN, "none")
        return self.versions[version]


async def version_of(resolver: PinResolver, pin: str) -> str:
    return (await resolver.resolve("p", {"A": pin}))["A"].digest


async def test_an_alias_is_asked_for_again_and_outlives_an_outage() -> None:
    registry, clock = Registry(), ManualClock()
    one, two = registry.add(1), registry.add(2)
    resolver = PinResolver(registry, clock)  # type: ignore[arg-type]
    registry.versions["ner@gold"] = one
    assert await version_of(resolver, "ner@gold") == "sha256:1"
    registry.versions["ner@gold"] = two
    assert await version_of(resolver, "ner@gold") == "sha256:1"
    clock.advance(ALIAS_SECONDS)
    assert await version_of(resolver, "ner@gold") == "sha256:2"
    assert registry.asked == ["ner@gold"] * 2
    clock.advance(ALIAS_SECONDS)
    registry.away = True
    assert await version_of(resolver, "ner@gold") == "sha256:2"
    # What the alias meant is known by its own name too.
    assert await version_of(resolver, "ner_p_v1") == "sha256:1"
    with pytest.raises(UnavailableError):
        await version_of(resolver, "ner@other")
    registry.away = False
    del registry.versions["ner@gold"]
    with pytest.raises(NotFoundError):  # it was deleted: that is an answer
        await version_of(resolver, "ner@gold")


async def test_a_purged_version_cannot_be_pinned() -> None:
    registry = Registry()
    registry.add(1, purged=True)
    with pytest.raises(FailedPreconditionError) as caught:
        await version_of(PinResolver(registry, ManualClock()), "ner_p_v1")  # type: ignore[arg-type]
    assert caught.value.reason is Reason.MODEL_VERSION_NOT_READY
    assert "purged" in caught.value.message
