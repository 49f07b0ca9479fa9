"""Loading models: what is shared, what is held, and who waits for whom."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest

from services.common.blobs import LocalCache, digest_of, key_of
from services.common.modeling.adapter import AdapterWeights
from services.common.modeling.manifest import ADAPTER_FILE
from services.common.modeling.onnx.buckets import nothing_recorded
from services.common.modeling.onnx.sessions import DeviceOptions
from services.common.modeling.onnx.trunk import TrunkRunner
from services.inference.domain import AdapterSet
from services.inference.engine import loader as loader_module
from services.inference.engine.loader import EngineOptions, ModelLoader
from services.inference.engine.model import Model
from tests.support.inference import CPU, TEXT, FakeRegistry, TinyAdapter, golden, tiny_adapter


class SlowTrunk(FakeRegistry):
    """A registry from which the manifest of one trunk does not come."""

    def __init__(self, digest: str) -> None:
        super().__init__()
        self.digest = digest
        self.asked = asyncio.Event()

    async def trunk_manifest(self, digest: str) -> bytes:
        if digest == self.digest:
            self.asked.set()
            await asyncio.Event().wait()
        return await super().trunk_manifest(digest)


async def test_a_switch_on_an_open_trunk_does_not_wait_for_another_trunk(tmp_path: Path) -> None:
    first, second = tiny_adapter("PARTY"), tiny_adapter("PARTY", seed=2)
    other = tiny_adapter("DATE", trunk_seed=1)
    registry = SlowTrunk(other.manifest.trunk_digest)
    registry.add(first, second)
    registry.add(other, trunk_seed=1)
    options = EngineOptions(providers=CPU, threads=1, batch_tokens=256)
    with ThreadPoolExecutor(2) as pool:
        loader = ModelLoader(registry, LocalCache(tmp_path), pool, options)  # type: ignore[arg-type]
        serving = await loader.load(AdapterSet(labels={"PARTY": first.ref()}))
        stuck = asyncio.create_task(loader.load(AdapterSet(labels={"DATE": other.ref()})))
        await registry.asked.wait()
        async with asyncio.timeout(10):
            switched = await loader.load(AdapterSet(labels={"PARTY": second.ref()}))
        stuck.cancel()
        await asyncio.gather(stuck, return_exceptions=True)
    assert switched.parts[0].labels == serving.parts[0].labels


@asynccontextmanager
async def loading(
    registry: FakeRegistry,
    folder: Path,
    device: DeviceOptions = DeviceOptions(),  # noqa: B008 - frozen
    **fields: int,
) -> AsyncIterator[ModelLoader]:
    options = EngineOptions(providers=CPU, threads=1, batch_tokens=256, device=device)
    with ThreadPoolExecutor(2) as pool:
        yield ModelLoader(registry, LocalCache(folder, **fields), pool, options)  # type: ignore[arg-type]


def labels(*adapters: TinyAdapter) -> AdapterSet:
    return AdapterSet(labels={one.manifest.label: one.ref() for one in adapters})


def weights(model: Model) -> dict[str, AdapterWeights]:
    return {one.label: one for part in model.parts for one in part.adapters}


def file_of(folder: Path, adapter: TinyAdapter) -> Path:
    return folder / key_of(adapter.manifest.files[ADAPTER_FILE].digest)


async def test_a_swap_adds_the_new_adapters_only_and_frees_the_old(tmp_path: Path) -> None:
    kept = [tiny_adapter(label) for label in ("A", "B", "C", "D", "E")]
    old, new = tiny_adapter("PARTY", width=64), tiny_adapter("PARTY", seed=2, width=64)
    registry = FakeRegistry()
    registry.add(*kept, old, new)
    async with loading(registry, tmp_path) as loader:
        serving = await loader.load(labels(*kept, old))
        beside = await loader.load(labels(*kept, new))
        before, during = weights(serving), weights(beside)
        # Bytes of all weights that are there while both are: those of the old and of one adapter.
        resident = {id(one): one for one in (*before.values(), *during.values())}
        bytes_of = {
            key: sum(t.nbytes for t in one.tensors.values()) for key, one in resident.items()
        }
        grown = sum(bytes_of.values()) - serving.resident_bytes
        assert grown == bytes_of[id(during["PARTY"])]
        for label in "ABCDE":
            assert before[label] is during[label]
        assert serving.parts[0].reading.trunk is beside.parts[0].reading.trunk
        gone, stays = weakref.ref(before["PARTY"]), weakref.ref(before["A"])
        del serving, before, resident
        gc.collect()
        assert gone() is None
        assert stays() is during["A"]
    assert len(registry.downloads) == len(set(registry.downloads))


async def test_states_stay_on_the_device_from_loading_on(tmp_path: Path) -> None:
    first, second = tiny_adapter("PARTY"), tiny_adapter("PARTY", seed=2)
    registry = FakeRegistry()
    registry.add(first, second)
    async with loading(registry, tmp_path, DeviceOptions(states="device")) as loader:
        serving = await loader.load(labels(first))
        # What new adapters are tried on was read before other texts were.
        serving.parts[0].predictor.predict(["On 1 March", "2024, Ada"])
        beside = await loader.load(labels(second))
    trunk = beside.parts[0].reading.trunk
    assert trunk.resident is not None
    assert trunk is serving.parts[0].reading.trunk
    assert beside.parts[0].predictor.predict([TEXT]) == [golden([second])]


@pytest.mark.parametrize(("graphs", "turns"), [(True, 2), (False, 0)])
async def test_loading_and_recording_exclude_each_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, graphs: bool, turns: int
) -> None:
    taken = []

    @contextmanager
    def turn() -> Iterator[None]:
        with nothing_recorded():
            taken.append(1)
            yield

    monkeypatch.setattr(loader_module, "nothing_recorded", turn)
    adapter = tiny_adapter("PARTY")
    registry = FakeRegistry()
    registry.add(adapter)
    async with loading(registry, tmp_path, DeviceOptions(cuda_graphs=graphs)) as loader:
        await loader.load(labels(adapter))
    # To open the trunk, and to place and try adapters; who records nothing waits for nobody.
    assert len(taken) == turns


async def test_a_swap_runs_the_trunk_for_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = tiny_adapter("PARTY"), tiny_adapter("PARTY", seed=2)
    registry = FakeRegistry()
    registry.add(first, second)
    runs: list[object] = []
    real = TrunkRunner.run
    monkeypatch.setattr(
        TrunkRunner, "run", lambda self, *inputs: (runs.append(inputs), real(self, *inputs))[1]
    )
    async with loading(registry, tmp_path) as loader:
        serving = await loader.load(labels(first))
        before = len(runs)
        assert before
        switched = await loader.load(labels(second))
    assert len(runs) == before
    assert switched.parts[0].reading == serving.parts[0].reading


async def test_projects_that_begin_at_once_load_what_they_share_once(tmp_path: Path) -> None:
    shared, own = tiny_adapter("PARTY"), tiny_adapter("DATE")
    registry = FakeRegistry()
    registry.add(shared, own)
    async with loading(registry, tmp_path) as loader:
        models = await asyncio.gather(
            loader.load(labels(shared)), loader.load(labels(shared, own)), loader.load(labels(own))
        )
    assert weights(models[0])["PARTY"] is weights(models[1])["PARTY"]
    assert weights(models[1])["DATE"] is weights(models[2])["DATE"]
    assert len(registry.downloads) == len(set(registry.downloads))


async def test_a_full_cache_keeps_what_a_held_model_reads(tmp_path: Path) -> None:
    serving, *others = (tiny_adapter("PARTY", seed=seed) for seed in range(1, 6))
    registry = FakeRegistry()
    registry.add(serving, *others)
    async with loading(registry, tmp_path, limit_bytes=1) as loader:
        held = await loader.load(labels(serving))
        for other in others:
            await loader.load(labels(other))
            gc.collect()
        assert file_of(tmp_path, serving).is_file()
        assert [file_of(tmp_path, other).is_file() for other in others[:-1]] == [False] * 3
        # A restart without the registry finds everything; what is let go, the next load removes.
        registry.downloads.clear()
        async with loading(registry, tmp_path, limit_bytes=1) as restarted:
            await restarted.load(labels(serving))
        assert registry.downloads == []
        del held
        gc.collect()
        await loader.load(labels(others[0]))
        assert not file_of(tmp_path, serving).is_file()


async def test_what_could_not_be_loaded_is_not_held(tmp_path: Path) -> None:
    broken, other = tiny_adapter("PARTY"), tiny_adapter("DATE")
    registry = FakeRegistry()
    registry.add(broken, other)
    good = registry.blobs.pop(broken.manifest.files[ADAPTER_FILE].digest)
    async with loading(registry, tmp_path, limit_bytes=1) as loader:
        with pytest.raises(KeyError):
            await loader.load(labels(broken))
        await loader.load(labels(other))
        assert not (tmp_path / key_of(broken.manifest.digest)).is_file()
        registry.blobs[digest_of(good)] = good
        await loader.load(labels(broken))
