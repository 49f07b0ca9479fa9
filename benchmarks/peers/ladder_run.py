"""Trains labels with the ladder engine, in a process of its own as the peers are.

    python -m benchmarks.peers.ladder_run --data FOLDER --trunk FOLDER --cache FOLDER --out FOLDER \
        --labels a b c [--seed 0] [--epochs 0]

Everything that a training job does is inside the clock: opening the trunk, activations, training,
evaluation of dev and test on the serving path, and the comparison with onnxruntime.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from benchmarks.peers.exchange import read_texts
from services.common.modeling.manifest import ADAPTER_FILE
from services.common.modeling.onnx.trunk import MANIFEST_FILE
from services.trainer.engines.built_in import LADDER
from services.trainer.engines.interface import AdapterArtifact, TrainEvent, TrainRequest
from services.trainer.engines.training_plan import planned_patience

ADAPTERS = "adapters"
"""Folder of a run's adapters, one folder each, below the run's."""


def save_adapter(folder: Path, adapter: AdapterArtifact) -> None:
    """Write an adapter's files to a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MANIFEST_FILE).write_bytes(adapter.manifest)
    (folder / ADAPTER_FILE).write_bytes(adapter.weights)


def read_adapters(out: Path) -> list[AdapterArtifact]:
    """Read the adapters that a run left in its folder, by label."""
    return [
        AdapterArtifact(
            manifest=(folder / MANIFEST_FILE).read_bytes(),
            weights=(folder / ADAPTER_FILE).read_bytes(),
        )
        for folder in sorted((out / ADAPTERS).iterdir())
    ]


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("--data", "--trunk", "--cache", "--out"):
        parser.add_argument(name, type=Path, required=True)
    parser.add_argument("--labels", nargs="+", required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, default=0, help="at most; 0: as the engine plans")
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    train_texts, dev, test = (
        read_texts(arguments.data / f"{name}.jsonl") for name in ("train", "dev", "test")
    )
    defaults = LADDER.default_params("ner")
    params = replace(defaults, seed=arguments.seed, epochs=arguments.epochs)
    done = planned = 0

    def on_event(event: TrainEvent) -> None:
        nonlocal done, planned
        done = max(done, event.epoch)
        planned = int(event.metrics.get("epochs", planned))
        if event.message:
            sys.stdout.write(f"{event.progress:5.0%} {event.message}\n")
            sys.stdout.flush()

    from services.trainer.engines.ladder_engine import train

    arguments.out.mkdir(parents=True, exist_ok=True)
    # A folder of its own: a checkpoint of an earlier run would be resumed from.
    with tempfile.TemporaryDirectory(dir=arguments.out) as work:
        started, cpu = time.perf_counter(), time.process_time()
        result = train(
            TrainRequest(
                train=train_texts,
                dev=dev,
                test=test,
                labels=arguments.labels,
                trunk_folder=arguments.trunk,
                work_dir=Path(work),
                cache_dir=arguments.cache,
                params=params,
                threads=arguments.threads,
            ),
            on_event,
            lambda: False,
        )
        seconds, cpu_seconds = time.perf_counter() - started, time.process_time() - cpu
    if not result.parity.passed:
        raise SystemExit(f"parity failed: {result.parity.reason}")
    figures = {
        "seconds": seconds,
        "cpu_seconds": cpu_seconds,
        "epochs": done,
        "longest": planned,
        "patience": planned_patience(params, planned),
        "timings": dict(result.timings),
        "best_epochs": dict(result.best_epochs),
        "labels": result.evaluations["test"].to_document()["labels"],
    }
    for label, adapter in result.adapters.items():
        save_adapter(arguments.out / ADAPTERS / label, adapter)
    # Last, so that it marks a whole run.
    (arguments.out / "figures.json").write_text(json.dumps(figures), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
