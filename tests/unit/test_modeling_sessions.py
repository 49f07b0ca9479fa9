"""On which device a session opens, and what is said when it is not the wanted one."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import onnxruntime as ort
import pytest
from structlog.testing import capture_logs

from services.common.modeling.manifest import TRUNK_FILE, ManifestError
from services.common.modeling.onnx import providers, sessions
from services.common.modeling.onnx.providers import (
    CPU,
    CUDA,
    TENSORRT,
    bank_providers,
    choose_providers,
    cuda_problem,
    device_of,
    graphs_problem,
)
from services.common.modeling.onnx.sessions import (
    DeviceOptions,
    attempts,
    open_session,
    trunk_attempts,
)
from services.common.modeling.onnx.trunk import TrunkRunner
from tests.unit.tiny_trunk import trunk_files

ALL = [TENSORRT, CUDA, CPU]
open_real = ort.InferenceSession


@pytest.fixture(autouse=True)
def _asked_anew() -> Iterator[None]:
    cuda_problem.cache_clear()
    yield
    cuda_problem.cache_clear()


def opened_as(
    monkeypatch: pytest.MonkeyPatch, refuse: Callable[[dict[str, Any]], str | None]
) -> list[list[str]]:
    """Let sessions open on the CPU as if on any device, unless `refuse` gives a reason; record."""
    tried: list[list[str]] = []

    def open_one(model: bytes, options: object = None, **settings: Any) -> object:
        given = dict(one if isinstance(one, tuple) else (one, {}) for one in settings["providers"])
        assert settings["enable_fallback"] == 0
        tried.append(list(given))
        if reason := refuse(given):
            raise RuntimeError(reason)
        session = open_real(model, options, providers=[CPU])
        return SimpleNamespace(
            get_providers=lambda: list(given),
            get_inputs=session.get_inputs,
            get_outputs=session.get_outputs,
            run=session.run,
        )

    monkeypatch.setattr(ort, "InferenceSession", open_one)
    return tried


def with_device(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the driver report a device."""
    hardware = SimpleNamespace(type=ort.OrtHardwareDeviceType.GPU, vendor="NVIDIA")
    device = SimpleNamespace(ep_name=CPU, device=hardware)
    monkeypatch.setattr(ort, "get_ep_devices", lambda: [device])
    monkeypatch.setattr(ort, "get_available_providers", lambda: ALL)
    monkeypatch.setattr(ort, "preload_dlls", lambda: None)


def test_what_is_used_with_a_device(monkeypatch: pytest.MonkeyPatch) -> None:
    with_device(monkeypatch)
    opened_as(monkeypatch, lambda _: None)
    assert choose_providers("auto") == choose_providers("cuda") == [CUDA, CPU]
    assert choose_providers("tensorrt") == ALL
    assert choose_providers("cpu") == [CPU]


def test_a_device_that_cannot_be_used_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    with_device(monkeypatch)
    opened_as(monkeypatch, lambda _: "no kernel image\nfor this device")
    assert choose_providers("auto") == [CPU]
    assert cuda_problem() == "no kernel image"
    for setting in ("cuda", "tensorrt"):
        with pytest.raises(ValueError, match=f"'{setting}'.*no usable CUDA device .no kernel"):
            choose_providers(setting)  # type: ignore[arg-type]


