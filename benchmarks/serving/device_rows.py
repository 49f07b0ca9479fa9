"""Measures one way to run a trunk and its banks; ``benchmarks.gpu`` starts it once for each way.

A process of its own: a driver that fails takes only its own rows along, and memory is given back.
"""

from __future__ import annotations

import json
import platform
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray
from structlog.testing import capture_logs

from benchmarks.serving.figures import p50, p99
from benchmarks.serving.models import TrunkFolder, label_names, random_adapter
from benchmarks.serving.session import engine_run, load_models
from benchmarks.serving.texts import pieces_of, text_of
from services.common.modeling.manifest import TOKENIZER_FILE
from services.common.modeling.onnx.providers import (
    CPU,
    CUDA,
    TENSORRT,
    ProviderSetting,
    choose_providers,
)
from services.common.modeling.onnx.sessions import DeviceOptions
from services.common.modeling.tokenisation import TextTokenizer
from services.inference.engine.model import Model
from services.inference.engine.part import SegmentAnswer


@dataclass(frozen=True, kw_only=True)
class Way:
    """One way to run: on what, and where states stay."""

    name: str
    setting: ProviderSetting
    provider: str
    device: DeviceOptions


WAYS = (
    Way(name="cpu-host", setting="cpu", provider=CPU, device=DeviceOptions(states="host")),
    Way(name="cpu-device", setting="cpu", provider=CPU, device=DeviceOptions(states="device")),
    Way(name="cuda-host", setting="cuda", provider=CUDA, device=DeviceOptions(states="host")),
    Way(name="cuda-device", setting="cuda", provider=CUDA, device=DeviceOptions()),
    Way(
        name="cuda-graphs",
        setting="cuda",
        provider=CUDA,
        device=DeviceOptions(cuda_graphs=True),
    ),
    Way(name="tensorrt", setting="tensorrt", provider=TENSORRT, device=DeviceOptions()),
)
"""All ways; the first gives what the others are compared with."""

_WARM_UP = 3
_LEAST_RUNS = 5


@dataclass(frozen=True, kw_only=True)
class Order:
    """What is to be measured.

    Attributes:
        trunk: Folder of the trunk.
        way: Name of the way.
        labels: Numbers of labels.
        batches: Numbers of texts at once.
        pieces: Pieces of each text.
        rounds: Runs of each cell.
        seconds: No more runs of a cell after so long.
        threads: Of the processor, within one run.
        reference: Holds the logits that are compared with, or gets them.
        scratch: Folder for copies of artifacts and for engines.
    """

    trunk: str
    way: str
    labels: Sequence[int]
    batches: Sequence[int]
    pieces: int
    rounds: int
    seconds: float
    threads: int
    reference: str
    scratch: str

    def to_json(self) -> str:
        """Return it for another process."""
        return json.dumps(asdict(self))


def measure(order: Order) -> dict[str, Any]:
    """Run one way; return its rows, or why there are none."""
    way = next(one for one in WAYS if one.name == order.way)
    trunk = TrunkFolder.open(Path(order.trunk))
    try:
        providers = choose_providers(way.setting)
    except ValueError as error:
        return {"rows": [], "why": str(error)}
    texts = _texts(trunk, order)
    adapters = [
        random_adapter(trunk.manifest, name, seed=1) for name in label_names(max(order.labels))
    ]
    scratch = Path(order.scratch)
    device = DeviceOptions(
        cuda_graphs=way.device.cuda_graphs,
        engine_cache=scratch / "engines",
        states=way.device.states,
    )
    with capture_logs() as logs:
        started = time.perf_counter()
        models = load_models(
            trunk,
            {str(count): adapters[:count] for count in order.labels},
            cache=scratch / "cache",
            threads=order.threads,
            batch_tokens=2 * max(order.batches) * (order.pieces + 2),
            providers=providers,
            device=device,
        )
        loaded = time.perf_counter() - started
        used = _runner(next(iter(models.values()))).providers[0]
        rows = []
        if used == way.provider:
            rows = [
                _row(models[str(count)], texts[:batch], order)
                for count in order.labels
                for batch in order.batches
            ]
    why = next((one["why"] for one in logs if one["event"] == "execution_provider_fallback"), None)
    if device.cuda_graphs and rows:
        resident = _runner(models[str(order.labels[0])]).resident
        if resident is None or not resident.recorded:
            rows, why = [], why or "no run was recorded"
    return {
        "rows": [{"labels": row.pop("labels"), "provider": used, **row} for row in rows],
        "why": why if not rows else None,
        "load_s": round(loaded, 2),
        "onnxruntime": ort.__version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
    }


def _texts(trunk: TrunkFolder, order: Order) -> list[str]:
    tokenizer = TextTokenizer.from_bytes((trunk.folder / TOKENIZER_FILE).read_bytes())
    count = pieces_of(tokenizer)
    return [text_of(count, order.pieces, seed) for seed in range(max(order.batches))]


def _runner(model: Model) -> Any:
    return model.parts[0].predictor.reader.trunk


def _row(model: Model, texts: Sequence[str], order: Order) -> dict[str, Any]:
    labels = len(model.parts[0].labels)
    run = engine_run(model, texts)
    logits = np.concatenate([answer.logits for answer in run()], axis=1)
    times = _times(run, order)
    return {
        "labels": labels,
        "batch": len(texts),
        "p50_ms": round(p50(times), 3),
        "p99_ms": round(p99(times), 3),
        "tokens_per_s": round(1000 * len(texts) * order.pieces / p50(times)),
        "runs": len(times),
        **_agreement(logits, Path(order.reference) / f"{labels}x{len(texts)}.npy"),
    }


def _times(run: Callable[[], list[SegmentAnswer]], order: Order) -> list[float]:
    for _ in range(_WARM_UP):
        run()
    times: list[float] = []
    deadline = time.perf_counter() + order.seconds
    while len(times) < order.rounds:
        started = time.perf_counter()
        run()
        ended = time.perf_counter()
        times.append(1000 * (ended - started))
        if ended > deadline and len(times) >= _LEAST_RUNS:
            break
    return times


def _agreement(logits: NDArray[np.float32], reference: Path) -> dict[str, float]:
    """Compare with the reference; what comes first becomes it."""
    if not reference.exists():
        np.save(reference, logits)
    wanted = np.load(reference)
    same = logits.argmax(axis=-1) == wanted.argmax(axis=-1)
    return {
        "max_logit_difference": float(f"{np.abs(logits - wanted).max():.3g}"),
        "same_tags": round(float(same.mean()), 5),
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(measure(Order(**json.loads(sys.argv[1])))) + "\n")
