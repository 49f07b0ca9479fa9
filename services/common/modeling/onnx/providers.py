"""Which onnxruntime execution providers are used."""

from __future__ import annotations

from typing import Literal

import onnxruntime as ort

ProviderSetting = Literal["auto", "cpu", "cuda"]
"""``auto`` takes CUDA where it really works, else the CPU."""

CPU = "CPUExecutionProvider"
"""The provider that is always there."""

_CUDA = "CUDAExecutionProvider"


def choose_providers(setting: ProviderSetting = "auto") -> list[str]:
    """Return the provider list for sessions, best first; the CPU always ends it.

    The GPU build of onnxruntime lists CUDA also on machines without a GPU, so the answer depends
    on the devices that the driver reports; asking prints nothing.

    Args:
        setting: What the operator wants.

    Raises:
        ValueError: For an unknown setting, or for ``cuda`` where there is no usable device.
    """
    if setting not in ("auto", "cpu", "cuda"):
        raise ValueError(f"unknown provider setting {setting!r}: use auto, cpu or cuda")
    if setting == "cpu":
        return [CPU]
    if cuda_usable():
        return [_CUDA, CPU]
    if setting == "cuda":
        raise ValueError(
            "provider setting 'cuda', but onnxruntime finds no usable CUDA device: install "
            "onnxruntime-gpu and the NVIDIA driver, or use 'auto' or 'cpu'"
        )
    return [CPU]


def cuda_usable() -> bool:
    """Return whether this build has CUDA and the driver reports a device."""
    if _CUDA not in ort.get_available_providers():
        return False
    return any(
        device.ep_name == _CUDA
        or (
            device.device.type == ort.OrtHardwareDeviceType.GPU
            and "nvidia" in str(device.device.vendor).lower()
        )
        for device in ort.get_ep_devices()
    )


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
