"""One training run of each tool: started, waited for, scored."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.peers.environments import PEERS
from benchmarks.peers.exchange import (
    Cost,
    label_scores,
    read_predictions,
    read_texts,
    run_child,
)
from services.common.modeling.evaluation import Score


@dataclass(frozen=True, kw_only=True)
class Workplace:
    """Where runs find their inputs and leave what they make.

    Attributes:
        folder: Holds the texts in `data`, the trunk in `trunk`, the activation cache in `cache`.
        threads: Threads that each run may use.
    """

    folder: Path
    threads: int

    @property
    def data(self) -> Path:
        """The texts as JSON lines, a file per split."""
        return self.folder / "data"

    @property
    def trunk(self) -> Path:
        """The exported trunk."""
        return self.folder / "trunk"


@dataclass(frozen=True, kw_only=True)
class Run:
    """What a run took and how its labels did on the test split.

    Attributes:
        cost: What it took.
        scores: By label.
        details: The run's other figures, for the record.
    """

    cost: Cost
    scores: Mapping[str, Score]
    details: Mapping[str, object]


@dataclass(frozen=True, kw_only=True)
class LadderRun(Run):
    """A run of the ladder engine.

    Attributes:
        epochs: Passes that were made.
        longest: Passes that there would have been at most.
        patience: Passes without a better dev score after which a label stops.
        epoch_s: Seconds of a pass, all labels together.
    """

    epochs: int
    longest: int
    patience: int
    epoch_s: float


@dataclass(frozen=True, kw_only=True)
class AdaptersRun(Run):
    """A run of the `adapters` library: one label.

    Attributes:
        epoch_s: Seconds of each pass.
    """

    epoch_s: Sequence[float]


def run_ladder(
    place: Workplace,
    name: str,
    labels: Sequence[str],
    *,
    seed: int,
    epochs: int,
    data: Path,
    trunk: Path | None = None,
) -> LadderRun:
    """Train labels together with the ladder engine, as one job.

    Args:
        place: Where.
        name: Of the run's folder.
        labels: What is trained.
        seed: Seed of everything random.
        epochs: Passes at most; 0 leaves them to the engine.
        data: Folder of the texts.
        trunk: Folder of the trunk; None: the workplace's.
    """
    out = place.folder / name
    command: list[str | Path] = [sys.executable, "-m", "benchmarks.peers.ladder_run"]
    command += ["--data", data, "--trunk", trunk or place.trunk, "--cache", place.folder / "cache"]
    command += ["--out", out, "--seed", str(seed), "--threads", str(place.threads)]
    command += ["--epochs", str(epochs)]
    run_child([*command, "--labels", *labels], place.threads, place.folder / f"{name}.log")
    figures = json.loads((out / "figures.json").read_text())
    return LadderRun(
        cost=_cost(figures),
        scores={
            label: Score(
                correct=score["correct"], predicted=score["predicted"], support=score["support"]
            )
            for label, score in figures["labels"].items()
        },
        details={"best_epochs": figures["best_epochs"]},
        epochs=figures["epochs"],
        longest=figures["longest"],
        patience=figures["patience"],
        epoch_s=figures["timings"]["training"] / figures["epochs"],
    )


def run_adapters(
    place: Workplace,
    python: Path,
    name: str,
    label: str,
    *,
    weights: Path,
    rule: LadderRun,
    rate: float,
) -> AdaptersRun:
    """Train one label as an adapter of its own with the `adapters` library.

    Args:
        place: Where.
        python: Of the library's environment.
        name: Of the run's folder.
        label: What is trained.
        weights: Folder of the encoder.
        rule: A run of ours, whose rule of stopping holds here, too.
        rate: Learning rate.
    """
    out = place.folder / name
    command: list[str | Path] = [python, PEERS / "adapters" / "train.py", "--data", place.data]
    command += ["--weights", weights, "--label", label, "--out", out, "--rate", str(rate)]
    command += ["--epochs", str(rule.longest), "--patience", str(rule.patience)]
    command += ["--threads", str(place.threads)]
    run_child(command, place.threads, place.folder / f"{name}.log")
    figures = json.loads((out / "figures.json").read_text())
    test = read_texts(place.data / "test.jsonl")
    return AdaptersRun(
        cost=_cost(figures),
        epoch_s=[epoch["seconds"] for epoch in figures["history"]],
        scores=label_scores(test, read_predictions(out / "predictions.jsonl"), [label]),
        details={
            "epochs": figures["epochs"],
            "best_epoch": figures["best_epoch"],
            "dev_f1": [round(epoch["dev_f1"], 4) for epoch in figures["history"]],
        },
    )


def run_spacy(
    place: Workplace, python: Path, labels: Sequence[str], *, seed: int, steps: int
) -> Run:
    """Train all labels as one pipeline with `spacy train`; the cost is that command's.

    Args:
        place: Where.
        python: Of spaCy's environment.
        labels: What is scored.
        seed: Seed of everything random.
        steps: Steps at most; 0 leaves what spaCy's configuration says.
    """
    out = place.folder / "spacy"
    out.mkdir()
    scripts = PEERS / "spacy"
    log = place.folder / "spacy.log"
    for split in ("train", "dev"):
        source = place.data / f"{split}.jsonl"
        run_child(
            [python, scripts / "convert.py", source, out / f"{split}.spacy"], place.threads, log
        )
    config = out / "config.cfg"
    wanted = ["--lang", "en", "--pipeline", "ner", "--optimize", "efficiency"]
    run_child([python, "-m", "spacy", "init", "config", config, *wanted], place.threads, log)
    command: list[str | Path] = [python, "-m", "spacy", "train", config, "--output", out / "model"]
    command += ["--paths.train", out / "train.spacy", "--paths.dev", out / "dev.spacy"]
    command += ["--system.seed", str(seed)]
    if steps:
        command += ["--training.max_steps", str(steps)]
    cost = run_child(command, place.threads, log)
    predictions = out / "predictions.jsonl"
    test = place.data / "test.jsonl"
    best = out / "model" / "model-best"
    run_child(
        [python, scripts / "predict.py", best, test, predictions],
        place.threads,
        place.folder / "spacy-predict.log",
    )
    scores = label_scores(read_texts(test), read_predictions(predictions), labels)
    return Run(cost=cost, scores=scores, details={})


def _cost(figures: Mapping[str, float]) -> Cost:
    return Cost(seconds=figures["seconds"], cpu_seconds=figures["cpu_seconds"])
