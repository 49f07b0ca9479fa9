"""What training costs, side by side with other tools on the same texts, cores and weights.

    python -m benchmarks.training [--data FOLDER] [--seeds 0 1 2] [--without adapters spacy]

FOLDER holds train.*, dev.* and test.* as for `make demo`; wnut17 of the public sets if none is
given. In one run, one process at a time, on `--threads` cores:

- ours: the ladder engine trains all labels in one job, once with a cold activation cache, then once
  per seed with a warm one; then a label that no job has seen (the union of all labels) alone.
- `adapters`: each label as an adapter of its own, with the same weights, the same rule of stopping
  and a bias of O fitted in the same way; in turns with our jobs.
- spaCy: `spacy train`, blank English, its own configuration for CPUs.

The peers' environments are made on first use below `--envs`. Seconds of ours are whole jobs, those
of `adapters` training alone. The last line is one JSON object: `ours_label_s`, `adapters_label_s`
(mean seconds per label), `ratio`, `ours_f1` (mean of the seeds), `adapters_f1`, `next_label_ratio`
(seconds of the label trained alone by those of `adapters` for a label), `spacy_f1`, `spacy_s`. The
`cpu_…` figures are the same by processor seconds, which hold on a machine that is busy otherwise;
`epoch_ratio` compares single passes, whatever their number.

The whole takes hours on two cores, nearly all of it `adapters`; shorter:
`--adapter-labels 2`, `--epochs 3` (of both), `--without adapters`, `--limit 500` texts.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import zip_longest
from pathlib import Path
from statistics import fmean

from benchmarks.peers.environments import ENVS, embedded_weights, python_of
from benchmarks.peers.exchange import Cost, micro, write_texts
from benchmarks.peers.runs import (
    AdaptersRun,
    LadderRun,
    Run,
    Workplace,
    run_adapters,
    run_ladder,
    run_spacy,
)
from benchmarks.public_data import DATA, splits_of
from services.trainer.engines.interface import Example
from services.trainer.engines.trunk_export import export_trunk
from services.trainer.engines.trunk_source import load_trunk

TRUNK = "embedded:all-MiniLM-L6-v2"
NEXT_LABEL = "any-label"
PEERS = ("adapters", "spacy")


def measure(arguments: argparse.Namespace) -> dict[str, object]:
    """Run everything that is asked for; return the figures."""
    pythons = {
        peer: python_of(peer, arguments.envs) for peer in PEERS if peer not in arguments.without
    }
    with tempfile.TemporaryDirectory() as scratch:
        place = Workplace(folder=Path(scratch), threads=arguments.threads)
        labels, texts = _write_data(place, arguments.data, arguments.limit)
        export_trunk(load_trunk(TRUNK)).write(place.trunk)
        chosen = labels[: arguments.adapter_labels or None] if "adapters" in pythons else []
        epochs = arguments.epochs

        def train(name: str, wanted: Sequence[str], seed: int, data: Path) -> LadderRun:
            run = run_ladder(place, name, wanted, seed=seed, epochs=epochs, data=data)
            _say(f"{name}, {len(wanted)} labels: {run.cost.seconds:.0f} s, {run.epochs} epochs")
            return run

        cold = train("ours-cold", labels, arguments.seeds[0], place.data)
        ours: dict[int, LadderRun] = {}
        peers: dict[str, AdaptersRun] = {}
        # In turns, so that what else the machine does falls on both alike.
        for seed, label in zip_longest(arguments.seeds, chosen):
            if seed is not None:
                ours[seed] = train(f"ours-{seed}", labels, seed, place.data)
            if label is not None:
                peers[label] = run = run_adapters(
                    place,
                    pythons["adapters"],
                    f"adapters-{len(peers)}",
                    label,
                    weights=embedded_weights(),
                    rule=cold,
                    rate=arguments.adapter_rate,
                )
                _say(f"adapters, {label}: {run.cost.seconds:.0f} s, {dict(run.details)}")
        following = train("ours-next", [NEXT_LABEL], arguments.seeds[0], place.folder / "next")
        spacy = None
        if "spacy" in pythons:
            spacy = run_spacy(
                place,
                pythons["spacy"],
                labels,
                seed=arguments.seeds[0],
                steps=arguments.spacy_steps,
            )
            _say(f"spaCy: {spacy.cost.seconds:.0f} s")
    return {
        **figures(labels, ours, peers, cold=cold, following=following, spacy=spacy),
        "texts": texts,
        "threads": arguments.threads,
        "cores": os.cpu_count(),
        "load_average": round(os.getloadavg()[2], 1),
    }


def figures(
    labels: Sequence[str],
    ours: Mapping[int, LadderRun],
    peers: Mapping[str, AdaptersRun],
    *,
    cold: LadderRun,
    following: LadderRun,
    spacy: Run | None,
) -> dict[str, object]:
    """Return the figures that follow from the runs.

    Args:
        labels: All labels, which each of our jobs trains.
        ours: Our jobs with a warm cache, by seed.
        peers: The runs of `adapters`, by label; may be fewer labels, or none.
        cold: Our job that filled the cache.
        following: Our job of one more label.
        spacy: spaCy's run.
    """
    by_seed = {seed: round(micro(run.scores, labels), 4) for seed, run in ours.items()}
    mine = _mean([run.cost for run in ours.values()], len(labels))
    found: dict[str, object] = {
        "ours_label_s": round(mine.seconds, 2),
        "ours_label_cpu_s": round(mine.cpu_seconds, 2),
        "ours_cold_s": round(cold.cost.seconds, 1),
        "ours_warm_s": [round(run.cost.seconds, 1) for run in ours.values()],
        "ours_epochs": [run.epochs for run in ours.values()],
        "ours_epoch_s": round(fmean(run.epoch_s for run in ours.values()), 2),
        "ours_f1": round(fmean(by_seed.values()), 4),
        "ours_f1_by_seed": by_seed,
        "ours_labels": {
            label: round(fmean(run.scores[label].f1 for run in ours.values()), 4)
            for label in labels
        },
        "next_label_s": round(following.cost.seconds, 2),
        "next_label_f1": round(micro(following.scores, [NEXT_LABEL]), 4),
    }
    if peers:
        theirs = _mean([run.cost for run in peers.values()], 1)
        scores = {label: run.scores[label] for label, run in peers.items()}
        passes = [seconds for run in peers.values() for seconds in run.epoch_s]
        ours_pass = fmean(run.epoch_s for run in ours.values()) / len(labels)
        found |= {
            "adapters_label_s": round(theirs.seconds, 1),
            "adapters_label_cpu_s": round(theirs.cpu_seconds, 1),
            "ratio": round(theirs.seconds / mine.seconds, 1),
            "cpu_ratio": round(theirs.cpu_seconds / mine.cpu_seconds, 1),
            "epoch_ratio": round(fmean(passes) / ours_pass, 1),
            "adapters_f1": round(micro(scores, peers), 4),
            # Of the same labels, in case `adapters` trained only some.
            "ours_f1_same_labels": round(
                fmean(micro(run.scores, peers) for run in ours.values()), 4
            ),
            "adapters_labels": {
                label: {"f1": round(scores[label].f1, 4), **run.details}
                for label, run in peers.items()
            },
            "next_label_ratio": round(following.cost.seconds / theirs.seconds, 4),
            "next_label_cpu_ratio": round(following.cost.cpu_seconds / theirs.cpu_seconds, 4),
        }
    if spacy:
        found |= {
            "spacy_f1": round(micro(spacy.scores, labels), 4),
            "spacy_s": round(spacy.cost.seconds, 1),
            "spacy_cpu_s": round(spacy.cost.cpu_seconds, 1),
        }
    return found


def union(examples: Sequence[Example]) -> list[Example]:
    """Return the texts with all labels' spans as one label, each span once."""
    return [
        replace(
            example,
            spans=sorted({(start, end, NEXT_LABEL) for start, end, _ in example.spans}),
        )
        for example in examples
    ]


