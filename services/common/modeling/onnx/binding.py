"""Runs sessions with inputs and outputs bound, so that results stay where they were computed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray


def run_bound(
    session: ort.InferenceSession,
    inputs: Mapping[str, NDArray[Any] | ort.OrtValue],
    output: str,
    device: str,
) -> ort.OrtValue:
    """Run a session and leave one output on a device; return when it is there.

    Args:
        session: The session.
        inputs: Arrays of the host, which are copied to the device, and values that are there.
        output: Name of the output.
        device: As ``device_of`` names it.
    """
    binding = bound(session, inputs)
    binding.bind_output(output, device)
    # Waits for the device: what other sessions do with the result is in other streams.
    session.run_with_iobinding(binding)
    return binding.get_outputs()[0]


def bound(
    session: ort.InferenceSession, inputs: Mapping[str, NDArray[Any] | ort.OrtValue]
) -> ort.IOBinding:
    """Return a binding of inputs; see ``run_bound``."""
    binding = session.io_binding()
    for name, value in inputs.items():
        if isinstance(value, np.ndarray):
            binding.bind_cpu_input(name, value)
        else:
            binding.bind_ortvalue_input(name, value)
    return binding
