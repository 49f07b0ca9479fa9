"""Which inference servers there are, and which precision of a trunk fits them. Pure values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Device(StrEnum):
    """What an inference server computes on; the value is stored."""

    CPU = "cpu"
    CUDA = "cuda"


@dataclass(frozen=True, kw_only=True)
class InferenceServer:
    """A server that said that it is there; times in microseconds UTC.

    Attributes:
        id: The last part of `name`.
        device: What it computes on.
        report_time: When it said so last.
        expire_time: Counted as gone from then on.
    """

    id: str
    device: Device
    report_time: int
    expire_time: int

    @property
    def name(self) -> str:
        """The resource name."""
        return f"servers/{self.id}"


@dataclass(frozen=True, kw_only=True)
class PrecisionChoice:
    """What was chosen for the servers that are there.

    Attributes:
        precision: ``fp32``, ``fp16`` or ``int8``.
        reason: Why, for people.
        servers: How many compute on what.
    """

    precision: str
    reason: str
    servers: Mapping[Device, int]


@dataclass(frozen=True, kw_only=True)
class PrecisionPolicy:
    """What is chosen when all servers compute on the same: the operator's settings."""

    cpu: str = "fp32"
    cuda: str = "fp16"

    def choose(self, servers: Mapping[Device, int]) -> PrecisionChoice:
        """Return the precision that fits all of these servers; fp32 fits any."""
        on_cpu, on_cuda = servers.get(Device.CPU, 0), servers.get(Device.CUDA, 0)
        if on_cpu and on_cuda:
            precision = "fp32"
            reason = (
                f"{_counted(on_cpu)} on a CPU and {_counted(on_cuda)} on CUDA: fp32 serves on both."
            )
        elif on_cuda:
            precision = self.cuda
            reason = f"{_counted(on_cuda)} on CUDA: the registry's cuda_precision is {precision}."
        elif on_cpu:
            precision = self.cpu
            reason = f"{_counted(on_cpu)} on a CPU: the registry's cpu_precision is {precision}."
        else:
            precision, reason = "fp32", "No inference server has reported: fp32 serves on any."
        return PrecisionChoice(
            precision=precision,
            reason=reason,
            servers={Device.CPU: on_cpu, Device.CUDA: on_cuda},
        )


def _counted(count: int) -> str:
    return "1 inference server computes" if count == 1 else f"{count} inference servers compute"
