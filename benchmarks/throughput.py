"""Pre-annotating wnut17's training texts, in words per second, beside other tools.

    python -m benchmarks.throughput [--precisions fp32 int8] [--repeats 2] [--without spacy]

On the same machine and threads, in turns:

- ours: the ladder engine trains all labels; annotation, registry and inference run as processes
  with the embedded settings. The texts go through Predict, `--batch` of them to a request and
  several requests at once, and once through a pre-annotation job with the tasks that it reads and
  the predictions that it writes. All of it for the embedded trunk in each of `--precisions`, with
  adapters trained on it; or for the exported trunks that `--trunks` names.
- `pipeline`: transformers' token classification pipeline on torch, batched and sorted by length:
  one model of the same encoder, with a random head unless `--pipeline-model` names a trained one.
- `spacy-transformers`: spaCy's pipeline on the same encoder, with a random head.
- `spacy`: a blank English pipeline, trained for `--spacy-steps`. It has no such encoder: it is a
  fifteenth of the size, as `parameters` says.

The last line is one JSON object: `tokens_per_s` and `f1` (micro, on the test texts) of each, where
tokens are the texts' words as they are separated by white space, whatever a tool makes of them;
`ours` and `ours-job` are of the first trunk, others are called by their precision (`ours-int8`).
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from benchmarks.peers.environments import ENVS, PEERS, embedded_weights, python_of
from benchmarks.peers.exchange import label_scores, micro, read_predictions, write_texts
from benchmarks.peers.ladder_run import read_adapters
from benchmarks.peers.runs import Workplace, run_ladder, run_spacy
from benchmarks.public_data import DATA, splits_of
from benchmarks.serving import annotating
from benchmarks.serving.figures import goals, machine
from benchmarks.serving.loop import run_async
from benchmarks.serving.models import TrunkFolder
from benchmarks.serving.runner import Runner, runner
from benchmarks.serving.servers import Servers, end_on_sigterm, servers
from benchmarks.serving.trunk import TRUNK_PRECISIONS, exported_trunk
from services.trainer.engines.interface import AdapterArtifact, Example

SERVICES = ("annotation", "registry", "inference")
FIGURES = "figures.json"
PEER_NAMES = ("pipeline", "spacy-transformers", "spacy")
EQUAL = ("pipeline", "spacy-transformers")
"""Peers that run the same encoder."""


@dataclass
class Measured:
    """What each tool did, by name.

    Attributes:
        seconds: Of each pass over all texts.
        f1: On the test texts.
        parameters: Numbers in its weights.
    """

    seconds: dict[str, list[float]] = field(default_factory=dict)
    f1: dict[str, float] = field(default_factory=dict)
    parameters: dict[str, int] = field(default_factory=dict)


class Work:
    """The texts, where they are written down for the peers, and what is measured of them."""

    def __init__(self, arguments: argparse.Namespace, scratch: Path) -> None:
        """Read the texts and write them for the peers."""
        self.arguments = arguments
        self.kept = Workplace(folder=arguments.keep or scratch, threads=arguments.threads)
        self.kept.folder.mkdir(parents=True, exist_ok=True)
        self.place = Workplace(folder=scratch / "peers", threads=arguments.threads)
        self.place.data.mkdir(parents=True)
        splits = splits_of(arguments.data)
        if arguments.limit:
            splits = {
                name: found[:: max(1, len(found) // arguments.limit)]
                for name, found in splits.items()
            }
        self.splits: Mapping[str, Sequence[Example]] = splits
        self.labels = sorted({label for e in splits["train"] for _, _, label in e.spans})
        self.texts = [example.text for example in splits["train"]]
        for name, found in splits.items():
            write_texts(self.place.data / f"{name}.jsonl", found)
        self.measured = Measured()

    def f1(self, predicted: Sequence[Sequence[tuple[int, int, str]]]) -> float:
        """Return the micro F1 of spans of the test texts."""
        return micro(label_scores(self.splits["test"], predicted, self.labels), self.labels)

    def add(self, name: str, seconds: float) -> None:
        """Note a pass over all texts."""
        self.measured.seconds.setdefault(name, []).append(seconds)
        _say(f"{name}: {words(self.texts) / seconds:.0f} words/s")


def trained(work: Work, trunk: TrunkFolder) -> list[AdapterArtifact]:
    """Return adapters of all labels on a trunk; trained unless they were kept."""
    arguments = work.arguments
    texts = (work.place.data / "train.jsonl").read_bytes()
    key = f"{trunk.manifest.digest}\n{arguments.epochs}\n".encode() + texts
    name = f"adapters-{trunk.manifest.precision}-{hashlib.sha256(key).hexdigest()[:12]}"
    if not (work.kept.folder / name / FIGURES).is_file():
        _say(f"training {len(work.labels)} labels on {trunk.manifest.precision}")
        run_ladder(
            work.kept,
            name,
            work.labels,
            seed=0,
            epochs=arguments.epochs,
            data=work.place.data,
            trunk=trunk.folder,
        )
    return read_adapters(work.kept.folder / name)


async def serve(
    work: Work, running: Servers, served: Mapping[str, tuple[TrunkFolder, list[AdapterArtifact]]]
) -> None:
    """Deploy the models, and score what they answer to the test texts; that warms them up, too."""
    test = [example.text for example in work.splits["test"]]
    for name, (trunk, adapters) in served.items():
        await annotating.deploy(running, trunk, name, adapters)
        found, _ = await _predict(work, running, name, test)
        work.measured.f1[name] = work.f1(found)


async def _predict(
    work: Work, running: Servers, project: str, texts: Sequence[str]
) -> tuple[list[list[tuple[int, int, str]]], float]:
    arguments = work.arguments
    return await annotating.predict(
        running, project, texts, batch=arguments.batch, at_once=arguments.at_once
    )


def open_peers(work: Work, stack: contextlib.ExitStack) -> dict[str, Runner]:
    """Train what has to be trained and open the peers that are asked for."""
    arguments, place = work.arguments, work.place
    texts, test = place.data / "train.jsonl", place.data / "test.jsonl"
    commands: dict[str, list[str | Path]] = {}
    if "pipeline" not in arguments.without:
        command: list[str | Path] = [sys.executable, "-m", "benchmarks.peers.pipeline_run"]
        command += ["--texts", texts, "--test", test, "--labels", str(len(work.labels))]
        command += ["--weights", arguments.pipeline_model or embedded_weights()]
        command += ["--threads", str(arguments.threads)]
        commands["pipeline"] = command + ["--trained"] * bool(arguments.pipeline_model)
    if "spacy-transformers" not in arguments.without:
        python = python_of("spacy_transformers", arguments.envs)
        command = [python, PEERS / "spacy_transformers" / "speed.py"]
        command += ["--texts", texts, "--labels", str(len(work.labels))]
        command += ["--weights", embedded_weights(), "--threads", str(arguments.threads)]
        commands["spacy-transformers"] = command
    if "spacy" not in arguments.without:
        python = python_of("spacy", arguments.envs)
        _say(f"training spaCy for {arguments.spacy_steps or 'all'} steps")
        run = run_spacy(place, python, work.labels, seed=0, steps=arguments.spacy_steps)
        work.measured.f1["spacy"] = micro(run.scores, work.labels)
        model = place.folder / "spacy" / "model" / "model-best"
        commands["spacy"] = [python, PEERS / "spacy" / "speed.py", model, texts]
    peers = {}
    for name, command in commands.items():
        log = place.folder / f"{name}.log"
        peers[name] = stack.enter_context(runner(command, threads=arguments.threads, log=log))
        work.measured.parameters[name] = int(peers[name].ready["parameters"])
    if "pipeline" in peers and arguments.pipeline_model:
        out = place.folder / "pipeline.jsonl"
        peers["pipeline"].ask(f"predict {out}")
        work.measured.f1["pipeline"] = work.f1(read_predictions(out))
    return peers


def measure(arguments: argparse.Namespace) -> dict[str, object]:
    """Run everything that is asked for; return the figures."""
    with contextlib.ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        work = Work(arguments, scratch)
        folders = arguments.trunks or [
            exported_trunk(work.kept.folder, precision) for precision in arguments.precisions
        ]
        trunks = [TrunkFolder.open(folder) for folder in folders]
        names = project_names([trunk.manifest.precision for trunk in trunks])
        served = {
            name: (trunk, trained(work, trunk)) for name, trunk in zip(names, trunks, strict=True)
        }
        peers = open_peers(work, stack)
        running = stack.enter_context(
            servers(scratch / "servers", SERVICES, intra_op_threads=arguments.threads)
        )
        run_async(serve(work, running, served))
        for number in range(arguments.repeats):
            for name in served:
                _, seconds = run_async(_predict(work, running, name, work.texts))
                work.add(name, seconds)
                if number == 0 and arguments.jobs:
                    job = annotating.preannotate(running, name, work.texts)
                    tasks, seconds = run_async(job)
                    # Of texts that occur twice there is one task.
                    _say(f"the job annotated {tasks} tasks")
                    work.add(f"{name}-job", seconds)
            for name, peer in peers.items():
                work.add(name, float(peer.ask("speed")))
        resident = running.resident_kib("inference") / 1024
    return {
        **figures(work.measured, words=words(work.texts), ours=names),
        "texts": len(work.texts),
        "labels": len(work.labels),
        "threads": arguments.threads,
        "resident_mib": round(resident, 1),
        **machine(),
    }


def project_names(precisions: Sequence[str]) -> list[str]:
    """Return how each trunk's figures and project are called: the first is `ours`.

    Raises:
        SystemExit: Two would have one name.
    """
    if len(set(precisions)) < len(precisions):
        raise SystemExit("--trunks: two trunks have one precision")
    return ["ours", *(f"ours-{precision}" for precision in precisions[1:])]


def figures(measured: Measured, *, words: int, ours: Sequence[str]) -> dict[str, object]:
    """Return the figures that follow from the seconds; of several passes their median counts."""
    speeds = {name: words / median(seconds) for name, seconds in measured.seconds.items()}
    best = max(speeds[name] for name in ours)
    ratios = {name: speeds[ours[0]] / speeds[name] for name in PEER_NAMES if name in speeds}
    return {
        "tokens_per_s": {name: round(speed) for name, speed in speeds.items()},
        "f1": {name: round(value, 4) for name, value in measured.f1.items()},
        "ratio": {name: round(ratio, 2) for name, ratio in ratios.items()},
        "best_ratio": {
            name: round(best / speeds[name], 2) for name in PEER_NAMES if name in speeds
        },
        "parameters": measured.parameters,
        "seconds": {
            name: [round(value, 1) for value in seconds]
            for name, seconds in measured.seconds.items()
        },
        "words": words,
        **goals(
            **{f"ahead_of_{name}": ratios[name] > 1 for name in EQUAL if name in ratios},
        ),
    }


def words(texts: Sequence[str]) -> int:
    """Return the number of words, as they are separated by white space."""
    return sum(len(text.split()) for text in texts)


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=DATA / "wnut17", help="folder of the texts")
    parser.add_argument(
        "--precisions", choices=TRUNK_PRECISIONS, nargs="+", default=["fp32", "int8"]
    )
    parser.add_argument(
        "--trunks", type=Path, nargs="+", default=[], help="exported trunks, not the embedded one"
    )
    parser.add_argument("--repeats", type=int, default=2, help="passes over all texts")
    parser.add_argument("--batch", type=int, default=128, help="texts of a request")
    parser.add_argument("--at-once", type=int, default=4, help="requests under way")
    parser.add_argument("--without-job", dest="jobs", action="store_false")
    parser.add_argument("--without", choices=PEER_NAMES, nargs="+", default=[], help="left out")
    parser.add_argument("--pipeline-model", type=Path, help="trained token classification model")
    parser.add_argument("--spacy-steps", type=int, default=400, help="at most; 0: as configured")
    parser.add_argument("--epochs", type=int, default=0, help="of ours; 0: as the engine plans")
    parser.add_argument("--limit", type=int, default=0, help="texts per split, about; 0: all")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--envs", type=Path, default=ENVS, help="folder of the environments")
    parser.add_argument("--keep", type=Path, help="folder that keeps trunk, activations, adapters")
    end_on_sigterm()
    _say(json.dumps(measure(parser.parse_args(arguments))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
