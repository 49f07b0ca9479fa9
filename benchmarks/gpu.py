"""What a GPU gives: trunks in fp32 and fp16, states over the host or on the device, CUDA graphs.

    python -m benchmarks.gpu --out FILE [--labels 1 6 32 100] [--batches 1 32]

Needs nobody beside it: every way to run has a process of its own, what fails costs only its own
rows, and the file is written anew after each. Without a GPU the rows of the CPU are measured.

All ways run the engine in their process, from tokenised texts to logits, on the same texts of
`--pieces` pieces with the same random adapters of the trained shape:

- `cpu-host`: the CPU, as it serves; in fp32 what all others are compared with;
- `cpu-device`: the code of the GPU bound to the CPU, to see what it costs;
- `cuda-host`: CUDA, states over the host, packed there;
- `cuda-device`: CUDA, states stay on the device, as it serves;
- `cuda-graphs`: the same with recorded runs of the trunk;
- `tensorrt`: the trunk in TensorRT, banks in CUDA.

The file, and the last line, is one JSON object: `rows` with `p50_ms`, `p99_ms` and `tokens_per_s`
by `precision`, `way`, `labels` and `batch`, the `provider` that really ran, `max_logit_difference`
and `same_tags` (share of words and labels with the same best tag) beside the way that was measured
first, `compared_with`; `left_out` says which ways have no rows, and why; `ratios` compares ways;
`versions` and `gpus` name what ran.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.serving.device_rows import WAYS, Order
from benchmarks.serving.figures import machine
from benchmarks.serving.servers import ROOT, end_on_sigterm
from benchmarks.serving.trunk import exported_trunk

_PRECISIONS = ("fp32", "fp16")

_PAIRS = {
    "host_by_device": ("cuda-host", "cuda-device"),
    "device_by_graphs": ("cuda-device", "cuda-graphs"),
    "device_by_tensorrt": ("cuda-device", "tensorrt"),
    "cpu_by_device": ("cpu-host", "cuda-device"),
    "cpu_host_by_cpu_device": ("cpu-host", "cpu-device"),
}


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """Run all ways; write the file after each."""
    found: dict[str, Any] = {
        "rows": [],
        "left_out": [],
        "ratios": {},
        "versions": {},
        "gpus": gpus(),
        "pieces": arguments.pieces,
        "threads": arguments.threads,
        **machine(),
    }
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        home = arguments.keep or scratch
        home.mkdir(parents=True, exist_ok=True)
        for precision in arguments.precisions:
            try:
                trunk = arguments.trunk or exported_trunk(home, precision)
            except SystemExit as error:
                found["left_out"].append({"precision": precision, "way": "all", "why": str(error)})
                continue
            for way in WAYS:
                if way.name in arguments.ways:
                    order = Order(
                        trunk=str(trunk.resolve()),
                        way=way.name,
                        labels=sorted(set(arguments.labels)),
                        batches=sorted(set(arguments.batches)),
                        pieces=arguments.pieces,
                        rounds=arguments.rounds,
                        seconds=arguments.seconds,
                        threads=arguments.threads,
                        reference=str(scratch),
                        scratch=str(scratch),
                    )
                    add(found, precision, way.name, run(order, arguments.limit))
                    found["ratios"] = ratios(found["rows"])
                    write(arguments.out, found)
    return found


def run(order: Order, limit: float) -> dict[str, Any]:
    """Measure one way in a process of its own; return its rows, or why there are none."""
    command = [sys.executable, "-m", "benchmarks.serving.device_rows", order.to_json()]
    try:
        done = subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, timeout=limit, check=False
        )
    except subprocess.TimeoutExpired:
        return {"rows": [], "why": f"not done after {limit:g} s"}
    if done.returncode:
        said = done.stderr.strip().splitlines() or ["it said nothing"]
        return {"rows": [], "why": f"ended with {done.returncode}: {said[-1][:300]}"}
    answer = json.loads(done.stdout.splitlines()[-1])
    return dict(answer)


def add(found: dict[str, Any], precision: str, way: str, answer: dict[str, Any]) -> None:
    """Take over what one way gave."""
    rows = [{"precision": precision, "way": way, **row} for row in answer["rows"]]
    if rows and not found["rows"]:
        found["compared_with"] = f"{precision} {way}"
    found["rows"] += rows
    if not rows:
        found["left_out"].append({"precision": precision, "way": way, "why": answer["why"]})
    versions = ("onnxruntime", "numpy", "python")
    found["versions"] |= {name: answer[name] for name in versions if name in answer}


def ratios(rows: Sequence[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """Return how many times as long the first of two ways takes, by precision, labels and batch."""
    times = {
        (row["precision"], row["way"], row["labels"], row["batch"]): row["p50_ms"] for row in rows
    }
    compared: dict[str, dict[str, float]] = {}
    for name, (one, other) in _PAIRS.items():
        for (precision, way, labels, batch), value in times.items():
            beside = times.get((precision, other, labels, batch))
            if way == one and beside:
                cell = f"{precision} {labels} labels {batch} texts"
                compared.setdefault(name, {})[cell] = round(value / beside, 2)
    return compared


def gpus() -> list[str]:
    """Return names, memory and drivers of the GPUs that the driver's tool lists."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return []
    query = [tool, "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader"]
    try:
        done = subprocess.run(query, capture_output=True, text=True, timeout=60, check=False)
    except subprocess.TimeoutExpired:
        return []
    return done.stdout.strip().splitlines() if done.returncode == 0 else []


def write(path: Path, found: dict[str, Any]) -> None:
    """Write the file as a whole, or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.draft")
    draft.write_text(json.dumps(found, indent=1) + "\n")
    draft.replace(path)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="file that gets the figures")
    parser.add_argument("--labels", type=int, nargs="+", default=[1, 6, 32, 100])
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 32], help="texts at once")
    parser.add_argument("--pieces", type=int, default=32, help="of each text")
    parser.add_argument("--rounds", type=int, default=200, help="runs of each cell")
    parser.add_argument("--seconds", type=float, default=10, help="of each cell, at most")
    parser.add_argument("--limit", type=float, default=1200, help="seconds of one way, at most")
    parser.add_argument("--threads", type=int, default=2, help="of the processor")
    parser.add_argument("--precisions", nargs="+", choices=_PRECISIONS, default=list(_PRECISIONS))
    names = [way.name for way in WAYS]
    parser.add_argument("--ways", nargs="+", choices=names, default=names)
    parser.add_argument("--trunk", type=Path, help="exported trunk; default: the embedded one")
    parser.add_argument("--keep", type=Path, help="folder that keeps the exported trunks")
    end_on_sigterm()
    given = parser.parse_args(arguments)
    found = measure(given)
    write(given.out, found)
    sys.stdout.write(json.dumps(found) + "\n")
    return 0 if found["rows"] else 1


if __name__ == "__main__":
    sys.exit(main())