def test_cuda_without_its_libraries(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    with_device(monkeypatch)
    monkeypatch.setattr(ort, "preload_dlls", lambda: sys.stdout.write("Failed to load libcudnn"))
    monkeypatch.setattr(
        ort, "InferenceSession", lambda *_, **__: SimpleNamespace(get_providers=lambda: [CPU])
    )
    assert choose_providers("auto") == [CPU]
    assert "cannot load its CUDA provider" in str(cuda_problem())
    assert capfd.readouterr().out == ""


def test_why_there_is_no_cuda(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(ort, "get_available_providers", lambda: [CPU])
    assert cuda_problem() == "this build of onnxruntime has no CUDA"
    cuda_problem.cache_clear()
    monkeypatch.setattr(ort, "get_available_providers", lambda: ALL)
    monkeypatch.setattr(ort, "get_ep_devices", list)
    assert cuda_problem() == "the driver reports no NVIDIA device"
    assert capfd.readouterr() == ("", "")


def test_places() -> None:
    assert [device_of(some) for some in (ALL, [CUDA, CPU], [CPU])] == ["cuda", "cuda", "cpu"]
    assert bank_providers(ALL) == [CUDA, CPU]
    assert graphs_problem([CUDA, CPU]) is None
    for some in (ALL, [CPU]):
        assert "CUDAExecutionProvider alone" in str(graphs_problem(some))


def test_a_trunk_opens_where_it_can(monkeypatch: pytest.MonkeyPatch) -> None:
    manifest, files = trunk_files()
    tried = opened_as(monkeypatch, lambda given: "no TensorRT\nhere" if TENSORRT in given else None)
    with capture_logs() as logs:
        session, way = open_session(
            files[TRUNK_FILE],
            trunk_attempts(manifest, ALL, DeviceOptions()),
            threads=1,
            name="tiny",
        )
    assert tried == [ALL, [CUDA, CPU]]
    assert list(way.providers) == list(session.get_providers()) == [CUDA, CPU]
    assert logs == [
        {
            "event": "execution_provider_fallback",
            "log_level": "warning",
            "model": "tiny",
            "wanted": TENSORRT,
            "why": "no TensorRT",
            "used": CUDA,
        }
    ]


def test_a_provider_that_is_left_out_in_silence_is_noticed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without its libraries onnxruntime takes the next one and raises nothing."""
    manifest, files = trunk_files()
    monkeypatch.setattr(
        ort, "InferenceSession", lambda model, options, **_: open_real(model, options, [CPU])
    )
    with capture_logs() as logs:
        runner = TrunkRunner.open(manifest, files.__getitem__, providers=[CUDA, CPU])
    assert runner.providers == [CPU]
    assert runner.resident is None
    assert [(one["wanted"], one["used"]) for one in logs] == [(CUDA, CPU)]
    assert logs[0]["why"] == f"onnxruntime cannot load {CUDA}"


def test_graphs_that_cannot_be_captured(monkeypatch: pytest.MonkeyPatch) -> None:
    manifest, files = trunk_files()

    def refuse(given: dict[str, Any]) -> str | None:
        return "nodes on the CPU" if "enable_cuda_graph" in given.get(CUDA, {}) else None

    tried = opened_as(monkeypatch, refuse)
    ways = trunk_attempts(manifest, [CUDA, CPU], DeviceOptions(cuda_graphs=True))
    with capture_logs() as logs:
        _, way = open_session(files[TRUNK_FILE], ways, threads=1, name="tiny")
    assert tried == [[CUDA, CPU], [CUDA, CPU]]
    assert not way.cuda_graphs
    assert (logs[0]["wanted"], logs[0]["used"]) == (f"{CUDA} with CUDA graphs", CUDA)
    # Neither where the states come to the host, nor where each window runs alone.
    for device, precision in (("host", "fp32"), ("auto", "int8")):
        options = DeviceOptions(cuda_graphs=True, states=device)  # type: ignore[arg-type]
        ways = trunk_attempts(replace(manifest, precision=precision), [CUDA, CPU], options)
        assert not any(way.cuda_graphs for way in ways)


def test_what_is_no_model_is_refused_wherever(monkeypatch: pytest.MonkeyPatch) -> None:
    manifest, files = trunk_files()
    tried = opened_as(monkeypatch, lambda _: "no model")
    with pytest.raises(ManifestError, match="cannot be loaded"), capture_logs() as logs:
        TrunkRunner.open(manifest, files.__getitem__, providers=ALL)
    assert tried == [ALL, [CUDA, CPU], [CPU]]
    assert logs == []
    with pytest.raises(ValueError, match="no way to open"):
        open_session(b"", [], threads=1, name="nothing")


def test_options(tmp_path: Path) -> None:
    manifest, _ = trunk_files()
    cache = tmp_path / "engines"
    first, second, third = trunk_attempts(manifest, ALL, DeviceOptions(engine_cache=cache))
    engine = first.options[TENSORRT]
    assert engine["trt_fp16_enable"] == "0"
    assert engine["trt_profile_min_shapes"] == "input_ids:1x1,attention_mask:1x1"
    assert engine["trt_profile_max_shapes"] == "input_ids:64x64,attention_mask:64x64"
    assert Path(engine["trt_engine_cache_path"]).parent == cache
    assert Path(engine["trt_engine_cache_path"]).is_dir()
    assert first.options[CUDA] == second.options[CUDA] == {"use_tf32": "0"}
    assert third.options == {}
    half = replace(manifest, precision="fp16")
    (engine, *_) = (way.options.get(TENSORRT) for way in trunk_attempts(half, ALL, DeviceOptions()))
    assert engine is not None
    assert engine["trt_fp16_enable"] == "1"
    assert "trt_engine_cache_path" not in engine
    assert [way.name for way in attempts([CUDA, CPU], {})] == [CUDA, CPU]


def test_where_states_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    manifest, files = trunk_files()
    opened_as(monkeypatch, lambda _: None)
    made: list[bool] = []

    def make(_session: object, _manifest: object, *, graphs: object) -> object:
        made.append(graphs is not None)
        return SimpleNamespace()

    monkeypatch.setattr("services.common.modeling.onnx.trunk.ResidentTrunk", make)

    def opened(names: list[str], **options: Any) -> TrunkRunner:
        return TrunkRunner.open(
            manifest, files.__getitem__, providers=names, device=DeviceOptions(**options)
        )

    assert opened([CUDA, CPU]).resident is not None
    assert opened([CUDA, CPU], cuda_graphs=True).resident is not None
    assert opened([CUDA, CPU], states="host").resident is None
    assert opened([CPU]).resident is None
    assert made == [False, True]
    assert opened(ALL).max_windows == sessions.TENSORRT_WINDOWS
    assert opened([CUDA, CPU]).max_windows is None
    assert providers.device_of(opened(ALL).providers) == "cuda"
