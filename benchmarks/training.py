"""Quality and cost of training all labels of a data set, over several seeds.

    python -m benchmarks.training --data FOLDER [--seeds 0 1 2]

FOLDER holds train.*, dev.* and test.* as for `make demo`. The engine runs as a training job runs
it: activations of the exported trunk, all labels in one pass, evaluation on the serving path. The
texts are trained in the order in which a snapshot keeps them. The last line is one JSON object:
`micro_f1` (mean over the seeds), `micro_f1_by_seed`, `labels` (mean F1 by label),
`activation_seconds` (the first seed fills the cache), `train_seconds` by seed.
"""

from __future__ import annotations

import argparse
import io
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean

from examples.demo.data import load
from services.annotation.formats.detect import detect
from services.annotation.formats.records import ParsedTask, ReadOptions, TaskFormat
from services.annotation.formats.registry import FORMATS
from services.trainer.engines.interface import Example, TrainEvent, TrainRequest, TrainResult
from services.trainer.engines.ladder_engine import train
from services.trainer.engines.params import LadderParams
from services.trainer.engines.trunk_export import export_trunk
from services.trainer.engines.trunk_source import load_trunk

TRUNK = "embedded:all-MiniLM-L6-v2"


def examples_of(content: bytes) -> list[Example]:
    """Read a file's annotated texts, in the order of a snapshot."""
    info = FORMATS[detect(content) or TaskFormat.JSONL]
    found = [
        Example(
            text=record.text,
            spans=[(s.start, s.end, s.label) for s in record.completions[0].content.spans],
        )
        for record in info.reader(io.BytesIO(content), ReadOptions())
        if isinstance(record, ParsedTask) and record.completions
    ]
    return sorted(found, key=lambda example: (example.text, example.spans))


def run(folder: Path | None, seeds: Sequence[int]) -> dict[str, object]:
    """Train once per seed; return the figures."""
    data = load(folder)
    texts = examples_of(data.file(data.train))
    labels = sorted({label for example in texts for _, _, label in example.spans})
    results: list[TrainResult] = []
    with tempfile.TemporaryDirectory() as scratch:
        started = time.monotonic()
        trunk = Path(scratch) / "trunk"
        export_trunk(load_trunk(TRUNK)).write(trunk)
        sys.stdout.write(f"trunk exported in {time.monotonic() - started:.1f} s\n")
        for seed in seeds:
            request = TrainRequest(
                train=texts,
                dev=examples_of(data.file(data.dev)),
                test=examples_of(data.file(data.test)),
                labels=labels,
                trunk_folder=trunk,
                work_dir=Path(scratch) / f"work-{seed}",
                cache_dir=Path(scratch) / "cache",
                params=LadderParams(seed=seed),
            )
            result = train(request, _show, lambda: False)
            if not result.parity.passed:
                raise SystemExit(f"parity failed: {result.parity.reason}")
            results.append(result)
    by_seed = [result.evaluations["test"].micro.f1 for result in results]
    return {
        "micro_f1": round(fmean(by_seed), 4),
        "micro_f1_by_seed": {seed: round(f1, 4) for seed, f1 in zip(seeds, by_seed, strict=True)},
        "labels": {
            label: round(fmean(r.evaluations["test"].labels[label].f1 for r in results), 4)
            for label in labels
        },
        "activation_seconds": round(results[0].timings["activations"], 1),
        "train_seconds": [round(result.timings["training"], 1) for result in results],
    }


def _show(event: TrainEvent) -> None:
    if event.message:
        sys.stdout.write(f"{event.progress:5.0%} {event.message}\n")
        sys.stdout.flush()


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="folder; default: the sample clauses")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    arguments = parser.parse_args()
    sys.stdout.write(json.dumps(run(arguments.data, arguments.seeds)) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
