from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from benchmarks import gpu
from benchmarks.gpu import add, main, ratios, run
from benchmarks.serving.device_rows import Order
from services.common.modeling.onnx.providers import cuda_usable
from tests.support.benchmarks import write_tiny_trunk


def row(way: str, p50_ms: float, batch: int = 1) -> dict[str, object]:
    return {"precision": "fp16", "way": way, "labels": 6, "batch": batch, "p50_ms": p50_ms}


def test_ratios_compare_cells_that_both_ways_have() -> None:
    rows = [row("cuda-host", 3.0), row("cuda-device", 2.0), row("cuda-host", 9.0, batch=32)]
    assert ratios(rows) == {"host_by_device": {"fp16 6 labels 1 texts": 1.5}}


def order(tmp_path: Path) -> Order:
    return Order(
        trunk=str(tmp_path / "none"),
        way="cpu-host",
        labels=[1],
        batches=[1],
        pieces=8,
        rounds=1,
        seconds=1,
        threads=1,
        reference=str(tmp_path),
        scratch=str(tmp_path),
    )


def test_a_way_that_fails_costs_its_own_rows_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed = run(order(tmp_path), limit=120)
    assert failed["rows"] == []
    assert "holds no exported trunk" in failed["why"]
    late = run(order(tmp_path), limit=0.01)
    assert late["why"] == "not done after 0.01 s"
    monkeypatch.setattr(
        gpu.subprocess, "run", lambda *_, **__: SimpleNamespace(returncode=-11, stderr="")
    )
    killed = run(order(tmp_path), limit=1)
    assert killed["why"] == "ended with -11: it said nothing"
    found: dict[str, list[object]] = {"rows": [1], "left_out": [], "versions": {}}  # type: ignore[dict-item]
    add(found, "fp32", "tensorrt", killed)
    assert found["rows"] == [1]
    assert found["left_out"] == [
        {"precision": "fp32", "way": "tensorrt", "why": "ended with -11: it said nothing"}
    ]


@pytest.mark.timeout(300)
@pytest.mark.skipif(cuda_usable(), reason="this machine has a usable CUDA device")
def test_a_small_run_without_a_gpu(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trunk, out = write_tiny_trunk(tmp_path), tmp_path / "figures" / "gpu.json"
    small = ["--labels", "1", "3", "--batches", "1", "2", "--pieces", "12", "--rounds", "5"]
    ways = ["--ways", "cpu-host", "cpu-device", "cuda-graphs"]
    given = [*small, *ways, "--precisions", "fp32", "--threads", "1", "--trunk", str(trunk)]
    assert main(["--out", str(out), *given]) == 0
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert found == json.loads(out.read_text())
    rows = {(one["way"], one["labels"], one["batch"]): one for one in found["rows"]}
    assert len(rows) == 8
    for one in rows.values():
        assert one["provider"] == "CPUExecutionProvider"
        assert one["p50_ms"] > 0
        assert one["tokens_per_s"] > 0
        assert one["same_tags"] == 1
        assert one["max_logit_difference"] < 1e-4
    assert found["compared_with"] == "fp32 cpu-host"
    (left_out,) = found["left_out"]
    assert left_out["way"] == "cuda-graphs"
    assert "no usable CUDA device" in left_out["why"]
    assert len(found["ratios"]["cpu_host_by_cpu_device"]) == 4
    assert {"onnxruntime", "numpy", "python"} <= found["versions"].keys()
