"""Opens sessions, with each provider's options, on the best device that takes the model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import onnxruntime as ort
from onnxruntime.capi import onnxruntime_pybind11_state as ort_errors

from services.common.logs import get_logger
from services.common.modeling.manifest import TrunkManifest
from services.common.modeling.onnx.providers import (
    CUDA,
    TENSORRT,
    bank_providers,
    first_line,
    graphs_problem,
    session_options,
)

LOAD_ERRORS = (
    ort_errors.EPFail,
    ort_errors.Fail,
    ort_errors.InvalidArgument,
    ort_errors.InvalidGraph,
    ort_errors.InvalidProtobuf,
    ort_errors.NotImplemented,
    ort_errors.RuntimeException,
    RuntimeError,
    ValueError,
)
"""What opening a session may raise: the model is none, or the provider cannot run it."""

TENSORRT_WINDOWS = 64
"""Most windows in one run of a TensorRT engine; beyond its range it would be built anew."""

_CUDA_OPTIONS = {"use_tf32": "0"}  # single precision is what a trunk in fp32 is chosen for

_log = get_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class DeviceOptions:
    """How a trunk uses its device.

    Attributes:
        cuda_graphs: Whether runs of usual shapes are recorded, and launched as a whole.
        engine_cache: Folder that keeps TensorRT's engines, one folder below per trunk; None: they
            are built at each start.
        states: Where the states stay that banks read. ``auto``: on the device if it is a GPU;
            ``host`` and ``device`` are for tests and measurements.
    """

    cuda_graphs: bool = False
    engine_cache: Path | None = None
    states: Literal["auto", "host", "device"] = "auto"


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """One way to open a session.

    Attributes:
        providers: onnxruntime's execution providers, best first.
        options: Options by provider.
        cuda_graphs: Whether the session records CUDA graphs.
    """

    providers: Sequence[str]
    options: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    cuda_graphs: bool = False

    @property
    def name(self) -> str:
        """What the log calls it."""
        return self.providers[0] + (" with CUDA graphs" if self.cuda_graphs else "")


def attempts(providers: Sequence[str], options: Mapping[str, Mapping[str, str]]) -> list[Attempt]:
    """Return the ways to open a session: with all providers, then without the best, and so on."""
    given = {CUDA: _CUDA_OPTIONS, **options}
    return [
        Attempt(
            providers=providers[start:],
            options={name: given[name] for name in providers[start:] if name in given},
        )
        for start in range(len(providers))
    ]


def trunk_attempts(
    manifest: TrunkManifest, providers: Sequence[str], device: DeviceOptions
) -> list[Attempt]:
    """Return the ways to open a trunk, best first."""
    options = {}
    if providers[0] == TENSORRT:
        options[TENSORRT] = _tensorrt_options(manifest, device.engine_cache)
    found = attempts(providers, options)
    # Recorded runs leave their output on the device.
    stays = device.states != "host" and manifest.precision != "int8"
    if device.cuda_graphs and stays and graphs_problem(providers) is None:
        graphs = {**_CUDA_OPTIONS, "enable_cuda_graph": "1"}
        found.insert(0, Attempt(providers=providers, options={CUDA: graphs}, cuda_graphs=True))
    return found


def _tensorrt_options(manifest: TrunkManifest, engine_cache: Path | None) -> dict[str, str]:
    longest = manifest.max_length
    shapes = {
        "min": (1, 1),
        "opt": (8, min(64, longest)),
        "max": (TENSORRT_WINDOWS, longest),
    }
    found = {
        # Else an engine is built again, for minutes, whenever a larger batch comes.
        f"trt_profile_{name}_shapes": ",".join(
            f"{tensor}:{windows}x{length}" for tensor in ("input_ids", "attention_mask")
        )
        for name, (windows, length) in shapes.items()
    }
    found["trt_fp16_enable"] = "1" if manifest.precision == "fp16" else "0"
    if engine_cache is not None:
        folder = engine_cache / manifest.digest.replace(":", "-")
        folder.mkdir(parents=True, exist_ok=True)
        found |= {
            "trt_engine_cache_enable": "1",
            "trt_engine_cache_path": str(folder),
            "trt_timing_cache_enable": "1",
            "trt_timing_cache_path": str(folder),
        }
    return found


def open_session(
    model: bytes, ways: Sequence[Attempt], *, threads: int, name: str
) -> tuple[ort.InferenceSession, Attempt]:
    """Open a session in the first way that works; say so when that is not the first.

    Args:
        model: The model.
        ways: At least one, the best first.
        threads: Threads within one run; 0 for all cores.
        name: What the log calls the model.

    Returns:
        The session, and the way it was opened.

    Raises:
        Exception: One of ``LOAD_ERRORS``, of the last way, when none works.
    """
    why = ""
    for way in ways:
        providers = [(one, dict(way.options.get(one, {}))) for one in way.providers]
        try:
            # onnxruntime's own fallback prints, and does not tell.
            session = ort.InferenceSession(
                model, session_options(threads), providers=providers, enable_fallback=0
            )
        except LOAD_ERRORS as error:
            if way is ways[-1]:
                raise
            why = why or first_line(error)
            continue
        # A provider whose libraries are missing is left out in silence.
        if session.get_providers()[0] != way.providers[0]:
            why = why or f"onnxruntime cannot load {way.providers[0]}"
            continue
        if way is not ways[0]:
            _log.warning(
                "execution_provider_fallback",
                model=name,
                wanted=ways[0].name,
                why=why,
                used=way.name,
            )
        return session, way
    raise ValueError(f"no way to open {name}")


def open_bank_session(
    model: bytes, providers: Sequence[str], *, threads: int, name: str
) -> ort.InferenceSession:
    """Open the session of a graph that stands behind a trunk; see ``open_session``."""
    ways = attempts(bank_providers(providers), {})
    return open_session(model, ways, threads=threads, name=name)[0]
