"""The engine in this process, and the bare onnxruntime calls that it makes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial, wraps
from pathlib import Path
from typing import Any, TypeAlias, cast

import onnxruntime as ort

from benchmarks.serving.batches import answers_of, batch_of, segments_of
from benchmarks.serving.models import TrunkFolder
from services.common.blobs import LocalCache
from services.common.modeling.manifest import ADAPTER_FILE, AdapterManifest
from services.common.modeling.onnx.providers import choose_providers
from services.common.modeling.onnx.sessions import DeviceOptions
from services.inference.config import InferenceSettings
from services.inference.domain import AdapterRef, AdapterSet
from services.inference.engine.loader import EngineOptions, ModelLoader
from services.inference.engine.model import Model
from services.inference.engine.part import SegmentAnswer
from services.inference.ports import Registry
from services.trainer.engines.interface import AdapterArtifact

_RUNS = ("run", "run_with_ort_values", "run_with_iobinding", "run_with_ortvaluevector")

Calls: TypeAlias = list[Callable[[], object]]


class _Artifacts:
    """What a loader fetches, from memory and from the trunk's folder."""

    def __init__(self, trunk: TrunkFolder, adapters: Sequence[AdapterArtifact]) -> None:
        self._manifests = {trunk.manifest.digest: trunk.manifest.to_bytes()}
        self._files: dict[str, bytes | Path] = {
            file.digest: trunk.folder / name for name, file in trunk.manifest.files.items()
        }
        for adapter in adapters:
            manifest = AdapterManifest.from_bytes(adapter.manifest)
            self._manifests[manifest.digest] = adapter.manifest
            self._files[manifest.files[ADAPTER_FILE].digest] = adapter.weights

    async def adapter_manifest(self, digest: str) -> bytes:
        return self._manifests[digest]

    async def trunk_manifest(self, digest: str) -> bytes:
        return self._manifests[digest]

    async def download(self, digest: str) -> bytes:
        found = self._files[digest]
        return found.read_bytes() if isinstance(found, Path) else found


def load_models(
    trunk: TrunkFolder,
    projects: Mapping[str, Sequence[AdapterArtifact]],
    *,
    cache: Path,
    threads: int,
    batch_tokens: int = 0,
    providers: Sequence[str] | None = None,
    device: DeviceOptions = DeviceOptions(),  # noqa: B008 - frozen
) -> dict[str, Model]:
    """Load each project's adapters as the inference service does; they share the trunk.

    Args:
        trunk: The trunk.
        projects: Adapters by project.
        cache: Folder of verified copies.
        threads: Of a session's run.
        batch_tokens: Most pieces in one run; 0: as the service has it on a CPU.
        providers: Of onnxruntime, best first; None: what `auto` chooses.
        device: How trunks use their device.
    """
    adapters = [adapter for some in projects.values() for adapter in some]
    options = EngineOptions(
        providers=providers or choose_providers("auto"),
        threads=threads,
        batch_tokens=batch_tokens
        or InferenceSettings.model_construct().batch_sizes(on_gpu=False)[0],
        device=device,
    )

    async def load() -> dict[str, Model]:
        with ThreadPoolExecutor(1) as pool:
            registry = cast("Registry", _Artifacts(trunk, adapters))
            loader = ModelLoader(registry, LocalCache(cache), pool, options)
            return {name: await loader.load(_set_of(some)) for name, some in projects.items()}

    return asyncio.run(load())


def _set_of(adapters: Sequence[AdapterArtifact]) -> AdapterSet:
    labels = {}
    for adapter in adapters:
        manifest = AdapterManifest.from_bytes(adapter.manifest)
        labels[manifest.label] = AdapterRef(
            digest=manifest.digest, trunk_digest=manifest.trunk_digest, model_version="benchmark"
        )
    return AdapterSet(labels=labels)


def engine_run(model: Model, texts: Sequence[str]) -> Callable[[], list[SegmentAnswer]]:
    """Return what runs the engine over texts that are tokenised already, as one batch."""
    (ask,) = model.select(model.parts[0].labels)
    prepared = ask.part.predictor.prepare(texts)
    segments = [segment for text in prepared for segment in segments_of(text, ask)]
    return partial(answers_of, batch_of(segments, ask))


@contextmanager
def recorded() -> Iterator[Calls]:
    """Collect the calls of onnxruntime sessions that are made meanwhile, to be made again.

    They are the engine's own, with its own inputs, whatever it does around them.
    """
    calls: Calls = []
    originals = {name: getattr(ort.InferenceSession, name) for name in _RUNS}
    for name, original in originals.items():
        setattr(ort.InferenceSession, name, _recording(original, calls))
    try:
        yield calls
    finally:
        for name in originals:
            delattr(ort.InferenceSession, name)


def _recording(original: Callable[..., object], calls: Calls) -> Callable[..., object]:
    @wraps(original)
    def run(*arguments: Any, **options: Any) -> object:
        calls.append(partial(original, *arguments, **options))
        return original(*arguments, **options)

    return run


def bare_calls(run: Callable[[], object]) -> Calls:
    """Return the onnxruntime calls of one run of the engine.

    Raises:
        SystemExit: It made none: the engine runs its sessions otherwise than is known here.
    """
    with recorded() as calls:
        run()
    if not calls:
        raise SystemExit("the engine calls onnxruntime otherwise than benchmarks.serving knows")
    return calls


def replay(calls: Calls) -> None:
    """Make calls again, in their order."""
    for call in calls:
        call()
