"""Inference servers, and the precision of trunks that fits them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from spanloop._types.choice import Choice


class Device(Choice):
    """What an inference server computes on."""

    UNSPECIFIED = "unspecified"
    CPU = "cpu"
    CUDA = "cuda"


@dataclass(frozen=True, kw_only=True)
class InferenceServer:
    """An inference server that is there; counted as gone after `expire_time`."""

    name: str
    device: Device
    report_time: datetime | None
    expire_time: datetime | None


@dataclass(frozen=True, kw_only=True)
class PrecisionChoice:
    """The precision that the registry chooses now for trainings that name none, and why."""

    precision: str
    reason: str
    cpu_servers: int
    cuda_servers: int
