"""Learning curves of the strategies of SuggestTasks against annotating at random.

    python -m benchmarks.active_learning [--sets wnut17 snips] [--strategies margin diversity …]
                                         [--rounds 6] [--step 50] [--pool 1000] [--seeds 0]
                                         [--data FOLDER] [--plot FILE.svg]

Each curve begins with the same 50 texts of the pool. In each round a model is trained on what is
annotated, with fixed dev texts, and measured on the whole test split; then the strategy chooses
the next texts. wnut17 trains its labels, snips its intents as one control. The last line is one
JSON object: by set and strategy the area under the curve (`auc`, mean F1 over the range of texts),
its distance to random, and F1 by number of texts, as means over the seeds. With --plot the curves
are drawn.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean, pstdev
from typing import Any

import numpy as np

from benchmarks.learning_data import load_set
from benchmarks.learning_loop import Loop, Plan, Point
from benchmarks.public_data import DATA
from services.annotation.suggestions.domain import Strategy
from services.trainer.engines.params import LadderParams
from services.trainer.engines.trunk_export import export_trunk
from services.trainer.engines.trunk_source import load_trunk

TRUNK = "embedded:all-MiniLM-L6-v2"
SETS = ("wnut17", "snips")
STRATEGIES = tuple(one for one in Strategy if one is not Strategy.SEQUENTIAL)

Curves = Mapping[str, Mapping[Strategy, Sequence[Sequence[Point]]]]
"""By set and strategy: one curve per seed."""


def measure(arguments: argparse.Namespace) -> Curves:
    """Run all loops."""
    curves: dict[str, dict[Strategy, list[list[Point]]]] = {}
    strategies = list(dict.fromkeys([Strategy.RANDOM, *arguments.strategies]))
    with tempfile.TemporaryDirectory() as scratch:
        trunk = Path(scratch) / "trunk"
        export_trunk(load_trunk(TRUNK)).write(trunk)
        for name in arguments.sets:
            for seed in arguments.seeds:
                data = load_set(name, arguments.data, pool=arguments.pool, seed=seed)
                plan = Plan(
                    start=arguments.start,
                    step=arguments.step,
                    rounds=arguments.rounds,
                    params=LadderParams(
                        width=arguments.width,
                        min_steps=arguments.min_steps,
                        batch_words=arguments.batch_words,
                        seed=seed,
                    ),
                    seed=seed,
                    threads=arguments.threads,
                )
                loop = Loop(data, trunk, Path(scratch) / "cache", plan)
                for strategy in strategies:

                    def show(point: Point, strategy: Strategy = strategy, seed: int = seed) -> None:
                        _say(f"{name} seed {seed} {strategy.lower()}: {point}")  # noqa: B023

                    found = loop.curve(strategy, show)
                    curves.setdefault(name, {}).setdefault(strategy, []).append(found)
    return curves


def area(points: Sequence[Point]) -> float:
    """Return the mean F1 over the range of texts."""
    texts = [point.texts for point in points]
    if len(points) == 1:
        return points[0].f1
    return float(np.trapezoid([point.f1 for point in points], texts) / (texts[-1] - texts[0]))


def figures(curves: Curves) -> dict[str, Any]:
    """Return means over the seeds."""
    told: dict[str, Any] = {}
    for name, by_strategy in curves.items():
        areas = {
            strategy: [area(points) for points in found] for strategy, found in by_strategy.items()
        }
        base = areas[Strategy.RANDOM]
        told[name] = {
            strategy.lower(): {
                "auc": round(fmean(areas[strategy]), 4),
                "over_random": round(fmean(a - b for a, b in zip(areas[strategy], base)), 4),  # noqa: B905
                "spread": round(pstdev(areas[strategy]), 4),
                "f1": {
                    points[0].texts: round(fmean(point.f1 for point in points), 4)
                    for points in zip(*found, strict=True)
                },
                "words": round(fmean(points[-1].words for points in found)),
            }
            for strategy, found in by_strategy.items()
        }
    return told


def plot(curves: Curves, path: Path) -> None:
    """Draw the mean curves, one picture per set, as SVG."""
    import matplotlib

    matplotlib.use("svg")
    # Text as text, and nothing in the file that changes from run to run.
    matplotlib.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "spanloop"})
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(
        1, len(curves), figsize=(5.5 * len(curves), 4.2), squeeze=False, layout="constrained"
    )
    for axis, (name, by_strategy) in zip(axes[0], curves.items(), strict=True):
        for strategy, found in by_strategy.items():
            texts = [point.texts for point in found[0]]
            means = [fmean(point.f1 for point in points) for points in zip(*found, strict=True)]
            random = strategy is Strategy.RANDOM
            axis.plot(
                texts,
                means,
                label=strategy.lower().replace("_", " "),
                color="black" if random else None,
                linestyle="--" if random else "-",
                marker="o",
                markersize=3,
            )
        axis.set(title=name, xlabel="annotated texts", ylabel="micro F1 on test")
        axis.grid(alpha=0.3)
        axis.legend(fontsize="small")
    figure.savefig(path, format="svg", metadata={"Date": None})
    pyplot.close(figure)


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    parser.add_argument(
        "--strategies",
        nargs="+",
        type=lambda name: Strategy(name.upper()),
        choices=STRATEGIES,
        default=list(STRATEGIES),
        help="random is always there",
    )
    parser.add_argument("--rounds", type=int, default=6, help="trainings per curve")
    parser.add_argument("--start", type=int, default=50, help="texts at first")
    parser.add_argument("--step", type=int, default=50, help="texts per round")
    parser.add_argument("--pool", type=int, default=1_000, help="texts to choose from")
    parser.add_argument("--width", type=int, default=16, help="width of the adapters")
    parser.add_argument("--min-steps", type=int, default=100, help="steps of a training, at least")
    parser.add_argument("--batch-words", type=int, default=80, help="words of a training step")
    parser.add_argument("--threads", type=int, default=1, help="0: all cores; steps are small")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--data", type=Path, default=DATA, help="folder of the public sets")
    parser.add_argument("--plot", type=Path, help="SVG to write")
    arguments = parser.parse_args()
    started = time.monotonic()
    curves = measure(arguments)
    if arguments.plot:
        plot(curves, arguments.plot)
    told = {"seconds": round(time.monotonic() - started), "seeds": arguments.seeds}
    sys.stdout.write(json.dumps({**told, **figures(curves)}) + "\n")
    return 0


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
