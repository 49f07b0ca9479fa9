"""Which precision is chosen for which servers."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from services.registry.precision import Device, PrecisionPolicy

CPU, CUDA = Device.CPU, Device.CUDA


@pytest.mark.parametrize(
    ("servers", "precision", "reason"),
    [
        ({}, "fp32", "No inference server has reported: fp32 serves on any."),
        (
            {CPU: 1},
            "int8",
            "1 inference server computes on a CPU: the registry's cpu_precision is int8.",
        ),
        (
            {CUDA: 2},
            "fp16",
            "2 inference servers compute on CUDA: the registry's cuda_precision is fp16.",
        ),
        (
            {CPU: 1, CUDA: 2},
            "fp32",
            (
                "1 inference server computes on a CPU and 2 inference servers compute on CUDA: "
                "fp32 serves on both."
            ),
        ),
    ],
)
def test_the_servers_decide(servers: Mapping[Device, int], precision: str, reason: str) -> None:
    choice = PrecisionPolicy(cpu="int8", cuda="fp16").choose(servers)
    assert (choice.precision, choice.reason) == (precision, reason)
    assert choice.servers == {device: servers.get(device, 0) for device in Device}


def test_unless_told_otherwise_a_cpu_serves_fp32() -> None:
    assert PrecisionPolicy().choose({CPU: 3}).precision == "fp32"
