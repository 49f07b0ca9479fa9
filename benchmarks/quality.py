"""Exact-span quality of the engines over four public sets and several seeds.

    python -m benchmarks.quality [--sets wnut17 ...] [--engines ladder lora full] [--seeds 0 1 2]
                                 [--limit N] [--data FOLDER] [--params JSON] [--options JSON]
                                 [--keep FOLDER]

FOLDER holds one folder per set, as `benchmarks.quality_data` reads them. Each engine runs as a
training job runs it, on the embedded trunk: all labels of the set in one call, evaluation on the
serving path. One JSON object per set and engine, each on a line of its own on standard output:
`test_f1` and `dev_f1` (micro F1 of exact spans: `mean`, `std`, `min`, `max`, `by_seed`),
`test_precision`, `test_recall`, `labels` (mean test F1 by label), `train_seconds` by seed (training
alone), `activation_seconds` by seed (running the frozen trunk; only the first seed has to),
`train_texts`, `dev_texts`, `test_texts`, `params` and `options` that differ from the defaults.
`dev_f1` is what epochs and biases were chosen by, so it flatters; nothing was chosen by `test_f1`.

`--limit` takes that many training texts, evenly spread over the set; dev and test stay whole.
`--keep` names a folder for the exported trunk and the activations, which later calls then reuse.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean, pstdev
from typing import Any

from benchmarks.quality_data import SETS, QualitySet, load_set
from benchmarks.training import TRUNK
from services.trainer.engines.catalog import installed_engines
from services.trainer.engines.interface import TrainEvent, TrainRequest, TrainResult
from services.trainer.engines.params import LadderParams
from services.trainer.engines.trunk_export import export_trunk
from services.trainer.engines.trunk_source import load_trunk

_DATA = Path(__file__).parents[2] / "shared" / "data"


def train_once(
    engine: str,
    data: QualitySet,
    seed: int,
    folders: Path,
    changes: Mapping[str, Any],
    options: Mapping[str, str] | None = None,
) -> TrainResult:
    """Train all labels of a set with an installed engine and its own defaults.

    Args:
        engine: The engine's name.
        data: The set.
        seed: The run's seed.
        folders: Holds the exported ``trunk`` and the ``cache`` that runs share.
        changes: Parameters that are not the engine's defaults.
        options: Options of its own that are not.

    Raises:
        SystemExit: The engine is not installed, or what it trained must not be served.
    """
    catalog = installed_engines()
    info = catalog.engines.get(engine)
    if info is None:
        raise SystemExit(f"no engine {engine!r} is installed; known: {', '.join(catalog.names)}")
    params = {**info.default_params("ner").to_document(), **changes, "seed": seed}
    with tempfile.TemporaryDirectory(dir=folders) as work:
        request = TrainRequest(
            train=data.train,
            dev=data.dev,
            test=data.test,
            labels=data.labels,
            trunk_folder=folders / "trunk",
            work_dir=Path(work),
            cache_dir=folders / "cache",
            params=LadderParams.from_document(params),
            options=info.option_values(options or {}),
            trunk_source=TRUNK,
        )
        result = info.load()(request, _show, lambda: False)
    if not result.parity.passed:
        raise SystemExit(f"{engine} on {data.name}: parity failed: {result.parity.reason}")
    return result


def summary(values: Mapping[int, float]) -> dict[str, Any]:
    """Return mean and spread of one figure by seed; the deviation is that of the seeds at hand."""
    figures = list(values.values())
    return {
        "mean": round(fmean(figures), 4),
        "std": round(pstdev(figures), 4),
        "min": round(min(figures), 4),
        "max": round(max(figures), 4),
        "by_seed": {str(seed): round(value, 4) for seed, value in values.items()},
    }


def report(
    engine: str,
    data: QualitySet,
    results: Mapping[int, TrainResult],
    changes: Mapping[str, Any],
    options: Mapping[str, str],
) -> dict[str, Any]:
    """Return the line of one set and engine from its runs by seed."""
    tests = {seed: result.evaluations["test"] for seed, result in results.items()}
    return {
        "set": data.name,
        "engine": engine,
        "test_f1": summary({seed: test.micro.f1 for seed, test in tests.items()}),
        "dev_f1": summary({s: result.evaluations["dev"].micro.f1 for s, result in results.items()}),
        "test_precision": round(fmean(test.micro.precision for test in tests.values()), 4),
        "test_recall": round(fmean(test.micro.recall for test in tests.values()), 4),
        "labels": {
            label: round(fmean(test.labels[label].f1 for test in tests.values()), 4)
            for label in data.labels
        },
        "train_seconds": [round(r.timings["training"], 1) for r in results.values()],
        "activation_seconds": [round(r.timings.get("activations", 0), 1) for r in results.values()],
        "train_texts": len(data.train),
        "dev_texts": len(data.dev),
        "test_texts": len(data.test),
        "params": dict(changes),
        "options": dict(options),
    }


def _show(event: TrainEvent) -> None:
    if event.message:
        sys.stderr.write(f"{event.progress:5.0%} {event.message}\n")
        sys.stderr.flush()


def _changes(text: str) -> dict[str, Any]:
    given = json.loads(text)
    known = {field.name for field in dataclasses.fields(LadderParams)} - {"seed"}
    if not isinstance(given, dict) or not known >= set(given):
        raise argparse.ArgumentTypeError(f"must be a JSON object of: {', '.join(sorted(known))}")
    return given


def _options(text: str) -> dict[str, str]:
    given = json.loads(text)
    if not isinstance(given, dict):
        raise argparse.ArgumentTypeError("must be a JSON object")
    return {str(name): str(value) for name, value in given.items()}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    parser.add_argument("--engines", nargs="+", default=["ladder", "lora", "full"])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--limit", type=int, default=0, help="training texts; default: all")
    parser.add_argument("--data", type=Path, default=_DATA, help="folder of all sets")
    parser.add_argument("--params", type=_changes, default={}, help="JSON, for all engines")
    parser.add_argument("--options", type=_options, default={}, help="JSON, the engine's own")
    parser.add_argument("--keep", type=Path, help="folder for trunk and activations")
    chosen = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as scratch:
        folders = chosen.keep or Path(scratch)
        if not (folders / "trunk").exists():
            export_trunk(load_trunk(TRUNK)).write(folders / "trunk")
        for name in chosen.sets:
            data = load_set(name, chosen.data).limited(chosen.limit)
            for engine in chosen.engines:
                results = {
                    seed: train_once(engine, data, seed, folders, chosen.params, chosen.options)
                    for seed in chosen.seeds
                }
                line = report(engine, data, results, chosen.params, chosen.options)
                sys.stdout.write(json.dumps(line) + "\n")
                sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
