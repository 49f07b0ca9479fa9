"""A trainer's queue, attempts and publishing in one process that dies at a chosen durable step.

The store, the registry and the annotation service are real or stand-ins behind a `Life`; when it
ends, every later call of that life fails, as if the process were gone: nothing more is written.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from services.common.clock import Clock, SystemClock
from services.common.errors import NotFoundError, Reason, UnavailableError
from services.common.modeling.manifest import AdapterManifest, TrunkManifest
from services.common.store.port import DocumentStore, StoreUnavailableError
from services.common.watch import Signal
from services.trainer.attempt import Attempt, AttemptParts
from services.trainer.domain import EpochMetrics, Resources, TrainingJob
from services.trainer.engines.catalog import installed_engines
from services.trainer.job_files import Example, JobFolder, Parity, read_spec
from services.trainer.job_log import JobLog
from services.trainer.job_queue import Holder, JobQueue
from services.trainer.job_trunk import PrecisionLimits
from services.trainer.job_work import WorkParts, WorkSettings
from services.trainer.ports import (
    ChosenPrecision,
    NewVersion,
    RegisteredTrunk,
    RegisteredVersion,
    Snapshot,
)
from services.trainer.protocol import (
    EpochMessage,
    EvaluatingMessage,
    LogMessage,
    Message,
    ResultMessage,
)
from services.trainer.publishing import Publisher
from services.trainer.reports.repository import ReportRepository
from services.trainer.resources.slots import Grant
from services.trainer.scripts.repository import ScriptRepository
from services.trainer.trunks import TrunkStore
from tests.support.trainer_child import export_trunk, write_results

_READS = ("get", "get_many", "find", "count", "ping", "get_snapshot", "find_trunk", "get_trunk")


class Life:
    """Counts durable steps and ends before or after one of them."""

    def __init__(self, steps: int | None = None, *, after: bool = False) -> None:
        self.steps = steps
        self.after = after
        self.dead = False
        self.taken: list[str] = []

    async def step(self, name: str, call: Any) -> Any:
        if self.dead:
            raise self.failure(name)
        if name.split(".")[1] in _READS:
            return await call()
        self.taken.append(name)
        if self.steps is None or len(self.taken) <= self.steps:
            return await call()
        self.dead = True
        if self.after:
            await call()
        raise self.failure(name)

    def failure(self, name: str) -> Exception:
        if name.startswith("store"):
            return StoreUnavailableError("the process is dead")
        return UnavailableError(Reason.PEER_UNAVAILABLE, "the process is dead")


class Mortal:
    """Anything whose calls are steps of a life."""

    def __init__(self, kind: str, real: Any, life: Life) -> None:
        self._kind = kind
        self._real = real
        self._life = life

    def __getattr__(self, name: str) -> Any:
        real = getattr(self._real, name)

        async def call(*args: Any, **fields: Any) -> Any:
            return await self._life.step(f"{self._kind}.{name}", lambda: real(*args, **fields))

        return call


class Annotation:
    """A snapshot of a few texts."""

    async def get_snapshot(self, name: str) -> Snapshot:
        return Snapshot(name=name, content_hash="sha256:1", labels=("A",), span_counts={"A": 2})

    async def read_snapshot(self, name: str) -> AsyncIterator[Example]:
        for index, split in enumerate(("train",) * 5 + ("dev", "test")):
            yield Example(text=f"Anna {index}", spans=((0, 4, "A"),), split=split)


class Registry:
    """A registry in memory: content-addressed, one version per request id."""

    def __init__(self) -> None:
        self.blobs: dict[str, bytes] = {}
        self.trunks: dict[str, RegisteredTrunk] = {}
        self.adapters: set[str] = set()
        self.versions: dict[str, RegisteredVersion] = {}

    async def find_trunk(self, source: str) -> RegisteredTrunk | None:
        return next((one for one in self.trunks.values() if one.source == source), None)

    async def choose_precision(self) -> ChosenPrecision:
        return ChosenPrecision(precision="fp32", reason="There is no server.")

    async def get_trunk(self, digest: str) -> RegisteredTrunk:
        if digest not in self.trunks:
            raise NotFoundError(Reason.RESOURCE_NOT_FOUND, digest)
        return self.trunks[digest]

    async def download(self, digest: str, path: Path) -> None:
        await asyncio.to_thread(path.write_bytes, self.blobs[digest])

    async def upload(self, digest: str, path: Path) -> None:
        self.blobs[digest] = await asyncio.to_thread(path.read_bytes)

    async def register_trunk(self, manifest: bytes) -> str:
        trunk = TrunkManifest.from_bytes(manifest)
        files = {name: file.digest for name, file in trunk.files.items()}
        assert set(files.values()) <= set(self.blobs)
        self.trunks[trunk.digest] = RegisteredTrunk(
            digest=trunk.digest, manifest=manifest, source=trunk.source, files=files
        )
        return trunk.digest

    async def register_adapter(self, manifest: bytes) -> str:
        adapter = AdapterManifest.from_bytes(manifest)
        assert {file.digest for file in adapter.files.values()} <= set(self.blobs)
        self.adapters.add(adapter.digest)
        return adapter.digest

    async def create_version(self, version: NewVersion) -> RegisteredVersion:
        assert set(version.adapters.values()) <= self.adapters
        if version.request_id not in self.versions:
            self.versions[version.request_id] = RegisteredVersion(
                name=f"projects/p/modelVersions/ner_p_v{len(self.versions) + 1}",
                state="REGISTERED",
                adapters=version.adapters,
                trunk_digest="t",
            )
        return self.versions[version.request_id]

    async def verify_version(self, name: str, parity: Parity) -> RegisteredVersion:
        for key, found in self.versions.items():
            if found.name == name:
                made = RegisteredVersion(
                    name=name, state="READY", adapters=found.adapters, trunk_digest="t"
                )
                self.versions[key] = made
                return made
        raise NotFoundError(Reason.RESOURCE_NOT_FOUND, name)


class InnerChild:
    """A child that computes nothing, in this process."""

    pid = os.getpid()

    def __init__(self, spec: Path) -> None:
        self._spec = read_spec(spec)

    @classmethod
    async def start(
        cls, command: Sequence[str], spec: Path, variables: Mapping[str, str] | None = None
    ) -> InnerChild:
        return cls(spec)

    async def messages(self) -> AsyncIterator[Message]:
        yield LogMessage(level="info", message="computing")
        yield EpochMessage(metrics=EpochMetrics(epoch=1, loss=0.5, dev_micro_f1=0.5))
        yield EvaluatingMessage()
        folder = JobFolder(Path(self._spec.folder))
        write_results(
            self._spec, folder, export_trunk(self._spec), bad=False, with_report=True, weights_of=""
        )
        yield ResultMessage()

    async def end(self, grace: float) -> None:
        return None


class Trainer:
    """One life of a trainer process."""

    def __init__(
        self,
        store: DocumentStore,
        registry: Registry,
        folder: Path,
        *,
        boot: str,
        life: Life | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.life = life or Life()
        mortal: Any = Mortal("store", store, self.life)
        peer: Any = Mortal("registry", registry, self.life)
        annotation: Any = Annotation()
        clock = clock or SystemClock()
        self.holder = Holder(worker="w", boot=boot)
        self.queue = JobQueue(mortal, clock, lease_seconds=30, max_attempts=1000)
        self.log = JobLog(mortal, clock)
        trunks = TrunkStore(folder / "trunks", peer)
        self._parts = AttemptParts(
            queue=self.queue,
            log=self.log,
            signal=Signal(),
            clock=clock,
            lease_seconds=30,
            work=WorkParts(
                settings=WorkSettings(
                    child_command=(),
                    jobs_dir=folder / "jobs",
                    cache_dir=folder / "cache",
                    activation_cache_bytes=0,
                    trunks_dir=folder / "trunks",
                    providers="cpu",
                    stop_seconds=0,
                    peer_retry_seconds=0,
                    precision=PrecisionLimits(max_label_loss=0.03, min_spans=50),
                ),
                annotation=annotation,
                registry=peer,
                trunks=trunks,
                engines=installed_engines(),
                publisher=Publisher(peer, trunks, code_version="1"),
                reports=ReportRepository(mortal),
                scripts=ScriptRepository(mortal),
                clock=clock,
            ),
        )

    async def work(self) -> TrainingJob | None:
        """Take back what an earlier life held, and do one job."""
        await self.queue.requeue_orphans(self.holder)
        job = await self.queue.claim(self.holder)
        if job is not None:
            await Attempt(job, self._parts, Grant(resources=Resources(cpu=1))).run()
        return job
