"""Fetches, verifies and stacks adapters; what is loaded already is shared, never loaded twice."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar
from weakref import WeakValueDictionary, finalize

import numpy as np
from numpy.typing import NDArray

from services.common.blobs import Hold, LocalCache
from services.common.errors import DataLossError, Reason
from services.common.modeling.adapter import AdapterWeights
from services.common.modeling.choices import decide_choices
from services.common.modeling.heads import ASSERTION
from services.common.modeling.manifest import (
    TOKENIZER_FILE,
    TRUNK_FILE,
    Head,
    ManifestError,
    TrunkManifest,
)
from services.common.modeling.onnx.bank import Bank, BankRuntime
from services.common.modeling.onnx.buckets import nothing_recorded
from services.common.modeling.onnx.pooled import PooledBank
from services.common.modeling.onnx.sessions import DeviceOptions
from services.common.modeling.onnx.trunk import TrunkRunner
from services.common.modeling.packing import BankInputs
from services.common.modeling.predictor import TextPredictor
from services.common.modeling.states import Segment, WordStateReader, cut_segments
from services.inference.artifacts import CachedArtifacts
from services.inference.domain import AdapterKind, AdapterRef, AdapterSet
from services.inference.engine.model import Model
from services.inference.engine.part import SEGMENT_WORDS, Part, Want
from services.inference.ports import Registry
from services.inference.tasks import all_of

# Downloads under way at once; more would only share the same line.
_FETCHES = 8
_SMOKE_TEXT = "On 1 March 2024, Ada Lovelace of Example Ltd. paid $1,000 in London."

_HEADS = {
    AdapterKind.LABEL: Head.TAGS,
    AdapterKind.CONTROL: Head.CHOICES,
    AdapterKind.ASSERTION: Head.ASSERTION,
}

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class EngineOptions:
    """How models run.

    Attributes:
        providers: onnxruntime's execution providers, best first.
        threads: Threads within one run; 0 for all cores.
        batch_tokens: Most pieces, padding included, in one run of the trunk.
        device: How trunks use their device.
    """

    providers: Sequence[str]
    threads: int
    batch_tokens: int
    device: DeviceOptions = field(default_factory=DeviceOptions)


class OpenTrunk:
    """A trunk's session with the bank sessions that belong to it; shared by all who use it."""

    def __init__(self, runner: TrunkRunner, options: EngineOptions) -> None:
        """Keep an opened trunk."""
        self.runner = runner
        self.runtime = BankRuntime(
            runner.manifest, providers=runner.providers, threads=options.threads
        )
        self._smoke: dict[tuple[int, int], tuple[list[Segment], Sequence[BankInputs]]] = {}

    def smoke(self, reader: WordStateReader) -> tuple[list[Segment], Sequence[BankInputs]]:
        """Return what the trunk says of the text that new adapters are tried on.

        Read once for all of them: a run of the trunk during a switch would be in the way of the
        requests that come meanwhile.
        """
        windows = reader.max_length, reader.stride
        found = self._smoke.get(windows)
        if found is None:
            (text,) = reader.prepare([_SMOKE_TEXT])
            segments = cut_segments(text, SEGMENT_WORDS, 0)
            found = self._smoke[windows] = segments, reader.read_for_banks(segments)
        return found


class TrunkReader(WordStateReader):
    """Reads states and keeps the open trunk in use, so that the next model finds it."""

    def __init__(
        self, trunk: OpenTrunk, *, max_length: int, stride: int, batch_tokens: int
    ) -> None:
        """See `WordStateReader`."""
        super().__init__(
            trunk.runner, max_length=max_length, stride=stride, batch_tokens=batch_tokens
        )
        self.open_trunk = trunk