def _write_data(place: Workplace, folder: Path, limit: int) -> tuple[list[str], dict[str, int]]:
    """Write the texts for the runners; return the labels and the numbers of texts.

    Raises:
        SystemExit: The folder does not hold them.
    """
    splits = splits_of(folder)
    if limit:
        splits = {name: found[:: max(len(found) // limit, 1)] for name, found in splits.items()}
    following = place.folder / "next"
    place.data.mkdir()
    following.mkdir()
    for name, found in splits.items():
        write_texts(place.data / f"{name}.jsonl", found)
        write_texts(following / f"{name}.jsonl", union(found))
    labels = sorted({label for example in splits["train"] for _, _, label in example.spans})
    return labels, {name: len(found) for name, found in splits.items()}


def _mean(costs: Sequence[Cost], labels: int) -> Cost:
    """Return the mean cost of a label, of runs that train so many each."""
    return Cost(
        seconds=fmean(cost.seconds for cost in costs) / labels,
        cpu_seconds=fmean(cost.cpu_seconds for cost in costs) / labels,
    )


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=DATA / "wnut17", help="folder of the texts")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--without", choices=PEERS, nargs="+", default=[], help="peers left out")
    parser.add_argument("--envs", type=Path, default=ENVS, help="folder of the environments")
    parser.add_argument("--limit", type=int, default=0, help="texts per split, about; 0: all")
    parser.add_argument("--adapter-labels", type=int, default=0, help="the first N; 0: all")
    parser.add_argument(
        "--epochs", type=int, default=0, help="passes at most, of both; 0: as the engine plans"
    )
    parser.add_argument("--adapter-rate", type=float, default=1e-3, help="learning rate")
    parser.add_argument("--spacy-steps", type=int, default=0, help="at most; 0: as configured")
    _say(json.dumps(measure(parser.parse_args(arguments))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
