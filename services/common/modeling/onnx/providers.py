"""Which onnxruntime execution providers are used."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence
from functools import cache
from typing import Literal, get_args

import onnxruntime as ort
from onnx import TensorProto, helper

ProviderSetting = Literal["auto", "cpu", "cuda", "tensorrt"]
"""``auto`` takes CUDA where it really works, else the CPU."""

CPU = "CPUExecutionProvider"
"""The provider that is always there."""

CUDA = "CUDAExecutionProvider"
TENSORRT = "TensorrtExecutionProvider"

_OPSET, _IR_VERSION = 20, 10


def choose_providers(setting: ProviderSetting = "auto") -> list[str]:
    """Return the provider list for sessions, best first; the CPU always ends it.

    Args:
        setting: What the operator wants.

    Raises:
        ValueError: For an unknown setting, or for ``cuda`` or ``tensorrt`` where there is no usable
            device.
    """
    if setting not in get_args(ProviderSetting):
        raise ValueError(
            f"unknown provider setting {setting!r}: use {', '.join(get_args(ProviderSetting))}"
        )
    if setting == "cpu":
        return [CPU]
    problem = cuda_problem()
    if problem is None:
        return [TENSORRT, CUDA, CPU] if setting == "tensorrt" else [CUDA, CPU]
    if setting != "auto":
        raise ValueError(
            f"provider setting {setting!r}, but onnxruntime finds no usable CUDA device "
            f"({problem}): install onnxruntime-gpu and the NVIDIA driver, or use 'auto' or 'cpu'"
        )
    return [CPU]


def cuda_usable() -> bool:
    """Return whether CUDA works here."""
    return cuda_problem() is None


@cache
def cuda_problem() -> str | None:
    """Return why CUDA cannot be used, or None when it can.

    The GPU build of onnxruntime lists CUDA also on machines without a GPU, so the answer depends on
    the devices that the driver reports, and then on a session that is really opened on one. Where
    there is no device, asking prints nothing.
    """
    if CUDA not in ort.get_available_providers():
        return "this build of onnxruntime has no CUDA"
    if not any(_is_nvidia(device) for device in ort.get_ep_devices()):
        return "the driver reports no NVIDIA device"
    # Finds the libraries of NVIDIA's Python packages; what it prints is of no use to anybody.
    with contextlib.redirect_stdout(io.StringIO()):
        ort.preload_dlls()
    try:
        session = ort.InferenceSession(_identity(), providers=[CUDA, CPU], enable_fallback=0)
    except Exception as error:  # noqa: BLE001 - its errors share no type, and each means the same
        return first_line(error)
    if session.get_providers()[0] != CUDA:
        return "onnxruntime cannot load its CUDA provider: are CUDA and cuDNN installed?"
    return None


def _is_nvidia(device: ort.OrtEpDevice) -> bool:
    return bool(device.ep_name == CUDA) or (
        device.device.type == ort.OrtHardwareDeviceType.GPU
        and "nvidia" in str(device.device.vendor).lower()
    )


def _identity() -> bytes:
    value = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in "xy"]
    node = helper.make_node("Identity", ["x"], ["y"])
    model = helper.make_model(
        helper.make_graph([node], "identity", value[:1], value[1:]),
        opset_imports=[helper.make_opsetid("", _OPSET)],
        ir_version=_IR_VERSION,
    )
    return bytes(model.SerializeToString())


def device_of(providers: Sequence[str]) -> str:
    """Return the name that onnxruntime gives to the device of a provider list."""
    return "cuda" if {CUDA, TENSORRT} & set(providers) else "cpu"


def bank_providers(providers: Sequence[str]) -> list[str]:
    """Return where banks run that stand behind a trunk with these providers.

    Not in TensorRT: it would build an engine for each number of labels.
    """
    return [name for name in providers if name != TENSORRT]


def graphs_problem(providers: Sequence[str]) -> str | None:
    """Return why CUDA graphs cannot be used with these providers, or None when they can."""
    if providers[0] == CUDA:
        return None
    return f"they are captured with {CUDA} alone"


def first_line(error: Exception) -> str:
    """Return what an error says, short enough for a log."""
    lines = str(error).strip().splitlines()
    return (lines[0] if lines else type(error).__name__)[:300]


def session_options(threads: int) -> ort.SessionOptions:
    """Return options that both the trunk's and the bank's sessions use.

    Args:
        threads: Threads within one run; 0 lets onnxruntime take all cores.
    """
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3  # errors only: warnings go to stderr past our logs
    # Spinning threads would take the cores from the event loop between two requests.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options
