"""The same answers on CUDA as on the CPU; skipped where there is no usable device."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from services.common.modeling.manifest import TrunkManifest
from services.common.modeling.onnx.bank import Bank, BankRuntime
from services.common.modeling.onnx.providers import TENSORRT, choose_providers, cuda_usable
from services.common.modeling.onnx.sessions import DeviceOptions
from services.common.modeling.onnx.trunk import MANIFEST_FILE, TrunkRunner
from services.common.modeling.predictor import TextPredictor
from services.common.modeling.states import WordStateReader
from tests.unit.tiny_trunk import adapter, write_trunk

TEXTS = ["Ab cd, ef!", "", "東京 a😀b " * 30, "one two three"]


def predictor(
    folder: Path,
    providers: list[str],
    device: DeviceOptions = DeviceOptions(),  # noqa: B008 - frozen
) -> TextPredictor:
    manifest = TrunkManifest.from_bytes((folder / MANIFEST_FILE).read_bytes())
    trunk = TrunkRunner.open(
        manifest,
        lambda name: (folder / name).read_bytes(),
        providers=providers,
        threads=1,
        device=device,
    )
    runtime = BankRuntime(trunk.manifest, providers=trunk.providers, threads=1)
    labels = [adapter("A", trunk.manifest), adapter("B", trunk.manifest, outside_bias=3.0)]
    return TextPredictor(
        WordStateReader(trunk, max_length=32, stride=8), Bank.stack(runtime, labels)
    )


@pytest.mark.skipif(not cuda_usable(), reason="onnxruntime finds no usable CUDA device")
@pytest.mark.parametrize(
    "device",
    [DeviceOptions(states="host"), DeviceOptions(), DeviceOptions(cuda_graphs=True)],
    ids=["host", "device", "graphs"],
)
def test_cuda_answers_as_the_cpu_does(tmp_path: Path, device: DeviceOptions) -> None:
    write_trunk(tmp_path)
    providers = choose_providers("auto")
    assert providers[0] == "CUDAExecutionProvider"
    gpu = predictor(tmp_path, providers, device)
    cpu = predictor(tmp_path, choose_providers("cpu"))
    assert gpu.reader.trunk.providers[0] == "CUDAExecutionProvider"
    assert (gpu.reader.trunk.resident is None) is (device.states == "host")
    prepared = cpu.prepare(TEXTS)
    for texts in (prepared, prepared[:1], prepared[3:], prepared[:1]):
        for one, other in zip(gpu.logits(texts), cpu.logits(texts), strict=True):
            np.testing.assert_allclose(one, other, atol=1e-3)
    if device.cuda_graphs:
        assert gpu.reader.trunk.resident is not None
        assert gpu.reader.trunk.resident.recorded


@pytest.mark.skipif(not cuda_usable(), reason="onnxruntime finds no usable CUDA device")
def test_tensorrt_answers_as_the_cpu_does(tmp_path: Path) -> None:
    write_trunk(tmp_path / "trunk")
    device = DeviceOptions(engine_cache=tmp_path / "engines")
    gpu = predictor(tmp_path / "trunk", choose_providers("tensorrt"), device)
    if gpu.reader.trunk.providers[0] != TENSORRT:
        pytest.skip("TensorRT is not installed")
    cpu = predictor(tmp_path / "trunk", choose_providers("cpu"))
    prepared = cpu.prepare(TEXTS)
    for one, other in zip(gpu.logits(prepared), cpu.logits(prepared), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-2)


@pytest.mark.skipif(cuda_usable(), reason="this machine has a usable CUDA device")
def test_without_a_device_auto_is_the_cpu_and_cuda_is_refused() -> None:
    assert choose_providers("auto") == ["CPUExecutionProvider"]
    with pytest.raises(ValueError, match="no usable CUDA device"):
        choose_providers("cuda")
