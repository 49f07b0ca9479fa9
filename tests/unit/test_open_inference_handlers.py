"""Models, versions and the repository of the Open Inference Protocol, without a server."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest

from services.common.clock import ManualClock
from services.common.errors import (
    DataLossError,
    FailedPreconditionError,
    InvalidArgumentError,
    NotFoundError,
    Reason,
    UnavailableError,
)
from services.inference.domain import AdapterRef, AdapterSet, DeploymentRevision
from services.inference.engine.model import Model
from services.inference.handlers.predict import Predictor
from services.inference.manager import Backoff, GenerationManager
from services.inference.oip.handlers import OpenInference
from services.inference.ports import Registry
from tests.support.inference import until


def deployment(revision: int, project: str = "p") -> DeploymentRevision:
    ref = AdapterRef(digest=f"sha256:{revision}", trunk_digest="t", model_version="v")
    return DeploymentRevision(
        project=project, revision=revision, adapters=AdapterSet(labels={"A": ref})
    )


class Fakes:
    """A registry that knows one deployment, and a loader that loads what it is told to."""

    def __init__(self) -> None:
        self.known: DeploymentRevision | Exception = deployment(1)
        self.broken: set[str] = set()
        self.gate = asyncio.Event()
        self.gate.set()
        self.manager = GenerationManager(self, clock=ManualClock(), backoff=Backoff(first=60.0))
        # Neither of the two is asked anything else here.
        self.open = OpenInference(self.manager, cast("Predictor", None), cast("Registry", self))

    async def deployment(self, project: str) -> DeploymentRevision:
        if isinstance(self.known, Exception):
            raise self.known
        return self.known

    async def load(self, adapters: AdapterSet) -> Model:
        await self.gate.wait()
        digest = adapters.labels["A"].digest
        if digest in self.broken:
            raise DataLossError(Reason.ARTIFACT_CORRUPT, "Bytes differ.")
        return Model(parts=(), adapters=adapters)

    def rows(self, *, ready: bool = False) -> list[tuple[str, str, str]]:
        return [(row.name, row.version, row.state) for row in self.open.index("", ready=ready)]

    async def shows(self, *rows: tuple[str, str, str]) -> None:
        """Wait until the index is this."""

        async def shown() -> bool:
            return self.rows() == list(rows)

        await until(shown)


@pytest.fixture
async def fakes() -> Fakes:
    return Fakes()


async def test_loading_follows_the_registry_before_it_has_told(fakes: Fakes) -> None:
    fakes.known = deployment(3)
    await fakes.open.load("p", "", ())
    assert fakes.manager.serving("p") == deployment(3)
    assert fakes.open.model_ready("p", "3")
    assert not fakes.open.model_ready("p", "2")


async def test_an_older_answer_moves_nothing_back(fakes: Fakes) -> None:
    fakes.manager.aspire(deployment(5))
    fakes.known = deployment(4)
    await fakes.open.load("p", "", ())
    assert fakes.manager.serving("p") == deployment(5)


async def test_loading_while_the_registry_is_away(fakes: Fakes) -> None:
    fakes.known = UnavailableError(Reason.PEER_UNAVAILABLE, "away")
    with pytest.raises(UnavailableError):
        await fakes.open.load("p", "", ())
    fakes.manager.aspire(deployment(2))
    await fakes.open.load("p", "", ())
    assert fakes.manager.serving("p") == deployment(2)


async def test_what_cannot_be_loaded_says_why_and_the_old_one_goes_on(fakes: Fakes) -> None:
    await fakes.open.load("p", "", ())
    fakes.broken.add("sha256:2")
    fakes.known = deployment(2)
    with pytest.raises(FailedPreconditionError, match=r"generations/2 cannot .*: Bytes differ\."):
        await fakes.open.load("p", "", ())
    assert fakes.manager.serving("p") == deployment(1)
    assert fakes.rows() == [("p", "2", "UNAVAILABLE"), ("p", "1", "READY")]
    assert fakes.rows(ready=True) == [("p", "1", "READY")]
    assert [row.reason for row in fakes.open.index("", ready=False)] == ["Bytes differ.", ""]
    assert fakes.open.versions("p", "") == [1]
    fakes.broken.clear()
    await fakes.open.load("p", "", ())
    assert fakes.rows() == [("p", "2", "READY")]


async def test_unloading_ends_a_load(fakes: Fakes) -> None:
    fakes.gate.clear()
    loading = asyncio.create_task(fakes.open.load("p", "", ()))
    await fakes.shows(("p", "1", "LOADING"))
    fakes.open.unload("p", "", ["unload_dependents"])
    with pytest.raises(FailedPreconditionError, match="was unloaded while"):
        await loading
    assert fakes.rows() == [("p", "", "UNAVAILABLE")]


async def test_a_load_follows_the_deployment_that_overtakes_it(fakes: Fakes) -> None:
    fakes.gate.clear()
    loading = asyncio.create_task(fakes.open.load("p", "", ()))
    await fakes.shows(("p", "1", "LOADING"))
    fakes.manager.aspire(deployment(2))
    fakes.gate.set()
    await loading
    assert fakes.manager.serving("p") == deployment(2)


async def test_what_is_not_there_or_not_taken(fakes: Fakes) -> None:
    with pytest.raises(NotFoundError, match="'p' does not exist"):
        fakes.open.versions("p", "")
    with pytest.raises(NotFoundError, match="'p' does not exist"):
        fakes.open.unload("p", "", ())
    await fakes.open.load("p", "", ())
    with pytest.raises(NotFoundError, match="no version 9 on this server; there are: 1"):
        fakes.open.versions("p", "9")
    with pytest.raises(InvalidArgumentError, match="model_version: '-1' is no version"):
        fakes.open.model_ready("p", "-1")
    with pytest.raises(InvalidArgumentError, match="repository_name: must be empty"):
        fakes.open.index("mine", ready=False)
    with pytest.raises(InvalidArgumentError, match="'force' is not taken"):
        fakes.open.unload("p", "", ["force"])
    with pytest.raises(InvalidArgumentError, match="model_name: must have the form"):
        await fakes.open.load("a/b", "", ())
    fakes.manager.aspire(deployment(1, "other"))
    await fakes.shows(("other", "1", "READY"), ("p", "1", "READY"))
    fakes.open.unload("p", "", ())
    assert fakes.rows() == [("other", "1", "READY"), ("p", "", "UNAVAILABLE")]
