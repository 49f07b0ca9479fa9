"""Assertion statuses and intents against TF-IDF with logistic regression.

    python -m benchmarks.baselines [--data FOLDER] [--seeds 0 1 2] [--rounds 1]

FOLDER holds the public sets. Both sides learn from the same texts and decide on the same dev split:
the baseline on its regularisation and, where several values may be chosen, on its threshold. Words
and word pairs are weighted by TF-IDF; for a status there are three such bags: before the span, the
span, and behind it.

- negex_context: statuses of given spans; the published dev split is measured. Its 187 spans cannot
  tell a difference of two hundredths, so negex_context-folds measures all texts of both splits, in
  five folds.
- snips: one intent per text; the published test split is measured.
- nlupp: several intents per text, by domain; `--rounds` up to 10 pairs of folds are measured.

One line per set says mean and spread over the seeds. The last line is one JSON object; by set:
`baseline` and `ours` (micro F1, which is the accuracy where exactly one value holds; ours is the
mean over the seeds), `ours_spread` (standard deviation of the seeds), `baseline_macro` and
`ours_macro`, `ours_by_seed`, `support` (values to find: with few of them, a difference of a
hundredth is chance), `beaten`. Rounds of one set are averaged.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import fmean, stdev

import numpy as np
from numpy.typing import NDArray
from sklearn.compose import ColumnTransformer
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import MultiLabelBinarizer

from benchmarks.baseline_data import JudgedSet, load_sets
from benchmarks.public_data import DATA
from services.common.modeling.evaluation import Evaluation, Span, evaluate
from services.trainer.engines.built_in import LADDER
from services.trainer.engines.interface import Example, TrainRequest
from services.trainer.engines.ladder_engine import train
from services.trainer.engines.trunk_export import export_trunk
from services.trainer.engines.trunk_names import DEFAULT_TRUNK
from services.trainer.engines.trunk_source import load_trunk

STRENGTHS = (1.0, 10.0, 100.0)
THRESHOLDS = np.arange(0.1, 0.9, 0.05)
CONTROL = "intent"
_WORD = r"\w+"

Row = tuple[str, str, str]
"""Before the span, the span, behind it; a whole text stands in the middle."""


def rows_of(examples: Sequence[Example]) -> tuple[list[Row], list[list[str]]]:
    """Return what is judged, one row per span or text, and the values that hold for each."""
    rows: list[Row] = []
    values: list[list[str]] = []
    for example in examples:
        text = example.text
        for start, end, status in example.assertions:
            rows.append((text[:start], text[start:end], text[end:]))
            values.append([status])
        if not example.assertions:
            rows.append(("", text, ""))
            values.append(list(example.choices))
    return rows, values


def scored(
    gold: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]], values: Sequence[str]
) -> Evaluation:
    """Score chosen values as the trainer scores its own: a value is a span of the whole row."""
    return evaluate(_as_spans(gold), _as_spans(predicted), values)


def baseline(judged: JudgedSet) -> Evaluation:
    """Train the baseline; return its scores on the test split."""
    (train_rows, train_values), (dev_rows, dev_values), (test_rows, test_values) = map(
        rows_of, (judged.train, judged.dev, judged.test)
    )
    names = judged.values
    coder = MultiLabelBinarizer(classes=names)
    targets = coder.fit_transform(train_values)
    best, chosen = -1.0, ([] if judged.multiple else [[names[0]]])
    for strength in STRENGTHS:
        model = _model(judged, strength)
        model.fit(_table(train_rows), targets if judged.multiple else targets.argmax(axis=1))
        dev_chances = model.predict_proba(_table(dev_rows))
        for threshold in THRESHOLDS if judged.multiple else [0.0]:
            found = _chosen(dev_chances, names, threshold)
            score = scored(dev_values, found, names).micro.f1
            if score > best:
                best = score
                chosen = _chosen(model.predict_proba(_table(test_rows)), names, threshold)
    return scored(test_values, chosen, names)


def ours(judged: JudgedSet, seed: int, scratch: Path, threads: int) -> Evaluation:
    """Train the ladder engine; return its scores on the test split.

    Args:
        judged: What is trained.
        seed: Seed of everything random.
        scratch: Holds the exported trunk in `trunk`, and the activation cache.
        threads: Threads that it may use.

    Raises:
        SystemExit: onnxruntime and torch disagree on what was trained.
    """
    with tempfile.TemporaryDirectory(dir=scratch) as work:
        result = train(
            TrainRequest(
                train=judged.train,
                dev=judged.dev,
                test=judged.test,
                labels=judged.values,
                model_type=judged.model_type,
                control=CONTROL if judged.model_type == "classification" else "",
                multiple=judged.multiple,
                trunk_folder=scratch / "trunk",
                work_dir=Path(work),
                cache_dir=scratch / "cache",
                params=replace(LADDER.default_params(judged.model_type), seed=seed),
                threads=threads,
            ),
            lambda _: None,
            lambda: False,
        )
    if not result.parity.passed:
        raise SystemExit(f"{judged.name}: parity failed: {result.parity.reason}")
    return result.evaluations["test"]


def compare(
    baselines: Sequence[Evaluation], by_seed: Mapping[int, Sequence[Evaluation]]
) -> dict[str, object]:
    """Return a set's figures.

    Args:
        baselines: The baseline's scores, one per round.
        by_seed: Ours, one per round and seed.
    """
    theirs = fmean(evaluation.micro.f1 for evaluation in baselines)
    seeds = {seed: fmean(e.micro.f1 for e in rounds) for seed, rounds in by_seed.items()}
    mine = fmean(seeds.values())
    return {
        "baseline": round(theirs, 4),
        "ours": round(mine, 4),
        "ours_spread": round(stdev(seeds.values()), 4) if len(seeds) > 1 else 0.0,
        "baseline_macro": round(fmean(e.macro_f1 for e in baselines), 4),
        "ours_macro": round(fmean(e.macro_f1 for rounds in by_seed.values() for e in rounds), 4),
        "ours_by_seed": {seed: round(f1, 4) for seed, f1 in seeds.items()},
        "rounds": len(baselines),
        "support": sum(evaluation.micro.support for evaluation in baselines),
        "beaten": mine > theirs,
    }


def _sentence(figures: Mapping[str, object]) -> str:
    return (
        f"ours {figures['ours']} ± {figures['ours_spread']} (by seed {figures['ours_by_seed']}), "
        f"baseline {figures['baseline']}, {figures['support']} values to find"
    )


def _model(judged: JudgedSet, strength: float) -> Pipeline:
    parts = (0, 1, 2) if judged.model_type == "assertion" else (1,)
    words = ColumnTransformer(
        [
            (
                str(part),
                # Single letters count, too: "i", "a".
                TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, token_pattern=_WORD),
                part,
            )
            for part in parts
        ]
    )
    regression = LogisticRegression(C=strength, max_iter=2000)
    return Pipeline(
        [
            ("words", words),
            ("model", OneVsRestClassifier(regression) if judged.multiple else regression),
        ]
    )


def _table(rows: Sequence[Row]) -> NDArray[np.object_]:
    return np.asarray(rows, dtype=object)


def _chosen(
    chances: NDArray[np.float64], names: Sequence[str], threshold: float
) -> list[list[str]]:
    """Return the values above a threshold, or the likeliest one for a threshold of 0."""
    if not threshold:
        return [[names[index]] for index in chances.argmax(axis=1).tolist()]
    return [[names[i] for i in np.flatnonzero(row >= threshold).tolist()] for row in chances]


def _as_spans(values: Sequence[Sequence[str]]) -> list[list[Span]]:
    return [[(0, 1, value) for value in found] for found in values]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=DATA, help="folder of the public sets")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--rounds", type=int, choices=range(1, 11), default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--sets", nargs="+", help="default: all")
    options = parser.parse_args(arguments)
    found: dict[str, dict[str, object]] = {}
    sets: dict[str, list[JudgedSet]] = {}
    for judged in load_sets(options.data, options.rounds):
        if not options.sets or judged.name in options.sets:
            sets.setdefault(judged.name, []).append(judged)
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        export_trunk(load_trunk(DEFAULT_TRUNK)).write(scratch / "trunk")
        for name, rounds in sets.items():
            found[name] = compare(
                [baseline(judged) for judged in rounds],
                {
                    seed: [ours(judged, seed, scratch, options.threads) for judged in rounds]
                    for seed in options.seeds
                },
            )
            sys.stdout.write(f"{name}: {_sentence(found[name])}\n")
            sys.stdout.flush()
    sys.stdout.write(json.dumps(found) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