class ModelLoader:
    """Makes models from adapters' digests.

    Trunks and weights stay in memory for as long as some model uses them; verified files stay in
    the local cache, so that a model seen before loads while the registry is away.
    """

    def __init__(
        self, registry: Registry, cache: LocalCache, pool: Executor, options: EngineOptions
    ) -> None:
        """Load with `registry` and `cache`; hashing, parsing and opening run in `pool`."""
        self._artifacts = CachedArtifacts(registry, cache, self._run)
        self._cache = cache
        self._pool = pool
        self._options = options
        self._weights: WeakValueDictionary[str, AdapterWeights] = WeakValueDictionary()
        self._trunks: WeakValueDictionary[str, OpenTrunk] = WeakValueDictionary()
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._opening = asyncio.Lock()
        self._fetching = asyncio.Semaphore(_FETCHES)

    async def load(self, adapters: AdapterSet) -> Model:
        """Return a model that was seen to answer.

        Raises:
            DataLossError: An artifact is not what its digest or its reference says.
            UnavailableError: The registry is away and the local cache lacks a file.
        """
        items = sorted(adapters.items(), key=lambda item: item[:2])
        weights = await all_of([self._adapter(*item) for item in items])
        by_trunk: dict[str, dict[AdapterKind, list[AdapterWeights]]] = {}
        for (kind, _, ref), adapter in zip(items, weights, strict=True):
            by_trunk.setdefault(ref.trunk_digest, {}).setdefault(kind, []).append(adapter)
        parts = []
        for digest in sorted(by_trunk):
            trunk = await self._trunk(digest)
            parts.append(await self._run(self._assemble, trunk, by_trunk[digest]))
        return Model(parts=tuple(parts), adapters=adapters)

    async def _adapter(self, kind: AdapterKind, name: str, ref: AdapterRef) -> AdapterWeights:
        loaded = self._weights.get(ref.digest)
        if loaded is None:
            loaded = await self._load_adapter(ref)
        wanted = ASSERTION if kind is AdapterKind.ASSERTION else name
        manifest = loaded.manifest
        if (manifest.label, manifest.trunk_digest) != (
            wanted,
            ref.trunk_digest,
        ) or manifest.architecture.head is not _HEADS[kind]:
            raise _broken(
                f"adapter {ref.digest} is not the one of {kind.lower()} {wanted!r} and its trunk"
            )
        return loaded

    async def _load_adapter(self, ref: AdapterRef) -> AdapterWeights:
        # Projects that begin at once with the same adapter load it once.
        lock = self._locks.setdefault(ref.digest, asyncio.Lock())
        async with lock, self._fetching:
            loaded = self._weights.get(ref.digest)
            if loaded is None:
                loaded = await self._holding(partial(self._artifacts.adapter, ref.digest))
                self._weights[ref.digest] = loaded
            return loaded

    async def _holding(self, read: Callable[[Hold], Awaitable[T]]) -> T:
        """Return what `read` returns; the files it reads stay cached for as long as that lives.

        What serves must load again after a restart, also when the registry is away then.
        """
        hold = self._cache.hold()
        try:
            loaded = await read(hold)
        except BaseException:
            hold.release()
            raise
        finalize(loaded, hold.release)
        return loaded

    async def _trunk(self, digest: str) -> OpenTrunk:
        # An open one is taken past the lock: a switch must not wait for another trunk's download.
        trunk = self._trunks.get(digest)
        if trunk is not None:
            return trunk
        async with self._opening:
            trunk = self._trunks.get(digest)
            if trunk is None:
                trunk = await self._holding(partial(self._read_trunk, digest))
                self._trunks[digest] = trunk
            return trunk

    async def _read_trunk(self, digest: str, hold: Hold) -> OpenTrunk:
        manifest = await self._artifacts.trunk_manifest(digest, hold)
        names = (TRUNK_FILE, TOKENIZER_FILE)
        files = [self._artifacts.file(manifest.files[name].digest, hold) for name in names]
        found = await all_of(files)
        return await self._run(self._open, manifest, dict(zip(names, found, strict=True)))

    def _open(self, manifest: TrunkManifest, files: Mapping[str, bytes]) -> OpenTrunk:
        with self._beside_batches():
            runner = TrunkRunner.open(
                manifest,
                files.__getitem__,
                providers=self._options.providers,
                threads=self._options.threads,
                device=self._options.device,
            )
            return OpenTrunk(runner, self._options)

    def _assemble(
        self, trunk: OpenTrunk, adapters: Mapping[AdapterKind, Sequence[AdapterWeights]]
    ) -> Part:
        manifests = [one.manifest for some in adapters.values() for one in some]
        reader = TrunkReader(
            trunk,
            # The largest that any of them was trained with: the trunk runs once for all.
            max_length=max(one.max_length for one in manifests),
            stride=max(one.stride for one in manifests),
            batch_tokens=self._options.batch_tokens,
        )
        with self._beside_batches():
            bank = Bank.stack(trunk.runtime, adapters.get(AdapterKind.LABEL, ()))
            choices, assertion = (
                PooledBank.stack(trunk.runtime, _HEADS[kind], adapters[kind])
                if kind in adapters
                else None
                for kind in (AdapterKind.CONTROL, AdapterKind.ASSERTION)
            )
            part = Part(predictor=TextPredictor(reader, bank), choices=choices, assertion=assertion)
            _check_answers(part, *trunk.smoke(reader))
        return part

    def _beside_batches(self) -> AbstractContextManager[None]:
        """Return what work on the device is done in that does not come from batches."""
        return nothing_recorded() if self._options.device.cuda_graphs else nullcontext()

    async def _run(self, work: Callable[..., T], *arguments: object) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, work, *arguments)
        except ManifestError as error:
            raise _broken(str(error)) from error


def _check_answers(part: Part, segments: Sequence[Segment], inputs: Sequence[BankInputs]) -> None:
    """Return when the adapters of a part were seen to answer with numbers.

    Args:
        part: The part.
        segments: One, of a text that is tried.
        inputs: What the trunk says of it.

    Raises:
        ManifestError: One answers with NaN or infinity; the message names it.
    """
    want = Want(
        labels=tuple(range(len(part.labels))),
        controls=tuple(range(len(part.controls))),
        statuses=part.assertion is not None,
    )
    (answer,) = part.answer(segments, inputs, want, [[(0, 1)]])
    answers: list[tuple[str, NDArray[np.float32]]] = [
        *zip(part.labels, answer.logits, strict=True),
        *((ASSERTION, row) for row in answer.statuses.values()),
    ]
    if part.choices is not None and answer.choices is not None:
        chosen = decide_choices(part.choices, [answer.choices])
        answers += [(choice.control, choice.probabilities) for choice in chosen]
    for name, values in answers:
        if not np.isfinite(values).all():
            raise ManifestError(f"the adapter of {name!r} answers with NaN or infinity")


def _broken(message: str) -> DataLossError:
    return DataLossError(Reason.ARTIFACT_CORRUPT, f"The model cannot be loaded: {message}.")
