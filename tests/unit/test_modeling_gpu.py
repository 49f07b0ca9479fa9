"""The same answers on CUDA as on the CPU; skipped where there is no usable device."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from services.common.modeling.onnx.bank import Bank, BankRuntime
from services.common.modeling.onnx.providers import choose_providers, cuda_usable
from services.common.modeling.onnx.trunk import TrunkRunner
from services.common.modeling.predictor import TextPredictor
from services.common.modeling.states import WordStateReader
from tests.unit.tiny_trunk import adapter, write_trunk

TEXTS = ["Ab cd, ef!", "", "東京 a😀b " * 30, "one two three"]


def predictor(folder: Path, providers: list[str]) -> TextPredictor:
    trunk = TrunkRunner.open_folder(folder, providers=providers, threads=1)
    runtime = BankRuntime(trunk.manifest, providers=providers, threads=1)
    labels = [adapter("A", trunk.manifest), adapter("B", trunk.manifest, outside_bias=3.0)]
    return TextPredictor(
        WordStateReader(trunk, max_length=32, stride=8), Bank.stack(runtime, labels)
    )


@pytest.mark.skipif(not cuda_usable(), reason="onnxruntime finds no usable CUDA device")
def test_cuda_answers_as_the_cpu_does(tmp_path: Path) -> None:
    write_trunk(tmp_path)
    providers = choose_providers("auto")
    assert providers[0] == "CUDAExecutionProvider"
    gpu = predictor(tmp_path, providers)
    cpu = predictor(tmp_path, choose_providers("cpu"))
    prepared = cpu.prepare(TEXTS)
    for one, other in zip(gpu.logits(prepared), cpu.logits(prepared), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-3)


@pytest.mark.skipif(cuda_usable(), reason="this machine has a usable CUDA device")
def test_without_a_device_auto_is_the_cpu_and_cuda_is_refused() -> None:
    assert choose_providers("auto") == ["CPUExecutionProvider"]
    with pytest.raises(ValueError, match="no usable CUDA device"):
        choose_providers("cuda")
